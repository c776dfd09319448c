"""What the documents of a programme are made of."""

from datetime import UTC, datetime
from typing import Annotated, Literal, LiteralString, get_args

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

RuleId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Title = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Names = Annotated[tuple[Name, ...], Field(max_length=10_000)]
TimeOfDay = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
SalesChannel = Literal["pos", "app", "web", "phone"]
IdentifierKind = Literal["card", "phone", "email", "app_id", "member_id"]


def _written(value: object) -> object:
    """Refuse numbers: pydantic would take 1700000000 for an instant."""
    if isinstance(value, str) and value[4:5] == "-":
        return value
    raise PydanticCustomError("calendar", "must be written as in RFC 3339: 2026-11-22…")


Written = BeforeValidator(_written)
WrittenInstant = Annotated[
    AwareDatetime,
    Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2100, 1, 1, tzinfo=UTC)),
    Written,
]
"""In a JSON body; YAML has instants of its own."""


class Document(BaseModel):
    """Base of every part: a field that is not known is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def wrong(kind: LiteralString, message: str) -> PydanticCustomError:
    """Return the error of a part that does not fit together."""
    return PydanticCustomError(kind, "{told}", {"told": message})
