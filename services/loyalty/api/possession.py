"""The field ``identified_by``: how the member was identified, as the till or the app says."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from services.loyalty.api.fields import IdentifierValue
from services.loyalty.domain.possession import Claim
from shared.http.models import Request

KINDS = ("card", "app_code", "phone", "email", "app_id", "member_id")

AppCode = Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[ -~]+$")]
"""What the app shows: 16 digits; ``app:`` before and blanks or dashes between them are ignored."""


class IdentifiedBy(Request):
    """Exactly one of these. A card and an app code prove that the member is there."""

    card: IdentifierValue | None = None
    app_code: AppCode | None = None
    phone: IdentifierValue | None = None
    email: IdentifierValue | None = None
    app_id: IdentifierValue | None = None
    member_id: UUID | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self._given()) != 1:
            raise PydanticCustomError(
                "identified_by", f"must have exactly one of {', '.join(KINDS)}"
            )
        return self

    def _given(self) -> list[tuple[str, str]]:
        return [(kind, str(value)) for kind, value in vars(self).items() if value is not None]

    def claim(self, member_id: UUID) -> Claim:
        """Return what the request says of a member, as handlers take it."""
        ((kind, value),) = self._given()
        return Claim(member_id, kind, value)
