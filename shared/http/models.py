"""Bases of what comes in over HTTP."""

from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator
from pydantic_core import PydanticCustomError


class Request(BaseModel):
    """Base of request bodies: a field that we do not know is a mistake, and nothing changes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OneOf(Request):
    """Base of what names a thing in one of several ways: exactly one of its fields is given."""

    alternatives: ClassVar[frozenset[str]] = frozenset()
    """Those fields, where the request has others beside them."""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self._given()) != 1:
            kinds = ", ".join(filter(self._is_alternative, type(self).model_fields))
            raise PydanticCustomError(
                "one_of", "must have exactly one of {kinds}", {"kinds": kinds}
            )
        return self

    def one(self) -> tuple[str, str]:
        """Return the kind and the value as sent."""
        (given,) = self._given()
        return given

    def _given(self) -> list[tuple[str, str]]:
        return [
            (kind, str(value))
            for kind, value in vars(self).items()
            if value is not None and self._is_alternative(kind)
        ]

    def _is_alternative(self, kind: str) -> bool:
        return not self.alternatives or kind in self.alternatives


Text = Annotated[str, StringConstraints(max_length=1_000, pattern=r"^[^\x00]*$")]
"""Text that Postgres can store: it has no NUL."""
