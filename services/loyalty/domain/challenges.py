"""Challenges: so much in each of so many periods in a row; pure functions of what counts.

A receipt at its net state counts by the rules of its day. A period is reached at the sale with
which its receipts, in the order of their times, come to the goal: a late sale may bring that
forward, and goods that come back may undo it. What a challenge earns follows from that alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, NamedTuple
from uuid import UUID

from services.loyalty.domain.lookups import Lookups
from services.loyalty.domain.periods import Per
from services.loyalty.domain.receipts import Line, Receipt

Count = Literal["visits", "spend_minor", "quantity_milli"]


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge. Empty predicates hold for everything; a line counts that one of them names."""

    rule: str
    title: str
    points: int
    count: Count
    """Visits are days on which something was bought: three receipts of one day are one."""
    goal: int
    """How much of it in each period."""
    per: Per
    periods: int = 1
    """In so many, one behind the other."""
    once: bool = False
    """Whether it is earned but once, and not again with each further run of periods."""
    skus: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    stores: frozenset[str] = frozenset()
    sales_channels: frozenset[str] = frozenset()
    minimum_spend_minor: int = 0
    """Of a receipt's lines that count, lest it does not."""

    @property
    def shape(self) -> tuple[object, ...]:
        """Return what versions may not change, lest sums of before and after do not fit."""
        return (self.count, self.goal, self.per, self.periods, self.once)

    def counted(self, receipt: Receipt, lookups: Lookups) -> int:
        """Return what a receipt adds at its net state."""
        if receipt.clock_suspect:
            return 0  # Nobody knows in which period.
        if self.stores and receipt.store_id not in self.stores:
            return 0
        if self.sales_channels and receipt.sales_channel not in self.sales_channels:
            return 0
        lines = [line for line in lookups.earning(receipt.lines) if self._names(line)]
        spent = sum([line.amount_minor for line in lines])
        if not lines or spent < self.minimum_spend_minor:
            return 0
        if self.count == "visits":
            return 1
        return spent if self.count == "spend_minor" else sum(line.quantity_milli for line in lines)

    def _names(self, line: Line) -> bool:
        if not (self.skus or self.categories):
            return True
        return line.sku in self.skus or line.category in self.categories


def reshaped(known: Mapping[str, Challenge], new: Iterable[Challenge]) -> list[str]:
    """Return which challenges keep their name and yet count something else than before."""
    return [one.rule for one in new if known.get(one.rule, one).shape != one.shape]


def count(challenges: Sequence[Challenge], receipt: Receipt, lookups: Lookups) -> tuple[int, ...]:
    """Return what a receipt adds to each challenge; empty where it adds to none."""
    counts = tuple([one.counted(receipt, lookups) for one in challenges])
    return counts if any(counts) else ()


@dataclass(slots=True)
class Counter:
    """What counts in one period of one member."""

    value: int = 0
    """The sum over receipts."""
    reached_at: datetime | None = None
    """The sale that reached the goal."""
    begins_at: datetime | None = None
    """From when on points can be spent that are given for it: those of that sale."""


class Part(NamedTuple):
    """What one receipt adds to a period."""

    occurred_at: datetime
    receipt_id: UUID
    day: date
    begins_at: datetime
    value: int


def reach(challenge: Challenge, counter: Counter, parts: Iterable[Part]) -> None:
    """Find anew which of a period's receipts reached the goal."""
    counter.reached_at = counter.begins_at = None
    so_far = 0
    days: set[date] = set()
    for part in sorted(parts, key=lambda one: (one.occurred_at, one.receipt_id.int)):
        if challenge.count == "visits":
            days.add(part.day)
            so_far = len(days)
        else:
            so_far += part.value
        if so_far >= challenge.goal:
            counter.reached_at, counter.begins_at = part.occurred_at, part.begins_at
            return


def amount(challenge: Challenge, parts: Iterable[Part]) -> int:
    """Return how far a period has come."""
    if challenge.count == "visits":
        return len({part.day for part in parts})
    return sum(part.value for part in parts)


def with_parts(
    challenge: Challenge, counters: Mapping[int, Counter], period: int, parts: Sequence[Part]
) -> dict[int, Counter]:
    """Return a member's periods with one of them as these receipts make it."""
    counter = Counter(amount(challenge, parts))
    reach(challenge, counter, parts)
    return {**counters, period: counter}


def runs(challenge: Challenge, counters: Mapping[int, Counter]) -> list[int]:
    """Return the periods that complete a run, the earliest first.

    Runs do not overlap: of four quarters in a row, two and two are two runs.
    """
    complete: list[int] = []
    length, previous = 0, None
    for period in sorted(key for key, one in counters.items() if one.reached_at is not None):
        length = length + 1 if previous is not None and period == previous + 1 else 1
        previous = period
        if length % challenge.periods == 0:
            complete.append(period)
    return complete[:1] if challenge.once else complete


def streak(challenge: Challenge, counters: Mapping[int, Counter], period: int) -> int:
    """Return how many periods of the run that ``period`` belongs to, or may yet, are reached."""
    reached = {key for key, one in counters.items() if one.reached_at is not None}
    last = period if period in reached else period - 1
    length = 0
    while last - length in reached:
        length += 1
    if length and length % challenge.periods == 0:
        return challenge.periods if period in reached else 0
    return length % challenge.periods
