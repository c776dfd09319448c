"""``POST /v1/programmes/{version}:backtest``: a draft against the receipts of the last weeks."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from services.loyalty.api.fields import Ctx
from services.loyalty.api.programmes import VersionName
from services.loyalty.domain.backtest import Difference
from services.loyalty.handlers import backtests
from services.loyalty.handlers.backtests import WEEKS_MAX, WITHIN_S
from shared import auth
from shared.http.app import DEADLINE_EXTENSION
from shared.http.models import Request

router = APIRouter(prefix="/v1/programmes", tags=["programmes"])

MARKETERS = Depends(auth.require("marketer", "admin"))


class BacktestInput(Request):
    """How far back to look."""

    weeks: Annotated[int, Field(strict=True, ge=1, le=WEEKS_MAX)]
    """Purchases are kept on their topic for four weeks, unless the operator keeps them longer."""


class DifferenceView(BaseModel):
    """What the receipts of one member earn."""

    member_id: UUID
    points_before: int
    points_after: int
    change: int


class SideView(BaseModel):
    """Members who gain, or who lose."""

    members: int
    largest: list[DifferenceView]
    """Ten at most."""


class ReachedView(BaseModel):
    """What a challenge of the version would give."""

    rule: str
    title: str
    members: int
    """Who would have reached it."""
    points: int
    """For all the times that they would; not in `points_after`."""


class BacktestView(BaseModel):
    """The receipts of some weeks by the rules of their day (before) and by the version (after)."""

    version: str
    since: datetime
    until: datetime
    events: int
    unreadable: int
    """Events that could not be parsed and were left out."""
    stopped_by: Literal["events", "time"] | None
    """Which bound ended it early; null where everything was read."""
    receipts: int
    members: int
    points_before: int
    points_after: int
    liability_difference_minor: int
    """Worth of the points that are issued more; negative for less."""
    winners: SideView
    losers: SideView
    waiting_receipts: int
    """Receipts that would wait for the staff to approve them, by the version."""
    waiting_points: int
    """What they are worth, before caps of a day or a month; in `points_after`, too."""
    challenges: list[ReachedView]
    """By the order of the version."""


@router.post(
    "/{version}:backtest",
    dependencies=[MARKETERS],
    openapi_extra={DEADLINE_EXTENSION: 1.5 * WITHIN_S},
)
async def backtest_programme(
    version: VersionName, body: BacktestInput, context: Ctx
) -> BacktestView:
    """Settle the receipts of the last weeks by a version, a draft also; nothing is written.

    Challenges are counted on these receipts alone, as if nothing had been bought before: too few
    runs of long periods, and too many of what is given but once. Birthdays and referrals are not.

    Rules that ask for a tier see the one that was announced before each sale, and birthdays are
    those of the profiles of today, for both.

    Reads the topic of purchases for 60 s or 500,000 events at most; `stopped_by` says so. One at
    a time in a process: 409 with Retry-After. 503 while Kafka is away.
    """
    report = await backtests.backtest(context, version, body.weeks)
    outcome = report.outcome
    return BacktestView(
        version=report.version,
        since=report.since,
        until=report.until,
        events=report.events,
        unreadable=report.unreadable,
        stopped_by=report.stopped_by,
        receipts=outcome.receipts,
        members=outcome.members,
        points_before=outcome.before,
        points_after=outcome.after,
        liability_difference_minor=report.liability_difference_minor,
        winners=_side(outcome.winners, outcome.largest_gains),
        losers=_side(outcome.losers, outcome.largest_losses),
        waiting_receipts=outcome.waiting,
        waiting_points=outcome.waiting_points,
        challenges=[
            ReachedView(
                rule=one.challenge.rule,
                title=one.challenge.title,
                members=one.members,
                points=one.points,
            )
            for one in outcome.challenges
        ],
    )


def _side(members: int, largest: Sequence[Difference]) -> SideView:
    shown = [
        DifferenceView(
            member_id=one.member_id,
            points_before=one.before,
            points_after=one.after,
            change=one.change,
        )
        for one in largest
    ]
    return SideView(members=members, largest=shown)
