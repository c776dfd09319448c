"""A member's accounts, and what can move between them and the programme's.

Points are available, pending (earned, and not yet to be spent) or held for a till; what a return
or a late correction could not take back is a debt, which the next points repay. Points are never
available while there is a debt.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.loyalty.domain.merges import Merge

AVAILABLE = "available"
"""Points that can be spent."""
PENDING = "pending"
"""Points that will be available at the time that their lot says."""
HELD = "held"
"""Points that are reserved for a till."""
DEBT = "debt"
"""Points that the member owes; the only account below zero."""

OWN = frozenset({AVAILABLE, PENDING, DEBT})
"""What belongs to a member and is not promised to a till."""
OUTSTANDING = OWN | {HELD}
"""All accounts of a member: their sum is what the programme owes."""

ISSUED = "issued"
"""The programme's account: what it gave out for receipts, as a negative sum."""
OPENING = "opening"
"""The programme's account beside it: what it took over from another system."""
REDEEMED = "redeemed"
"""The programme's account: what members spent."""
BREAKAGE = "breakage"
"""The programme's account: what ended unspent."""
LOSS = "loss"
"""The programme's account: what members took and no points of theirs served, if it bears that."""
ADJUSTED = "adjusted"
"""The programme's account: what was corrected by hand."""
MERGED = "merged"
"""The programme's account between two members who became one: what it got it gave, so its sum is 0
over each cause."""


class Leg(NamedTuple):
    """Points that moved from one account to another, and the member's ledger right after."""

    from_account: str
    to_account: str
    points: int
    """Positive."""
    version: int
    available_after: int


def gain(from_account: str, to_account: str, points: int) -> int:
    """Return what a movement gives to a member, held points not counted; negative if it takes."""
    return points * ((to_account in OWN) - (from_account in OWN))


@dataclass(slots=True)
class MemberState:
    """A member's accounts, and what counts for the tier."""

    available: int
    version: int
    last_event_at: datetime
    spend: dict[int, int]
    """By period (see ``domain.ladder``): what counts, net."""
    tier: str | None
    """As it was last announced."""
    chain: bytes = b""
    """Hash of the last entry; empty before the first."""
    pending: int = 0
    held: int = 0
    debt: int = 0
    """Positive: what is owed."""
    drawn_at: datetime | None = None
    """The newest time at which points were drawn from lots: spent, held or expired."""
    tier_at: datetime | None = None
    """As of when it was announced; None for never."""
    tier_review_at: datetime | None = None
    """When the clock alone may change it."""
    lost: int = 0
    """Positive: what the programme bears of what the member took; never repaid."""
    idle_at: datetime | None = None
    """Before that no lot ends by inactivity; None where there is none that could."""
    returned: dict[int, int] = field(default_factory=dict[int, int])
    """By period: what counted until it came back; only where something did."""
    counted: dict[int, tuple[int, int]] = field(default_factory=dict[int, tuple[int, int]])
    """By how much ``spend`` and ``returned`` of a period have changed since they were read."""
    merge: Merge | None = None
    """What made another member take over; also while it is being undone."""

    def hear(self, at: datetime) -> None:
        """Remember that something counts which happened then."""
        self.last_event_at = max(self.last_event_at, at)

    def count(self, period: int, net: int, back: int) -> None:
        """Add to what counts in a period, and to what came back of it."""
        self.spend[period] = self.spend.get(period, 0) + net
        if back:
            self.returned[period] = self.returned.get(period, 0) + back
        net_before, back_before = self.counted.get(period, (0, 0))
        self.counted[period] = net_before + net, back_before + back

    def give(self, source: str, points: int) -> list[Leg]:
        """Move points from ``source``: to what is owed first, the rest to what is available."""
        repaid = min(self.debt, points)
        legs: list[Leg] = []
        if repaid:
            self.debt -= repaid
            legs.append(self._leg(source, DEBT, repaid))
        if points > repaid:
            self.available += points - repaid
            legs.append(self._leg(source, AVAILABLE, points - repaid))
        return legs

    def take(self, sink: str, points: int) -> list[Leg]:
        """Move points to ``sink``: what is available first, the rest becomes a debt."""
        there = min(self.available, points)
        legs: list[Leg] = []
        if there:
            self.available -= there
            legs.append(self._leg(AVAILABLE, sink, there))
        if points > there:
            self.debt += points - there
            legs.append(self._leg(DEBT, sink, points - there))
        return legs

    def defer(self, source: str, points: int) -> list[Leg]:
        """Move points from ``source`` to what is pending; negative moves them back."""
        self.pending += points
        if points < 0:
            return [self._leg(PENDING, source, -points)]
        return [self._leg(source, PENDING, points)] if points else []

    def activate(self, points: int) -> list[Leg]:
        """Move points from what is pending to where they can be spent."""
        self.pending -= points
        return self.give(PENDING, points)

    def suspend(self, points: int) -> list[Leg]:
        """Move points back to what is pending."""
        self.pending += points
        return self.take(PENDING, points)

    def hold(self, points: int) -> list[Leg]:
        """Reserve points; there must be as many available."""
        self.available -= points
        self.held += points
        return [self._leg(AVAILABLE, HELD, points)]

    def release(self, points: int) -> list[Leg]:
        """Give up the reservation of points."""
        self.held -= points
        return self.give(HELD, points)

    def watch(self, end: datetime) -> None:
        """Remember that a lot may end by inactivity then."""
        self.idle_at = end if self.idle_at is None else min(self.idle_at, end)

    def bear(self, points: int) -> list[Leg]:
        """Let the programme bear points that were taken; negative gives them back to it."""
        self.lost += points
        return self.give(LOSS, points) if points > 0 else self.take(LOSS, -points)

    def capture(self, points: int) -> list[Leg]:
        """Spend points that were held."""
        self.held -= points
        return [self._leg(HELD, REDEEMED, points)]

    def _leg(self, source: str, sink: str, points: int) -> Leg:
        self.version += 1
        return Leg(source, sink, points, self.version, self.available)


def credit(members: Mapping[UUID, MemberState], member_id: UUID, sign: int) -> None:
    """Count what a member counts for whoever took over from them, or (-1) no longer."""
    member = members[member_id]
    for heir_id in line(members, member_id)[1:]:
        members[heir_id].hear(member.last_event_at)
        if member.merge is not None:
            members[heir_id].hear(member.merge.merged_at)
        for period in {*member.spend, *member.returned}:
            net, back = member.spend.get(period, 0), member.returned.get(period, 0)
            members[heir_id].count(period, sign * net, sign * back)


def line(members: Mapping[UUID, MemberState], member_id: UUID) -> list[UUID]:
    """Return a member, whoever took over from them, and so on to the one who is left."""
    found = [member_id]
    while (member := members.get(found[-1])) is not None and member.merge is not None:
        found.append(member.merge.into_id)
    return found
