"""What tiers ask for: the measure, the window in which it counts, how long one stays.

Receipts are summed by period: the calendar year, or the month where the window rolls. How high
the sums of a moment carry a member is a function of nothing but them and the period that it is.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Literal, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from services.loyalty.domain.terms import midnight

Measure = Literal["spend", "visits", "points"]
Downgrade = Literal["none", "one_step", "rederive"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
EVER = datetime.min.replace(tzinfo=UTC)


class Return(NamedTuple):
    """What came off a receipt at one time."""

    at: datetime
    minor: int
    """Of its qualifying amount."""
    points: int = 0
    """Of what it is worth without caps; 0 where the points stay."""


Returns = tuple[Return, ...]
"""By time."""


class Counting(Protocol):
    """What a receipt counts."""

    qualifying_minor: int
    """Net."""
    returns: Returns
    """What came off that since the sale."""
    year: int
    """The period in which it counts."""
    occurred_at: datetime | None
    """None where that is not known: it counts from the beginning of its period on."""
    sold_at: datetime | None
    """Where the till's clock was ahead: when we heard of it."""

    @property
    def base_worth(self) -> int:
        """What it is worth without caps to a member without a tier."""
        ...


@dataclass(frozen=True, slots=True)
class Tier:
    """A tier and what carries it: minor units, visits or points in one window."""

    name: str
    threshold: int


@dataclass(frozen=True, slots=True)
class TierPolicy:
    """How tiers are counted, and how they are lost."""

    measure: Measure = "spend"
    rolling_months: int | None = None
    """A receipt counts for so many months, to the end of the last; None: in its calendar year,
    and what that carries lasts to the end of the next."""
    downgrade: Downgrade = "rederive"
    """What the end of a period does to a tier that is not carried any more: nothing, one tier
    less (and one more with each year or window that follows), or down to what is carried."""
    notice_days: int = 0
    """The member is told so long before a tier falls; 0: not at all."""
    grace_days: int = 0
    """A tier that is not carried any more stays for so long."""


