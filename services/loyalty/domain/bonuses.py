"""Bonus rules: what some receipts or lines earn on top of the base rate, and which of them add up.

A rule says when it applies by plain predicates, all of which must hold, and by a condition. Those
on ``skus`` and ``categories`` choose lines: one that is named by either counts.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from services.loyalty.domain.conditions import Condition

Stacking = Literal["add", "best_of", "exclusive"]
BirthdaySpan = Literal["day", "month"]
BIRTHDAYS: Mapping[BirthdaySpan, int] = {"day": 1, "month": 2}
"""What a receipt keeps of whether it was one: these bits, so 3 on the day itself."""
PERCENT = 100
"""Rates are kept in hundredths of a point per currency unit, so that 1.25 × the base is whole."""


@dataclass(frozen=True, slots=True)
class Hours:
    """From one minute of the day up to another, which may lie past midnight."""

    start: int
    end: int

    def contains(self, minute: int) -> bool:
        """Whether ``minute`` of a day, counted from midnight, is inside."""
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end

    def __str__(self) -> str:
        return f"{clock(self.start)} to {clock(self.end)}"


def clock(minute: int) -> str:
    """Return a minute of the day as on a clock."""
    return f"{minute // 60:02}:{minute % 60:02}"


@dataclass(frozen=True, slots=True)
class Bonus:
    """One rule; exactly one of the three ways to earn is set.

    Empty predicates hold for everything. Weekdays count from 1, Monday, to 7.
    """

    rule: str
    title: str
    points_per_unit: int = 0
    """Added to the base rate of a line."""
    multiplier_percent: int = PERCENT
    """Times the base rate of a line: 200 doubles it."""
    points_per_receipt: int = 0
    """Once for a receipt with at least one line that counts."""
    skus: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    stores: frozenset[str] = frozenset()
    weekdays: frozenset[int] = frozenset()
    hours: Hours | None = None
    sales_channels: frozenset[str] = frozenset()
    identified_by: frozenset[str] = frozenset()
    tiers: frozenset[str] = frozenset()
    """Of the member just before the sale."""
    birthday: BirthdaySpan | None = None
    """Of the member: the sale is on that day, or in that month."""
    minimum_spend_minor: int = 0
    """Of the receipt, without what is excluded."""
    minimum_quantity_milli: int = 0
    """Of the lines that count."""
    when: Condition | None = None
    stacking: Stacking = "add"
    priority: int = 0

    @property
    def of_receipt(self) -> bool:
        """Whether it is earned once for the receipt, and not by its lines."""
        return self.points_per_receipt > 0

    @property
    def timed(self) -> bool:
        """Whether a till's clock decides whether it applies."""
        by_calendar = self.weekdays or self.hours or self.birthday
        return bool(by_calendar or (self.when and self.when.timed))

    @property
    def tiered(self) -> bool:
        """Whether it asks for the member's tier."""
        return bool(self.tiers or (self.when and self.when.tiered))

    @property
    def deferred(self) -> bool:
        """Whether more than a look-up decides whether it applies."""
        return bool(self.when or self.minimum_spend_minor or self.minimum_quantity_milli)

    def falls_on(self, weekday: int, minute: int) -> bool:
        """Whether its weekdays and hours hold then."""
        return (not self.weekdays or weekday in self.weekdays) and (
            self.hours is None or self.hours.contains(minute)
        )

    def names(self, sku: str, category: str | None) -> bool:
        """Whether a line counts for it."""
        if not (self.skus or self.categories):
            return True
        return sku in self.skus or category in self.categories

    def adds(self, base_per_unit: int) -> int:
        """Return what it adds to the rate of a line, in hundredths of a point per unit."""
        added = self.points_per_unit * PERCENT
        return added + base_per_unit * (self.multiplier_percent - PERCENT)


def stack(bonuses: Sequence[Bonus], gain: Callable[[Bonus], int]) -> list[Bonus]:
    """Return which of the rules that apply to one line, or to one receipt, are given.

    An exclusive one stands alone, of several that of the highest priority. Otherwise all that add
    are given, and of those that are the best of their kind the one with the highest ``gain``, then
    priority. What is equal in both goes to the one that the document has first.
    """
    exclusive = [one for one in bonuses if one.stacking == "exclusive"]
    if exclusive:
        return [max(exclusive, key=lambda one: one.priority)]
    rivals = [one for one in bonuses if one.stacking == "best_of"]
    best = max(rivals, key=lambda one: (gain(one), one.priority), default=None)
    return [one for one in bonuses if one.stacking == "add" or one is best]


def bits(chosen: Iterable[int]) -> int:
    """Return a set of small numbers as one."""
    mask = 0
    for one in chosen:
        mask |= 1 << one
    return mask
