"""What a member, a till or an app is shown of where they stand."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from services.loyalty.domain import tier_reviews
from services.loyalty.domain.ladder import Counting, Ladder, Measure
from services.loyalty.domain.tier_reviews import ToStay
from services.loyalty.domain.tiers import Standing


@dataclass(frozen=True, slots=True)
class ToNext:
    """What the next tier still asks in the window that ends now."""

    tier: str
    missing: int
    last_day: date
    """On which the window is still the same one."""


@dataclass(frozen=True, slots=True)
class TierView:
    """A tier with its past, its end, and what changes that."""

    name: str | None
    since: datetime | None
    measure: Measure
    to_next: ToNext | None
    to_stay: ToStay | None
    falls_at: datetime | None
    """When it is lost that is not carried any more; None where it is carried."""
    falls_to: str | None
    projected: str | None
    """The tier after the end of the period if nothing more happens."""
    projected_at: datetime
    this_year_minor: int
    """Net spend that counts, of the calendar year."""
    previous_year_minor: int


def view(
    ladder: Ladder, found: Standing, receipts: Iterable[Counting], as_of: datetime
) -> TierView:
    """Return what is shown of a member's standing at ``as_of``."""
    sums: dict[int, int] = {}
    by_year: dict[int, int] = {}
    for one in receipts:
        net, _ = ladder.counted(one)
        sums[one.year] = sums.get(one.year, 0) + net
        year = ladder.first_day(one.year).year
        by_year[year] = by_year.get(year, 0) + one.qualifying_minor
    period = ladder.period_at(as_of)
    end = ladder.starts(period + 1)
    next_level = found.level + 1
    to_next = None
    if next_level <= len(ladder.tiers):
        missing = ladder.thresholds[next_level - 1] - ladder.window(sums, period)
        to_next = ToNext(ladder.tiers[next_level - 1].name, missing, ladder.last_day(end))
    after = ladder.carried(sums, period + 1)
    this_year = ladder.first_day(period).year
    return TierView(
        name=ladder.name(found.level),
        since=found.since if found.level else None,
        measure=ladder.policy.measure,
        to_next=to_next,
        to_stay=tier_reviews.to_stay(ladder, sums, found, as_of),
        falls_at=found.falls_at if found.in_grace else None,
        falls_to=ladder.name(found.falls_to) if found.in_grace else None,
        projected=ladder.name(after),
        projected_at=ladder.later(end, ladder.policy.grace_days) if after < found.level else end,
        this_year_minor=by_year.get(this_year, 0),
        previous_year_minor=by_year.get(this_year - 1, 0),
    )