@dataclass(frozen=True)
class Ladder:
    """The tiers of a programme, by rising threshold; levels count them from 1, 0 is none."""

    tiers: tuple[Tier, ...]
    policy: TierPolicy
    zone: ZoneInfo

    thresholds: tuple[int, ...] = field(init=False, compare=False)
    by_visits: bool = field(init=False, compare=False)
    by_points: bool = field(init=False, compare=False)
    rolling: bool = field(init=False, compare=False)
    width: int = field(init=False, compare=False)
    """Periods whose sums count together."""
    kept: int = field(init=False, compare=False)
    """Further periods for which that carries a tier."""
    cycle: int = field(init=False, compare=False)
    """Periods between two steps down."""

    def __post_init__(self) -> None:
        """Look once what every receipt asks."""
        months = self.policy.rolling_months
        put = object.__setattr__
        put(self, "thresholds", tuple(tier.threshold for tier in self.tiers))
        put(self, "by_visits", self.policy.measure == "visits")
        put(self, "by_points", self.policy.measure == "points")
        put(self, "rolling", months is not None)
        # Of a rolling window: the month that it is, and as many before.
        put(self, "width", 1 if months is None else months + 1)
        put(self, "kept", 1 if months is None else 0)
        put(self, "cycle", 1 if months is None else months)

    @property
    def counted_by(self) -> str:
        """Return measure and period of all sums, such as ``spend by year``."""
        return f"{self.policy.measure} by {'month' if self.rolling else 'year'}"

    def name(self, level: int) -> str | None:
        """Return the tier's name."""
        return self.tiers[level - 1].name if level else None

    def level(self, amount: int) -> int:
        """Return what an amount in one window carries."""
        return bisect_right(self.thresholds, amount)

    def level_of(self, name: str | None) -> int:
        """Return the level of a tier; 0 for one that is not there any more."""
        return next((at for at, tier in enumerate(self.tiers, 1) if tier.name == name), 0)

    def period(self, day: date) -> int:
        """Return the period of a day: the year, or the months since the year 0."""
        return day.year * 12 + day.month - 1 if self.rolling else day.year

    def period_at(self, at: datetime) -> int:
        """Return the period of an instant."""
        return self.period(at.astimezone(self.zone).date())

    def first_day(self, period: int) -> date:
        """Return the day with which a period begins."""
        return date(period // 12, period % 12 + 1, 1) if self.rolling else date(period, 1, 1)

    def starts(self, period: int) -> datetime:
        """Return the instant, in UTC, with which a period begins."""
        return midnight(self.first_day(period), self.zone)

    def later(self, at: datetime, days: int) -> datetime:
        """Return the same time of day so many days later, where the programme lives."""
        return (at.astimezone(self.zone) + timedelta(days=days)).astimezone(UTC)

    def last_day(self, until: datetime) -> date:
        """Return the last day of which some part lies before an instant."""
        return (until - timedelta(microseconds=1)).astimezone(self.zone).date()

    def counted(self, fact: Counting) -> tuple[int, int]:
        """Return how much a receipt counts, and at most how much more before goods came back."""
        net = fact.qualifying_minor
        if self.by_visits:
            net = 1 if net else 0
        elif self.by_points:
            net = fact.base_worth
        return net, sum([max(0, one) for _, one in self.gone(fact)]) if fact.returns else 0

    def gone(self, fact: Counting) -> Sequence[tuple[datetime, int]]:
        """Return when a receipt began to count how much less; a visit ends as a whole."""
        if self.by_points:
            return [(one.at, one.points) for one in fact.returns if one.points]
        found = [(one.at, one.minor) for one in fact.returns if one.minor]
        if self.by_visits:
            return [(at, 1) for at, _ in found[-1:]] if not fact.qualifying_minor else []
        return found

    def window(self, sums: Mapping[int, int], end: int) -> int:
        """Return what counts together in the window that ends with a period."""
        if self.width == 1:
            return sums.get(end, 0)
        return sum([sums.get(end - back, 0) for back in range(self.width)])

    def carried(self, sums: Mapping[int, int], period: int) -> int:
        """Return the level that sums carry in a period; those of later periods do not count."""
        best = 0
        for end in self._ends(sums, period):
            lost = self._steps(period - end)
            if lost is not None:
                best = max(best, self.level(self.window(sums, end)) - lost)
        return best

    def first_relevant(self, period: int) -> int:
        """Return the first period whose sums can matter in ``period`` or later."""
        if self.policy.downgrade != "rederive":
            return 0
        return period - self.width + 1 - self.kept

    def horizon(self, newest: int) -> int:
        """Return a period after which nothing falls any more that was bought up to ``newest``."""
        steps = self.cycle * len(self.tiers) if self.policy.downgrade == "one_step" else 0
        return newest + self.width + self.kept + steps

    def _steps(self, age: int) -> int | None:
        """Return how many levels are lost so many periods after a window; None for all."""
        over = age - self.kept
        if over <= 0 or self.policy.downgrade == "none":
            return 0
        return None if self.policy.downgrade == "rederive" else -(-over // self.cycle)

    def _ends(self, sums: Mapping[int, int], period: int) -> Iterable[int]:
        """Return the ends of all windows that could carry most in a period.

        Of windows with the same sum the last is best, so one that ends before a sum comes in or
        goes out is enough.
        """
        if self.policy.downgrade == "rederive":
            return range(period - self.kept, period + 1)
        if not self.rolling:
            return [one for one in sums if one <= period]
        last = {end for one in sums for end in (one - 1, one + self.width - 1)}
        return [period, *(end for end in last if end < period)]


def merged(
    amounts: Iterable[tuple[datetime, int]], points: Iterable[tuple[datetime, int]] = ()
) -> Returns:
    """Return what came off by time, once for each."""
    at: dict[datetime, tuple[int, int]] = {}
    for time, amount in amounts:
        known = at.get(time.astimezone(UTC), (0, 0))
        at[time.astimezone(UTC)] = known[0] + amount, known[1]
    for time, number in points:
        known = at.get(time.astimezone(UTC), (0, 0))
        at[time.astimezone(UTC)] = known[0], known[1] + number
    return tuple(Return(time, *gone) for time, gone in sorted(at.items()) if any(gone))


def without_points(returns: Returns, since: datetime) -> Returns:
    """Return what came off, but no points at ``since`` or later: these stay, or never were."""
    left = [one if one.at < since else one._replace(points=0) for one in returns]
    return tuple(one for one in left if one.minor or one.points)


def write_returns(returns: Returns) -> str:
    """Return as JSON: microseconds since 1970, an amount and points of each."""
    items = [f"[{(one.at - _EPOCH) // _MICROSECOND},{one.minor},{one.points}]" for one in returns]
    return f"[{','.join(items)}]"


def read_returns(items: Iterable[Sequence[int]]) -> Returns:
    """Return what ``write_returns`` wrote, read from its JSON; once it wrote no points."""
    return tuple(Return(_EPOCH + at * _MICROSECOND, *gone) for at, *gone in items)
