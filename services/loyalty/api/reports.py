"""Reports of the ledger for the office."""

from collections.abc import Sequence
from datetime import date as Date  # noqa: N812  a field of its name would hide it
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from services.loyalty.api.fields import Ctx
from services.loyalty.domain.liability import (
    AGES_DAYS,
    CONFIDENCE,
    ENDED_LOTS_MIN,
    Balances,
    Kind,
)
from services.loyalty.domain.programme import Programme
from services.loyalty.handlers import liability
from shared import auth
from shared.http.app import DEADLINE_EXTENSION

router = APIRouter(prefix="/v1/reports", tags=["reports"])

OFFICE = Depends(auth.require("staff", "marketer", "admin"))
DEADLINE_S = 60.0
PAST = "Only known for today: lots are kept as they are now."
TOO_FEW = f"Fewer than {ENDED_LOTS_MIN} lots have ended."


class BalancesView(BaseModel):
    """What members have, all together, in points."""

    outstanding: int
    """What the programme owes: available, pending and held, less the debt."""
    available: int
    pending: int
    held: int
    debt: int


class Movement(BaseModel):
    """What one kind of movement added to the outstanding points; negative took from them."""

    kind: Kind
    points: int


class Age(BaseModel):
    """Points left in lots that began so many days ago."""

    from_days: int
    to_days: int | None
    """The first day that is not in it any more; null has no end."""
    points: int
    value_minor: int


class Expected(BaseModel):
    """Points of the lots that are open now which will end unspent."""

    points: int
    low_points: int
    high_points: int
    value_minor: int


class BreakageView(BaseModel):
    """What part of the points ends unspent, from the programme's own lots that have ended."""

    ended_lots: int
    """How many lots had ended by then."""
    share: float | None
    """Of the points in them, what ended unspent: from 0 to 1."""
    low: float | None
    high: float | None
    """The interval of `confidence` around it."""
    confidence: float
    expected: Expected | None
    missing: str | None
    """Why something of this is null."""


class LiabilityReport(BaseModel):
    """The books of one day, by the time of posting in the programme's time zone."""

    date: Date
    time_zone: str
    final: bool
    """Whether the day is over; until then its numbers grow."""
    currency: str
    outstanding_points: int
    """At the end of the day, or now."""
    value_minor: int
    """Their value in minor units, rounded down."""
    opening: BalancesView
    movements: list[Movement]
    closing: BalancesView
    closes: bool
    """Whether opening and movements make the closing, and today's lots and holds say the same as
    the accounts. If not, the books are wrong: look for `day_does_not_close` in the log."""
    by_age: list[Age] | None
    """What is available or pending, by the age of its lot; null for a day that is past."""
    by_age_missing: str | None
    breakage: BreakageView


@router.get("/liability", dependencies=[OFFICE], openapi_extra={DEADLINE_EXTENSION: DEADLINE_S})
async def get_liability(
    context: Ctx,
    date: Annotated[
        Date | None, Query(description="A day in the programme's time zone; without it, today.")
    ] = None,
) -> LiabilityReport:
    """Say what the programme owes its members at the end of a day, and how that came about.

    Takes longer the further back the day is: it reads what was posted since.
    """
    async with context.db.transaction() as tx:
        found = await liability.report(tx, date, context)
    return _shown(found, context.programme)


def _shown(found: liability.Report, programme: Programme) -> LiabilityReport:
    day = found.day
    return LiabilityReport(
        date=found.date,
        time_zone=programme.time_zone.key,
        final=found.final,
        currency=programme.currency,
        outstanding_points=day.closing.outstanding,
        value_minor=programme.value_minor(day.closing.outstanding),
        opening=_balances(day.opening),
        movements=[Movement(kind=kind, points=points) for kind, points in day.movements.items()],
        closing=_balances(day.closing),
        closes=found.closes,
        by_age=None if found.ages is None else _ages(found.ages, programme),
        by_age_missing=PAST if found.ages is None else None,
        breakage=_breakage(found.breakage, programme),
    )


def _balances(balances: Balances) -> BalancesView:
    return BalancesView.model_validate(balances, from_attributes=True)


def _ages(ages: Sequence[int], programme: Programme) -> list[Age]:
    return [
        Age(from_days=start, to_days=end, points=points, value_minor=programme.value_minor(points))
        for start, end, points in zip(AGES_DAYS, (*AGES_DAYS[1:], None), ages, strict=True)
    ]


def _breakage(found: liability.Breakage, programme: Programme) -> BreakageView:
    share, expected = found.share, None
    if found.expected is not None:
        points, low, high = found.expected
        value_minor = programme.value_minor(points)
        expected = Expected(
            points=points, low_points=low, high_points=high, value_minor=value_minor
        )
    return BreakageView(
        ended_lots=found.ended_lots,
        share=share.share if share else None,
        low=share.low if share else None,
        high=share.high if share else None,
        confidence=CONFIDENCE,
        expected=expected,
        missing=TOO_FEW if share is None else PAST if expected is None else None,
    )
