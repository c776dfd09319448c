"""What the programme owes its members at the end of a day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain import liability
from services.loyalty.domain.liability import Balances, Day, Share
from services.loyalty.store import liability as store
from shared import log
from shared.db import Tx
from shared.errors import Malformed

FIRST_DAY = date(1990, 1, 1)
SETTLES = timedelta(minutes=1)
"""An entry counts from when its transaction began; none of ours takes nearly as long to commit."""

logger = log.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Breakage:
    """What history says of what will end unspent."""

    ended_lots: int
    share: Share | None
    """None where too few lots have ended to say."""
    expected: tuple[int, int, int] | None
    """Points of the lots that are open now: by the share, its low and its high."""


@dataclass(frozen=True, slots=True)
class Report:
    """The books of one day."""

    date: date
    final: bool
    """Whether the day is over, and nothing more can be posted on it."""
    day: Day
    closes: bool
    ages: Sequence[int] | None
    """Points left in lots by ``liability.AGES_DAYS``; None for a day that is past."""
    breakage: Breakage


async def report(tx: Tx, day: date | None, context: LoyaltyContext) -> Report:
    """Return the books of a day of the programme's time zone; without one, of today.

    Costs one pass over the accounts and over the entries posted since that day, and one over the
    lots. ``tx`` must be fresh. Raises ``Malformed`` for a day that is not there yet.
    """
    now, zone = context.clock.now(), context.programme.time_zone
    today = now.astimezone(zone).date()
    day = day or today
    if not FIRST_DAY <= day <= today:
        message = f"must be from {FIRST_DAY} up to {today}"
        raise Malformed(
            "invalid_request", f"date {message}", errors=[{"field": "date", "message": message}]
        )
    since, until = (
        datetime(one.year, one.month, one.day, tzinfo=zone).astimezone(UTC)
        for one in (day, day + timedelta(days=1))
    )
    await store.open_snapshot(tx)
    standing = await store.sum_accounts(tx)
    books = liability.close_day(standing, await store.sum_flows(tx, since, until))
    ages = await store.sum_ages(tx, now) if day == today else None
    closes = books.closes and (ages is None or await _lots_agree(tx, standing))
    if not closes:
        logger.critical("day_does_not_close", date=str(day), report=f"{books} {standing}")
    return Report(
        date=day,
        final=until + SETTLES <= now,
        day=books,
        closes=closes,
        ages=ages,
        breakage=await _breakage(tx, min(now, until), now, current=day == today),
    )


async def _lots_agree(tx: Tx, standing: Balances) -> bool:
    lots = await store.sum_lots(tx)
    return (lots.available, lots.pending, lots.held) == (
        standing.available,
        standing.pending,
        standing.held,
    )


async def _breakage(tx: Tx, until: datetime, now: datetime, *, current: bool) -> Breakage:
    history = await store.load_history(tx, until)
    share = liability.breakage(history)
    expected = await store.sum_expected(tx, share, now) if share and current else None
    return Breakage(history.lots, share, expected)
