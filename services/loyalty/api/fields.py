"""Types of request fields, with their limits; Postgres can store whatever passes these."""

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import Depends, Request
from pydantic import AfterValidator, Field

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


Ctx = Annotated[LoyaltyContext, Depends(_context)]

Code = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""A short key of the shop's own: store, external id, wording."""
IdentifierValue = Annotated[str, Field(min_length=1, max_length=254, pattern=r"^[^\x00]+$")]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Locale = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}$")]
Zone = Annotated[str, Field(max_length=64), AfterValidator(_zone)]
