"""Closing a batch: what its changes and spends move between the accounts, and what lots become.

Most members of a batch have only ever earned: their accounts move by what their receipts changed,
and a lot is as large as its receipt is worth. Of whoever spent, or had points end, all lots are
drawn anew from all facts, and the difference to what was posted is posted; or those with something
left, where what is spent comes after all that was drawn (``drawing.is_last``).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.loyalty.domain import inactivity, lots, spending
from services.loyalty.domain.accounts import MemberState, line
from services.loyalty.domain.fold import Book, Change, ReceiptEvent
from services.loyalty.domain.lots import NEVER, Lot
from services.loyalty.domain.postings import (
    Closing,
    Gift,
    Holdings,
    SpendChange,
    post_change,
    post_gift,
    post_spend,
)
from services.loyalty.domain.redraw import Redraw
from services.loyalty.domain.spending import Spend


def name_holds(
    book: Book, events: Iterable[ReceiptEvent], holds: Mapping[UUID, Spend], now: datetime
) -> list[SpendChange]:
    """Return what purchases make of the holds that they name, or do not name any more.

    A revision that is older than what the book knows says nothing any more.
    """
    states = dict(holds)
    captured: dict[UUID | None, set[UUID]] = defaultdict(set)
    for hold in states.values():
        captured[hold.receipt_id].add(hold.spend_id)
    changes: list[SpendChange] = []
    for event in events:
        receipt = event.data
        known = book.receipts.get(receipt.receipt_id)
        if known is not None and receipt.revision < known.revision:
            continue
        voided = event.type == "purchase.voided.v1"
        named = [states[hold_id] for hold_id in receipt.hold_ids if hold_id in states]
        after = [spending.name(hold, receipt, now, voided=voided) for hold in named]
        after += [
            spending.unname(states[key], receipt.revision)
            for key in sorted(captured[receipt.receipt_id].difference(receipt.hold_ids))
        ]
        for hold in after:
            before = states[hold.spend_id]
            if hold is not before:
                states[hold.spend_id] = hold
                captured[hold.receipt_id].add(hold.spend_id)
                changes.append(SpendChange(before, hold, event.id, event.time))
    return changes


@dataclass(slots=True)
class LotChanges:
    """What a batch makes of the lots of its receipts."""

    new: list[Lot] = field(default_factory=list[Lot])
    changed: list[Lot] = field(default_factory=list[Lot])
    gone: list[tuple[UUID, UUID]] = field(default_factory=list[tuple[UUID, UUID]])
    """(member_id, lot_id)"""


def lot_changes(book: Book) -> LotChanges:
    """Compare receipts as loaded with receipts as folded: one lot for each that is worth points."""
    changes = LotChanges()
    for receipt_id, now in book.receipts.items():
        was = book.loaded.get(receipt_id)
        if was is now:
            continue
        had = was.member_id if was is not None and was.posted else None
        has = now.member_id if now.posted else None
        if had is not None and had != has:
            changes.gone.append((had, receipt_id))
        if has is not None and now.begins_at is not None:
            expires_at = now.expires_at(book.programme.time_zone)
            months = now.version.expiry.inactive_months if now.version else None
            lot = Lot(has, receipt_id, now.posted, now.begins_at, expires_at, months)
            (changes.changed if had == has else changes.new).append(lot)
    return changes


@dataclass(slots=True)
class Batch:
    """What is to be posted: to the accounts of a folded book, at one time."""

    book: Book
    as_of: datetime
    """Lots that begin or end up to here do."""
    gifts: Sequence[Gift] = ()
    spends: Sequence[SpendChange] = ()
    lots: LotChanges = field(init=False)
    """Of receipts and gifts."""

    def __post_init__(self) -> None:
        """Compare the receipts, and add the lots that are for none."""
        self.lots = lot_changes(self.book)
        for gift in self.gifts:
            if gift.before is None:
                self.lots.new.append(gift.lot)
            elif gift.lot.points:
                self.lots.changed.append(gift.lot)
            else:
                self.lots.gone.append((gift.lot.member_id, gift.lot.lot_id))

    def needs_holdings(self, also: Collection[UUID] = ()) -> set[UUID]:
        """Return the members whose lots must be drawn anew: ``also``, and whom changes touch.

        Not one whose new lot begins after everything that was ever drawn, as in-order sales do:
        what was drawn before cannot have come from it. With one who was merged, who took over.
        A lot that has ended when its sale is heard of is drawn at once, lest it shows as available.
        """
        members = self.book.members
        wanted = {*also, *(spend.after.member_id for spend in self.spends if spend.draws)}
        for lot in self.lots.new:
            member = members[lot.member_id]
            late = member.drawn_at is not None and self._since(lot) <= member.drawn_at
            ended = lot.expires_at is not None and lot.expires_at <= self.as_of
            if late or ended or member.debt or member.merge is not None:
                wanted.add(lot.member_id)
        touched = {lot.member_id for lot in self.lots.changed} | {one for one, _ in self.lots.gone}
        wanted |= {
            lot.member_id
            for lot in self.lots.changed
            if lot.activates_at > self.as_of or lot.inactive_months
        }
        wanted |= {one for one in touched if _is_drawn(members[one])}
        return {heir for one in wanted for heir in line(members, one)}

    def _since(self, lot: Lot) -> datetime:
        """Return from when on a new lot can change what was drawn from the others."""
        receipt = self.book.receipts.get(lot.lot_id)
        if receipt is None or not receipt.visited_at or not self.book.programme.by_inactivity:
            return lot.activates_at
        # Its points may begin later; as a visit it prolongs others from the sale on.
        return min(lot.activates_at, receipt.visited_at)


def _is_drawn(member: MemberState) -> bool:
    """Whether a lot of this member may be other than whole and active, or may end by inactivity."""
    drawn = member.drawn_at is not None or member.pending > 0
    return drawn or member.idle_at is not None or member.merge is not None


def close(batch: Batch, holdings: Mapping[UUID, Holdings]) -> Closing:
    """Post everything to the accounts; ``holdings`` of the members that need it, at least."""
    members, programme = batch.book.members, batch.book.programme
    closing = Closing()
    plain = _Plain(batch, closing)
    apart = {
        one: Redraw(members[one], held, batch.as_of, programme) for one, held in holdings.items()
    }
    for lot in batch.lots.new:
        apart.get(lot.member_id, plain).begin(lot)
    for lot in batch.lots.changed:
        apart.get(lot.member_id, plain).change(lot)
    for member_id, lot_id in batch.lots.gone:
        apart.get(member_id, plain).drop(member_id, lot_id)
    _visit(batch.book, apart)
    for change in batch.book.changes:
        apart.get(change.member_id, plain).post(change)
    for gift in batch.gifts:
        apart.get(gift.lot.member_id, plain).give(gift)
    for spend in batch.spends:
        apart.get(spend.after.member_id, plain).spend(spend)
    _redraw(apart, members, closing)
    return closing


def _redraw(
    apart: Mapping[UUID, Redraw], members: Mapping[UUID, MemberState], closing: Closing
) -> None:
    """Close who was merged before who took over."""
    for member_id in sorted(apart, key=lambda one: -len(line(members, one))):
        passed = apart[member_id].close(closing)
        if passed is not None:
            apart[passed.template.member_id].take_over(passed)


def _visit(book: Book, apart: Mapping[UUID, Redraw]) -> None:
    """Tell of the visits that the batch changes: some that count now, others that do not any more.

    What was loaded of them is from before the batch.
    """
    if not apart or not book.programme.by_inactivity:
        return
    for receipt_id, now in book.receipts.items():
        was = book.loaded.get(receipt_id)
        for state, at in ((was, None), (now, now.visited_at)):
            member_id = state.member_id if state and was is not now else None
            if member_id is not None and member_id in apart:
                apart[member_id].visit(receipt_id, at)


class _Plain:
    """Members whose lots are not drawn anew: who only ever earned, or capture all they hold."""

    def __init__(self, batch: Batch, closing: Closing) -> None:
        self._members = batch.book.members
        self._zone = batch.book.programme.time_zone
        self._closing = closing
        self._as_of = batch.as_of
        self._pending: set[tuple[UUID, UUID]] = set()

    def begin(self, lot: Lot) -> None:
        active = lot.activates_at <= self._as_of
        self._closing.lots.new.append((lot, lots.whole(lot, active=active)))
        if not active:
            self._pending.add((lot.member_id, lot.lot_id))
        if lot.inactive_months and lot.activates_at < NEVER:
            # A lower bound: who comes again does not touch it, and the sweep looks at the facts.
            end = inactivity.deadline(lot.activates_at, lot.inactive_months, self._zone)
            self._members[lot.member_id].watch(end)

    def change(self, lot: Lot) -> None:
        self._closing.lots.changed.append((lot, lots.whole(lot, active=True)))

    def drop(self, member_id: UUID, lot_id: UUID) -> None:
        self._closing.lots.gone.append((member_id, lot_id))

    def post(self, change: Change) -> None:
        active = (change.member_id, change.receipt_id) not in self._pending
        member = self._members[change.member_id]
        self._closing.entries.append(post_change(member, change, active=active))

    def spend(self, spend: SpendChange) -> None:
        move = post_spend(self._members[spend.after.member_id], spend)
        if move.legs:  # A purchase that names what was captured already moves nothing.
            self._closing.entries.append(move)

    def give(self, gift: Gift) -> None:
        lot = gift.lot
        active = (lot.member_id, lot.lot_id) not in self._pending
        if gift.points:
            member = self._members[lot.member_id]
            self._closing.entries.append(post_gift(member, gift, active=active))
