"""Lots, and what was drawn from them: a pure function of lots and spends in the order of time.

A lot is points earned together, with one beginning and one end. A spend takes the points that end
first, of those that can be spent at its time; and before those that live as long as the member
comes, which it prolongs, those with a day on which they end. What no lot can serve is owed, and
taken from the next lot that begins; or it is lost, and no later lot pays for it. Nothing else
decides: neither the order in which facts arrived nor what was drawn from which lot before, so a
spend that is undone gives its points back with their old end.
"""

import heapq
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""Not the last instant that there is: the driver writes that as ``infinity``, which it reads
without a zone, and such a time compares with no other."""


class Lot(NamedTuple):
    """Points earned together, with one end; a receipt's lot has the receipt's id."""

    member_id: UUID
    lot_id: UUID
    points: int
    activates_at: datetime
    expires_at: datetime | None
    """The first instant at which they are gone; None where they stay."""
    inactive_months: int | None = None
    """After how many months without activity they end; ``expires_at`` then follows from that."""


class Drawn(NamedTuple):
    """What has become of a lot."""

    active: bool
    """Whether it can be spent; if not, all of it is pending."""
    remaining: int
    expired: int
    """What ended unspent."""
    passed: int = 0
    """What is with the member who took over."""


class Take(NamedTuple):
    """Points that a member spends or reserves, at the time when that was granted."""

    at: datetime
    spend_id: UUID
    points: int
    forgiven: bool = False
    """Whether what no lot can serve is lost to the programme instead of owed."""


def whole(lot: Lot, *, active: bool) -> Drawn:
    """Return the state of a lot from which nothing was drawn."""
    return Drawn(active, lot.points, 0)


def pass_on(drawn: Mapping[UUID, Drawn]) -> dict[UUID, Drawn]:
    """Return lots whose member was merged: what they have left is with the one who took over."""
    return {
        lot_id: Drawn(one.active, 0, one.expired, passed=one.remaining)
        for lot_id, one in drawn.items()
    }


def draw(
    lots: Iterable[Lot], takes: Iterable[Take], as_of: datetime
) -> tuple[dict[UUID, Drawn], int, int]:
    """Return what has become of each lot at ``as_of``, and the points owed and lost by then.

    Points of a lot can be spent from its beginning until just before its end; at one instant
    lots begin first, of several what ends first. Ties are decided by id, so that the same facts
    always draw the same.
    """
    beginnings = sorted(lots, key=_beginning)
    drawn: dict[UUID, Drawn] = {}
    open_lots = _Open()
    at = 0
    for take in sorted(takes, key=lambda take: (take.at, take.spend_id.int)):
        while at < len(beginnings) and beginnings[at].activates_at <= take.at:
            open_lots.begin(beginnings[at], drawn)
            at += 1
        open_lots.serve(take, drawn)
    while at < len(beginnings) and beginnings[at].activates_at <= as_of:
        open_lots.begin(beginnings[at], drawn)
        at += 1
    open_lots.end(as_of, drawn)
    drawn.update((lot.lot_id, whole(lot, active=False)) for lot in beginnings[at:])
    return drawn, open_lots.owed, open_lots.lost


def _beginning(lot: Lot) -> tuple[datetime, datetime, int]:
    """Return what lots begin in the order of: all that pass by a merge may begin with it."""
    end = lot.expires_at if _is_dated(lot) else None
    return lot.activates_at, end or NEVER, lot.lot_id.int


def _is_dated(lot: Lot) -> bool:
    """Whether a lot ends on a day that nothing moves, what the member does later included."""
    return lot.expires_at is not None and lot.inactive_months is None


class _Open:
    """The lots that have something left, the next to end first."""

    def __init__(self) -> None:
        self.owed = self.lost = 0
        self._dated: list[tuple[datetime, datetime, int, UUID]] = []
        self._others: list[tuple[datetime, datetime, int, UUID]] = []
        # Which queue a lot is in must not depend on what the member does later.
        self._queues = self._dated, self._others

    def begin(self, lot: Lot, drawn: dict[UUID, Drawn]) -> None:
        # What ended before could not repay anything any more.
        self.end(lot.activates_at, drawn)
        repaid = min(self.owed, lot.points)
        self.owed -= repaid
        drawn[lot.lot_id] = Drawn(active=True, remaining=lot.points - repaid, expired=0)
        if lot.points > repaid:
            end = lot.expires_at or NEVER
            queue = self._dated if _is_dated(lot) else self._others
            heapq.heappush(queue, (end, lot.activates_at, lot.lot_id.int, lot.lot_id))

    def serve(self, take: Take, drawn: dict[UUID, Drawn]) -> None:
        self.end(take.at, drawn)
        wanted = take.points
        while wanted and (queue := self._dated or self._others):
            lot_id = queue[0][-1]
            left = drawn[lot_id].remaining
            taken = min(left, wanted)
            drawn[lot_id] = Drawn(active=True, remaining=left - taken, expired=0)
            wanted -= taken
            if taken == left:
                heapq.heappop(queue)
        if take.forgiven:
            self.lost += wanted
        else:
            self.owed += wanted

    def end(self, at: datetime, drawn: dict[UUID, Drawn]) -> None:
        for queue in self._queues:
            while queue and queue[0][0] <= at:
                lot_id = heapq.heappop(queue)[-1]
                drawn[lot_id] = Drawn(active=True, remaining=0, expired=drawn[lot_id].remaining)
