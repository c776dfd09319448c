"""Types of request fields, with their limits; Postgres can store whatever passes these."""

from decimal import Decimal
from typing import Annotated

from fastapi import Depends, Path, Request
from pydantic import Field

from services.offers.context import OffersContext
from shared.http import get_context

AMOUNT_MAX = 2**53 - 1

Code = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""A short key of the shop's own: store, terminal, SKU."""
Label = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Text = Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$")]
Amount = Annotated[int, Field(strict=True, ge=0, le=AMOUNT_MAX)]
"""Money in minor units; a decimal point is an error, not a rounding."""
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["USD"])]
Quantity = Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=3, examples=["1.12"])]
CampaignCode = Annotated[
    str, Path(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", examples=["weekly-favourites"])
]


async def _context(request: Request) -> OffersContext:
    context = get_context(request)
    assert isinstance(context, OffersContext)  # app.open_context makes it
    return context


Ctx = Annotated[OffersContext, Depends(_context)]
