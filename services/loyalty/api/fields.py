"""Types of request fields, with their limits; Postgres can store whatever passes these."""

from datetime import UTC, date, datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import Depends, Request
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from services.loyalty.context import LoyaltyContext
from shared.http import get_context


async def _context(request: Request) -> LoyaltyContext:
    context = get_context(request)
    assert isinstance(context, LoyaltyContext)  # app.open_context makes it
    return context


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("must be an IANA time zone") from error
    return name


def _written(value: object) -> object:
    """Let only written dates and times through: pydantic would take 1700000000 for one too."""
    if isinstance(value, str) and value[4:5] == "-":
        return value
    raise PydanticCustomError("calendar", "must be written as in RFC 3339: 2026-11-22…")


Ctx = Annotated[LoyaltyContext, Depends(_context)]

Code = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""A short key of the shop's own: store, external id, wording."""
IdentifierValue = Annotated[str, Field(min_length=1, max_length=254, pattern=r"^[^\x00]+$")]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Locale = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}$")]
Zone = Annotated[str, Field(max_length=64), AfterValidator(_zone)]

Money = Annotated[int, Field(strict=True, ge=1, le=2**53 - 1, examples=[2_500])]
"""An amount in minor units; a decimal point is an error, not a rounding."""
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["USD"])]
Instant = Annotated[
    AwareDatetime,
    Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC)),
    BeforeValidator(_written),
]
Day = Annotated[date, Field(ge=date(2000, 1, 1), lt=date(2200, 1, 1)), BeforeValidator(_written)]
