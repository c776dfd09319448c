"""Drawing all lots of a member anew, and posting what differs from what was posted."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from services.loyalty.domain import drawing, lots
from services.loyalty.domain.accounts import BREAKAGE, Leg, MemberState
from services.loyalty.domain.drawing import Drawing
from services.loyalty.domain.fold import Change
from services.loyalty.domain.lots import NEVER, Drawn, Lot
from services.loyalty.domain.passing import Passed, Passing, take_over
from services.loyalty.domain.postings import (
    Closing,
    Gift,
    Holdings,
    LotWrites,
    Move,
    SpendChange,
    post_change,
    post_gift,
    post_spend,
)
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.why import Why
from shared import ids


class Redraw:
    """A member whose lots are drawn anew, from all that there are and all that takes from them."""

    def __init__(
        self, member: MemberState, held: Holdings, as_of: datetime, programme: Programme
    ) -> None:
        self._member = member
        self._programme = programme
        self._wanted = {lot_id: lot for lot_id, (lot, _) in held.lots.items()}
        self._changes: list[Change] = []
        self._gifts: list[Gift] = []
        self._spends: list[SpendChange] = []
        self._posted = held.lots
        self._left_only = held.left_only
        self._taking = held.spends
        self._passed: list[Passed] = []
        merge = member.merge
        self._passing = Passing(member, merge, held) if merge else None
        if merge and merge.undone_at is None:
            # Whatever would happen to these lots later happens to them where they are now.
            self._as_of, self._merged = merge.merged_at, True
        else:
            # What can be spent already stays so, should our machines' clocks differ.
            begun = [lot.activates_at for lot, drawn in held.lots.values() if drawn.active]
            self._as_of, self._merged = max([as_of, *begun]), False
        self._visits = held.visits
        self._ends: Mapping[UUID, Lot] = {}

    def begin(self, lot: Lot) -> None:
        """Add a lot, or put another in its place."""
        self._wanted[lot.lot_id] = lot

    change = begin

    def drop(self, member_id: UUID, lot_id: UUID) -> None:
        """Take a lot away."""
        del member_id
        del self._wanted[lot_id]

    def post(self, change: Change) -> None:
        """Add a change of a receipt."""
        self._changes.append(change)

    def give(self, gift: Gift) -> None:
        """Add what is posted of a lot that is not for a receipt."""
        self._gifts.append(gift)

    def spend(self, spend: SpendChange) -> None:
        """Add what becomes of a hold."""
        self._spends.append(spend)
        self._taking[spend.after.spend_id] = spend.after

    def take_over(self, passed: Passed) -> None:
        """Add what another member, who was merged into this one, has passed on."""
        self._passed.append(passed)
        for lot, _ in passed.lots:
            if lot.points:
                self._wanted[lot.lot_id] = lot
            else:
                self._wanted.pop(lot.lot_id, None)
        if passed.debt is not None:
            self._taking[passed.debt.after.spend_id] = passed.debt.after

    def visit(self, receipt_id: UUID, at: datetime | None) -> None:
        """Let a receipt keep points alive that end by inactivity, or not any more."""
        self._visits.pop(receipt_id, None)
        if at is not None:
            self._visits[receipt_id] = at

    def close(self, closing: Closing) -> Passed | None:
        """Post all that differs, in an order that makes no debt on the way that can be avoided.

        Returns what passes to the member who took over, if there is one.
        """
        member, taking, passing = self._member, self._taking.values(), self._passing
        found = self._draw()
        passes_debt = 0
        if self._merged:
            passes_debt = found.owed
            found = found._replace(drawn=lots.pass_on(found.drawn), owed=0)
        drawn, self._ends = found.drawn, found.lots
        entries = closing.entries
        if passing:
            passing.draw(self._wanted, drawn, passes_debt)
            entries += passing.back()
        entries += self._ended(drawn, -1)
        entries += self._spent(more=False)
        entries += [
            post_change(member, one, active=self._is_active(one.receipt_id))
            for one in self._changes
        ]
        entries += [
            post_gift(member, one, active=self._is_active(one.lot.lot_id))
            for one in self._gifts
            if one.points
        ]
        for passed in self._passed:
            entries += take_over(member, passed, self._is_active)
            closing.spends += [passed.debt] if passed.debt else []
        entries += self._begun(drawn)
        entries += self._spent(more=True)
        entries += self._ended(drawn, 1)
        entries += self._borne(found.lost - member.lost)
        if passing:
            entries += passing.out()
        self._write_lots(drawn, closing.lots)
        if any(one.taken for one in taking) or any(one.expired for one in drawn.values()):
            # Never back: our machines' clocks differ, and what was taken was taken.
            times = [self._as_of, *(one.at for one in taking if one.taken)]
            member.drawn_at = max([*times, member.drawn_at or self._as_of])
        self._watch()
        _must_agree(member, found)
        return passing.passed() if passing else None

    def _draw(self) -> Drawing:
        spends, as_of = self._taking.values(), self._as_of
        if self._left_only:
            lost = self._member.lost
            return drawing.draw_left(self._posted, spends, as_of=as_of, lost=lost)
        wanted, visits = self._wanted.values(), self._visits.values()
        return drawing.draw(wanted, spends, visits, programme=self._programme, as_of=as_of)

    def _spent(self, *, more: bool) -> Iterator[Move]:
        """Post what takes more than before, or what does not."""
        for spend in self._spends:
            if _takes_more(spend) is more:
                move = post_spend(self._member, spend)
                if move.legs:  # A purchase that names what was captured already moves nothing.
                    yield move

    def _is_active(self, lot_id: UUID) -> bool:
        """Whether what is posted for a lot can be spent."""
        if lot_id in self._posted:
            return self._posted[lot_id][1].active
        # Without a lot, the batch itself has taken back what it gave.
        return lot_id not in self._wanted or self._wanted[lot_id].activates_at <= self._as_of

    def _ended(self, drawn: Mapping[UUID, Drawn], sign: int) -> Iterator[Move]:
        """Post what more of each lot has ended (``sign`` 1), or less (-1)."""
        for lot_id in {**self._posted, **drawn}:
            before = self._posted[lot_id][1].expired if lot_id in self._posted else 0
            after = drawn[lot_id].expired if lot_id in drawn else 0
            points = after - before
            if points * sign > 0:
                lot = self._ends.get(lot_id) or self._posted[lot_id][0]
                legs = (
                    self._member.take(BREAKAGE, points)
                    if points > 0
                    else self._member.give(BREAKAGE, -points)
                )
                yield self._of_lot(lot, "expiry", -points, legs)

    def _begun(self, drawn: Mapping[UUID, Drawn]) -> Iterator[Move]:
        """Post which lots can be spent now that could not, or the other way round."""
        for lot_id, now in drawn.items():
            if now.active == self._is_active(lot_id):
                continue
            lot = self._wanted[lot_id]
            legs = (
                self._member.activate(lot.points)
                if now.active
                else self._member.suspend(lot.points)
            )
            yield self._of_lot(lot, "activation", 0, legs)

    def _borne(self, points: int) -> Iterator[Move]:
        """Post what more the programme bears; negative where late points serve it after all."""
        if points:
            member_id = next(iter(self._taking.values())).member_id
            yield Move(
                member_id=member_id,
                cause_id=ids.derived_id(member_id, "loss", self._member.version),
                occurred_at=self._as_of,
                why="loss",
                about=member_id,
                points=points,
                legs=self._member.bear(points),
            )

    def _of_lot(self, lot: Lot, why: Why, points: int, legs: Sequence[Leg]) -> Move:
        at = (lot.expires_at if why == "expiry" else lot.activates_at) or self._as_of
        return Move(
            member_id=lot.member_id,
            cause_id=ids.derived_id(lot.lot_id, why, self._member.version),
            # What lies ahead again is taken back now.
            occurred_at=min(at, self._as_of),
            why=why,
            about=lot.lot_id,
            ends_at=lot.expires_at,
            points=points,
            legs=legs,
        )

    def _as_kept(self, lot: Lot) -> Lot:
        """Return a lot without an end that may still move."""
        open_ = lot.expires_at is not None and lot.expires_at > self._as_of
        return lot._replace(expires_at=None) if lot.inactive_months and open_ else lot

    def _watch(self) -> None:
        """Remember when the next lot ends by inactivity, if nothing more happens."""
        self._member.idle_at = None
        for lot in self._ends.values():
            if lot.inactive_months and lot.expires_at and self._as_of < lot.expires_at < NEVER:
                self._member.watch(lot.expires_at)

    def _write_lots(self, drawn: Mapping[UUID, Drawn], writes: LotWrites) -> None:
        for lot_id, now in drawn.items():
            lot = self._as_kept(self._ends[lot_id])
            if lot_id not in self._posted:
                writes.new.append((lot, now))
            elif self._posted[lot_id] != (lot, now):
                writes.changed.append((lot, now))
        for lot_id, (lot, _) in self._posted.items():
            if lot_id not in self._wanted:
                writes.gone.append((lot.member_id, lot_id))


def _takes_more(spend: SpendChange) -> bool:
    return spend.after.taken > (spend.before.taken if spend.before else 0)


def _must_agree(member: MemberState, found: Drawing) -> None:
    """Hold the accounts to the lots; ``AssertionError`` is a bug, and nothing is written."""
    available = sum(one.remaining for one in found.drawn.values() if one.active)
    pending = sum(one.remaining for one in found.drawn.values() if not one.active)
    wanted = available, pending, found.owed, found.lost
    if (member.available, member.pending, member.debt, member.lost) != wanted:
        message = f"accounts {member} do not agree with lots: {wanted}"
        raise AssertionError(message)
