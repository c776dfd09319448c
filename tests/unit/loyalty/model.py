"""What two members have, point by point, from nothing but a list of facts.

The definition that the books are held to by ``test_model``: slow, and short enough to be read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.loyalty.domain.spending import CLOCK
from shared.contracts.purchases import Receipt


@dataclass
class Point:
    """One point."""

    begins: datetime
    ends: datetime
    spent: bool = False

    def can_be_spent(self, at: datetime) -> bool:
        return self.begins <= at < self.ends and not self.spent


class Worth(NamedTuple):
    """Points that a receipt is worth, or that were given by hand."""

    owner: UUID
    begins: datetime
    ends: datetime
    points: int


@dataclass
class Taken:
    """A hold, or points that were taken by hand."""

    owner: UUID
    at: datetime
    until: datetime
    """When the hold runs out, or was released: a sale up to then captures it."""
    points: int
    takes: int
    captured: int | None = None
    is_open: bool = True


class Model:
    """Facts, and what they amount to."""

    def __init__(self, forgiving: datetime) -> None:
        self.forgiving = forgiving
        """From when on what lacks of what is taken is not owed."""
        self.worth: dict[UUID, Worth] = {}
        self.taken: dict[UUID, Taken] = {}
        self.heard: dict[UUID, int] = {}
        """Receipt → its newest revision that arrived."""
        self.merged: Mapping[UUID, tuple[UUID, datetime]] = {}
        """Who was merged → from whom their points come, and since when: at most one."""

    def has(self, member: UUID, now: datetime) -> tuple[int, int, int]:
        """Return what is available, held and owed."""
        mine = [one for one in self.taken.values() if one.owner == member and one.is_open]
        held = sum(one.takes for one in mine)
        if any(source == member for source, _ in self.merged.values()):
            return 0, held, 0
        points, owed = self.draw(member, now)
        return sum(one.can_be_spent(now) for one in points), held, owed

    def draw(self, member: UUID, now: datetime) -> tuple[list[Point], int]:
        """Return all points of a member, with those that are spent marked, and how many lack."""
        mine = [one for one in self.worth.values() if one.owner == member]
        points = [Point(one.begins, one.ends) for one in mine for _ in range(one.points)]
        takes = [one for one in self.taken.values() if one.owner == member]
        # When, and whether what lacks of it is owed.
        wanted = [(one.at, one.at < self.forgiving) for one in takes for _ in range(one.takes)]
        if member in self.merged:
            source, since = self.merged[member]
            left, lacking = self.draw(source, since)
            passed = [one for one in left if not one.spent and one.ends > since]
            points += [Point(max(one.begins, since), one.ends) for one in passed]
            wanted += [(since, True)] * lacking  # a debt stays one, whoever has it
        owed: list[tuple[datetime, bool]] = []
        for moment in sorted({when for when, _ in wanted} | {point.begins for point in points}):
            if moment > now:
                break
            owed += [one for one in wanted if one[0] == moment]
            usable = [one for one in points if one.can_be_spent(moment)]
            usable.sort(key=lambda point: (point.ends, point.begins))
            for point in usable[: len(owed)]:
                point.spent = True
            del owed[: len(usable)]
            owed = [(when, stays) for when, stays in owed if stays]
        return points, len(owed)

    def hear(self, receipt: Receipt, worth: Worth) -> None:
        """Take in a revision, unless a newer one has arrived."""
        if receipt.revision <= self.heard.get(receipt.receipt_id, 0):
            return
        self.heard[receipt.receipt_id] = receipt.revision
        self.worth[receipt.receipt_id] = worth
        for hold in (self.taken[key] for key in receipt.hold_ids):
            in_time = hold.at - CLOCK <= receipt.occurred_at <= hold.until
            if hold.captured is None and (hold.is_open or in_time):
                hold.captured, hold.is_open = hold.points, False
            if hold.captured is not None:
                back = receipt.sold_total_minor - receipt.total_minor
                hold.takes = hold.captured - hold.captured * back // receipt.sold_total_minor

    def close(self, key: UUID, points: int, now: datetime) -> None:
        """End an open hold, of which so many points are spent."""
        hold = self.taken[key]
        hold.takes, hold.captured, hold.is_open = points, points or None, False
        hold.until = min(hold.until, now)

    def expire(self, now: datetime) -> None:
        """Let holds run out."""
        for key, hold in self.taken.items():
            if hold.is_open and hold.until <= now:
                self.close(key, 0, now)
