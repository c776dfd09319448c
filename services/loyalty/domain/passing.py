"""What passes from the books of a merged member to those of the one who took over.

Each redraw of a merged member says anew what each lot has left to pass, and what is owed. The
difference to what had passed moves over the account ``merged``: both sides of it have one cause.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.loyalty.domain.accounts import MemberState
from services.loyalty.domain.lots import Drawn, Lot
from services.loyalty.domain.merges import Merge
from services.loyalty.domain.postings import Holdings, Move, SpendChange, post_passage
from services.loyalty.domain.spending import MERGE, Spend
from services.loyalty.domain.why import Why
from shared import ids

_NOTHING = Drawn(active=True, remaining=0, expired=0)


class Passage(NamedTuple):
    """A lot as the one who took over is to have it, and by how many points that is more."""

    lot: Lot
    points: int


class Passed(NamedTuple):
    """All that a merged member has passed on, for the one who took over to book."""

    template: Move
    """Without legs."""
    lots: list[Passage]
    debt: SpendChange | None
    """None where it is what it was."""

    @property
    def more_debt(self) -> int:
        """Return by how much the debt has grown."""
        if self.debt is None:
            return 0
        return self.debt.after.taken - (self.debt.before.taken if self.debt.before else 0)


class Passing:
    """One redraw of a member who was merged, or whose merge is being undone."""

    def __init__(self, member: MemberState, merge: Merge, held: Holdings) -> None:
        """Take the books as they are posted; ``draw`` brings what they are to be."""
        self._member = member
        self._merge = merge
        self._posted = held.lots
        self._debt = held.passed_debt
        self._lots: dict[UUID, tuple[Lot, Drawn]] = {}
        self._owed = 0
        self._template = Move(
            member_id=merge.member_id,
            cause_id=ids.derived_id(merge.merge_id, "passed", member.version),
            occurred_at=merge.undone_at or merge.merged_at,
            why="merged_away",
            about=merge.merge_id,
            points=0,
            legs=(),
            other_id=merge.into_id,
        )

    def draw(self, wanted: Mapping[UUID, Lot], drawn: Mapping[UUID, Drawn], owed: int) -> None:
        """Take what the lots are to be, and what of a debt is to pass."""
        self._lots = {lot_id: (wanted[lot_id], one) for lot_id, one in drawn.items()}
        self._owed = owed

    def back(self) -> Iterator[Move]:
        """Post what comes back, so that it can become something else."""
        for lot_id, (_, was) in self._posted.items():
            now = self._lots[lot_id][1] if lot_id in self._lots else _NOTHING
            points = was.passed - now.passed if was.active == now.active else was.passed
            yield from self._move(lot_id, max(0, points), pending=not was.active)

    def out(self) -> Iterator[Move]:
        """Post what goes; the debt so that what is left is never below zero."""
        yield from self._move(self._merge.merge_id, min(0, self._more_owed))
        for lot_id, (_, now) in self._lots.items():
            was = self._posted[lot_id][1] if lot_id in self._posted else _NOTHING
            points = now.passed - was.passed if was.active == now.active else now.passed
            yield from self._move(lot_id, -max(0, points), pending=not now.active)
        yield from self._move(self._merge.merge_id, max(0, self._more_owed))

    @property
    def _more_owed(self) -> int:
        return self._owed - (self._debt.taken if self._debt else 0)

    def _move(self, about: UUID, points: int, *, pending: bool = False) -> Iterator[Move]:
        if points:
            move = self._template._replace(about=about)
            yield post_passage(self._member, move, points, pending=pending)

    def passed(self) -> Passed:
        """Return all of it for the one who took over."""
        lots: list[Passage] = []
        for lot_id in {**self._posted, **self._lots}:
            lot, now = self._lots.get(lot_id) or (self._posted[lot_id][0], _NOTHING)
            was = self._posted[lot_id][1].passed if lot_id in self._posted else 0
            if was or now.passed:
                passed = self._merge.passed_lot(lot, now)
                lots.append(Passage(passed, now.passed - was))
        why: Why = "merged_in"
        other = self._template._replace(
            member_id=self._merge.into_id, other_id=self._merge.member_id, why=why
        )
        return Passed(other, lots, self._debt_change() if self._more_owed else None)

    def _debt_change(self) -> SpendChange:
        merge, owed = self._merge, self._owed
        points = max(owed, self._debt.points if self._debt else 0)
        after = Spend(
            spend_id=merge.merge_id,
            member_id=merge.into_id,
            points=points,
            taken=owed,
            captured=points,
            state="captured",
            at=merge.merged_at,
            expires_at=merge.merged_at,
            identified_by=MERGE,
            opened_by=merge.merged_by,
            closed_at=merge.merged_at,
        )
        return SpendChange(self._debt, after, self._template.cause_id, self._template.occurred_at)


def take_over(
    member: MemberState, passed: Passed, is_active: Callable[[UUID], bool]
) -> Iterator[Move]:
    """Post what came, what made it more before what made it less."""
    steps = [
        (one.points, one.lot.lot_id, one.lot.expires_at, not is_active(one.lot.lot_id))
        for one in passed.lots
    ]
    never: datetime | None = None
    steps.append((-passed.more_debt, passed.template.about, never, False))
    for points, about, ends_at, pending in sorted(steps, key=lambda step: -step[0]):
        if points:
            move = passed.template._replace(about=about, ends_at=ends_at)
            yield post_passage(member, move, points, pending=pending)
