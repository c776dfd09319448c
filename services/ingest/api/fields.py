"""Types of request fields, with their limits.

Postgres can store whatever passes these: no NUL, no instant it can not hold, no number too big.
"""

from datetime import UTC, date, datetime
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from services.ingest import domain
from services.ingest.api import currencies

AMOUNT_MAX = 2**53 - 1
_FIRST_INSTANT = datetime(2000, 1, 1, tzinfo=UTC)
_LAST_INSTANT = datetime(2100, 1, 1, tzinfo=UTC)
_PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
_NO_NUL = r"^[^\x00]*$"


def _currency(code: str) -> str:
    if code not in currencies.CODES:
        raise PydanticCustomError("currency", "must be a code of ISO 4217, such as USD")
    return code


def time_zone(name: str) -> str:
    """Return ``name`` if it is an IANA time zone."""
    if name not in available_timezones():
        raise PydanticCustomError("time_zone", "must be an IANA name, such as Europe/Berlin")
    return name


def _quantity(value: object) -> int:
    """Read a quantity from a JSON string or number into thousandths.

    A number reaches us as a binary float; ``repr`` is the shortest text that means the same
    float, that is, what the till wrote.
    """
    milli = None
    if isinstance(value, str):
        milli = domain.quantity_milli(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        milli = domain.quantity_milli(repr(value))
    if milli is None:
        message = "must be a number from 0 to 1,000,000 with at most 3 decimals"
        raise PydanticCustomError("quantity", message)
    return milli


def _calendar(value: object) -> object:
    """Let only written dates and times through: pydantic would take 1700000000 for one too."""
    if isinstance(value, str) and value[4:5] == "-":
        return value
    raise PydanticCustomError("calendar", "must be written as in RFC 3339: 2026-11-22…")


_QUANTITY_SCHEMA = {
    "anyOf": [
        {"type": "string", "pattern": r"^\d{1,7}(\.\d{1,3}0*)?$"},
        {"type": "number", "minimum": 0, "maximum": 1_000_000, "multipleOf": 0.001},
    ],
    "examples": ["1.12"],
}

Code = Annotated[str, Field(min_length=1, max_length=64, pattern=_PRINTABLE)]
"""A short key of the shop's own: store, terminal, SKU, receipt number."""
Label = Annotated[str, Field(min_length=1, max_length=200, pattern=_PRINTABLE)]
Text = Annotated[str, Field(max_length=500, pattern=_NO_NUL)]
Amount = Annotated[int, Field(strict=True, ge=0, le=AMOUNT_MAX)]
"""Money in minor units; a decimal point is an error, not a rounding."""
# Not PlainValidator: with it each quantity would be serialised by a call back into Python.
Quantity = Annotated[int, BeforeValidator(_quantity), WithJsonSchema(_QUANTITY_SCHEMA)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["USD"]), AfterValidator(_currency)]
LineNo = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
RunningNumber = Annotated[int, Field(strict=True, ge=0, le=AMOUNT_MAX)]
Identifier = Annotated[str, Field(min_length=1, max_length=254)]
Instant = Annotated[
    AwareDatetime, Field(ge=_FIRST_INSTANT, lt=_LAST_INSTANT), BeforeValidator(_calendar)
]
BusinessDate = Annotated[
    date, Field(ge=date(2000, 1, 1), lt=date(2100, 1, 1)), BeforeValidator(_calendar)
]
