"""The field ``identified_by``: how the member was identified, as the till or the app says."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.loyalty.api.fields import IdentifierValue
from services.loyalty.domain.possession import Claim
from shared.http.models import OneOf

AppCode = Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[ -~]+$")]
"""What the app shows: 16 digits; ``app:`` before and blanks or dashes between them are ignored."""


class IdentifiedBy(OneOf):
    """Exactly one of these. A card and an app code prove that the member is there."""

    card: IdentifierValue | None = None
    app_code: AppCode | None = None
    phone: IdentifierValue | None = None
    email: IdentifierValue | None = None
    app_id: IdentifierValue | None = None
    member_id: UUID | None = None

    def claim(self, member_id: UUID) -> Claim:
        """Return what the request says of a member, as handlers take it."""
        return Claim(member_id, *self.one())
