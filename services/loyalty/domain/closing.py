"""Closing a batch: what its changes and spends move between the accounts, and what lots become.

Most members of a batch have only ever earned: their accounts move by what their receipts changed,
and a lot is as large as its receipt is worth. Of whoever spent, or had points end, all lots are
drawn anew from all facts, and the difference to what was posted is posted.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.loyalty.domain import lots, spending
from services.loyalty.domain.accounts import (
    BREAKAGE,
    ISSUED,
    REDEEMED,
    Leg,
    MemberState,
    gain,
)
from services.loyalty.domain.fold import (
    Book,
    Change,
    LotChanges,
    ReceiptEvent,
    Why,
    lot_changes,
)
from services.loyalty.domain.lots import Drawn, Lot
from services.loyalty.domain.spending import Spend
from shared import ids


class Posting(NamedTuple):
    """What a change of a receipt moved; two legs where a debt is repaid or made."""

    change: Change
    legs: Sequence[Leg]

    @property
    def points(self) -> int:
        """Return what the member got; negative where it was taken."""
        return self.change.points


class Move(NamedTuple):
    """What anything else moved: a hold, its end, the beginning or the end of a lot."""

    member_id: UUID
    cause_id: UUID
    occurred_at: datetime
    why: Why
    about: UUID
    """The hold or the lot."""
    points: int
    """What the member got; negative where it was taken."""
    legs: Sequence[Leg]
    ends_at: datetime | None = None
    """The end of the lot."""
    receipt_id: UUID | None = None
    """The purchase that a hold paid for."""


class Gift(NamedTuple):
    """A lot that is not for a receipt, and the account of the programme that it comes from."""

    lot: Lot
    source: str
    why: Why
    cause_id: UUID
    occurred_at: datetime


class SpendChange(NamedTuple):
    """A hold before (None: it is new) and after something happened to it."""

    before: Spend | None
    after: Spend
    cause_id: UUID
    occurred_at: datetime


def name_holds(
    book: Book, events: Iterable[ReceiptEvent], holds: Mapping[UUID, Spend], now: datetime
) -> list[SpendChange]:
    """Return what purchases make of the holds that they name, or do not name any more.

    A revision that is older than what the book knows says nothing any more.
    """
    states = dict(holds)
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
            spending.unname(hold, receipt.revision)
            for hold in states.values()
            if hold.receipt_id == receipt.receipt_id and hold.spend_id not in receipt.hold_ids
        ]
        for hold in after:
            before = states[hold.spend_id]
            if hold is not before:
                states[hold.spend_id] = hold
                changes.append(SpendChange(before, hold, event.id, event.time))
    return changes


@dataclass(slots=True)
class Holdings:
    """All lots of a member, as posted, and all that takes from them."""

    lots: dict[UUID, tuple[Lot, Drawn]] = field(default_factory=dict[UUID, tuple[Lot, Drawn]])
    spends: dict[UUID, Spend] = field(default_factory=dict[UUID, Spend])


@dataclass(slots=True)
class LotWrites:
    """Lots to insert, to write over and to delete."""

    new: list[tuple[Lot, Drawn]] = field(default_factory=list[tuple[Lot, Drawn]])
    changed: list[tuple[Lot, Drawn]] = field(default_factory=list[tuple[Lot, Drawn]])
    gone: list[tuple[UUID, UUID]] = field(default_factory=list[tuple[UUID, UUID]])


@dataclass(slots=True)
class Closing:
    """What is written: entries in the order of each member's ledger, and lots."""

    entries: list[Posting | Move] = field(default_factory=list[Posting | Move])
    lots: LotWrites = field(default_factory=LotWrites)


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
        self.lots.new += [gift.lot for gift in self.gifts]

    def needs_holdings(self) -> set[UUID]:
        """Return the members whose lots must be drawn anew.

        Not one whose new lot begins after everything that was ever drawn, as in-order sales do:
        what was drawn before cannot have come from it.
        """
        members = self.book.members
        wanted = {spend.after.member_id for spend in self.spends}
        for lot in self.lots.new:
            member = members[lot.member_id]
            if member.debt or (member.drawn_at is not None and lot.activates_at <= member.drawn_at):
                wanted.add(lot.member_id)
        touched = {lot.member_id for lot in self.lots.changed} | {one for one, _ in self.lots.gone}
        return wanted | {one for one in touched if _is_drawn(members[one])}


def _is_drawn(member: MemberState) -> bool:
    """Whether a lot of this member may be other than whole and active."""
    return member.drawn_at is not None or member.pending > 0


def close(batch: Batch, holdings: Mapping[UUID, Holdings]) -> Closing:
    """Post everything to the accounts; ``holdings`` of the members that need it, at least."""
    members = batch.book.members
    closing = Closing()
    plain = _Plain(members, closing, batch.as_of)
    apart = {one: _Redraw(members[one], held, batch.as_of) for one, held in holdings.items()}
    for lot in batch.lots.new:
        apart.get(lot.member_id, plain).begin(lot)
    for lot in batch.lots.changed:
        apart.get(lot.member_id, plain).change(lot)
    for member_id, lot_id in batch.lots.gone:
        apart.get(member_id, plain).drop(member_id, lot_id)
    for change in batch.book.changes:
        apart.get(change.member_id, plain).post(change)
    for gift in batch.gifts:
        apart.get(gift.lot.member_id, plain).give(gift)
    for spend in batch.spends:
        apart[spend.after.member_id].spend(spend)
    for redraw in apart.values():
        redraw.close(closing)
    return closing


class _Plain:
    """Members who have only ever earned: nothing was drawn from their lots."""

    def __init__(
        self, members: Mapping[UUID, MemberState], closing: Closing, as_of: datetime
    ) -> None:
        self._members = members
        self._closing = closing
        self._as_of = as_of
        self._pending: set[tuple[UUID, UUID]] = set()

    def begin(self, lot: Lot) -> None:
        active = lot.activates_at <= self._as_of
        self._closing.lots.new.append((lot, lots.whole(lot, active=active)))
        if not active:
            self._pending.add((lot.member_id, lot.lot_id))

    def change(self, lot: Lot) -> None:
        self._closing.lots.changed.append((lot, lots.whole(lot, active=True)))

    def drop(self, member_id: UUID, lot_id: UUID) -> None:
        self._closing.lots.gone.append((member_id, lot_id))

    def post(self, change: Change) -> None:
        active = (change.member_id, change.receipt_id) not in self._pending
        member = self._members[change.member_id]
        self._closing.entries.append(_post(member, change, active=active))

    def give(self, gift: Gift) -> None:
        lot = gift.lot
        active = (lot.member_id, lot.lot_id) not in self._pending
        self._closing.entries.append(_give(self._members[lot.member_id], gift, active=active))


def _post(member: MemberState, change: Change, *, active: bool) -> Posting:
    points = change.points
    if not active:
        legs = member.defer(ISSUED, points)
    elif points > 0:
        legs = member.give(ISSUED, points)
    else:
        legs = member.take(ISSUED, -points)
    return Posting(change, legs)


def _give(member: MemberState, gift: Gift, *, active: bool) -> Move:
    lot = gift.lot
    return Move(
        member_id=lot.member_id,
        cause_id=gift.cause_id,
        occurred_at=gift.occurred_at,
        why=gift.why,
        about=lot.lot_id,
        ends_at=lot.expires_at,
        points=lot.points,
        legs=(member.give if active else member.defer)(gift.source, lot.points),
    )


class _Redraw:
    """A member whose lots are drawn anew, from all that there are and all that takes from them."""

    def __init__(self, member: MemberState, held: Holdings, as_of: datetime) -> None:
        self._member = member
        self._wanted = {lot_id: lot for lot_id, (lot, _) in held.lots.items()}
        self._changes: list[Change] = []
        self._gifts: list[Gift] = []
        self._spends: list[SpendChange] = []
        self._posted = held.lots
        self._taking = held.spends
        # What can be spent already stays so, should our machines' clocks differ.
        begun = [lot.activates_at for lot, drawn in held.lots.values() if drawn.active]
        self._as_of = max([as_of, *begun])

    def begin(self, lot: Lot) -> None:
        self._wanted[lot.lot_id] = lot

    change = begin

    def drop(self, member_id: UUID, lot_id: UUID) -> None:
        del member_id
        del self._wanted[lot_id]

    def post(self, change: Change) -> None:
        self._changes.append(change)

    def give(self, gift: Gift) -> None:
        self._gifts.append(gift)

    def spend(self, spend: SpendChange) -> None:
        self._spends.append(spend)
        self._taking[spend.after.spend_id] = spend.after

    def close(self, closing: Closing) -> None:
        """Post all that differs, in an order that makes no debt on the way that can be avoided."""
        member, taking = self._member, self._taking.values()
        drawn, owed = lots.draw(
            self._wanted.values(), [one.take() for one in taking if one.taken], self._as_of
        )
        entries = closing.entries
        entries += self._ended(drawn, -1)
        entries += [_post_spend(member, one) for one in self._spends if not _takes_more(one)]
        entries += [
            _post(member, one, active=self._is_active(one.receipt_id)) for one in self._changes
        ]
        entries += [
            _give(member, one, active=self._is_active(one.lot.lot_id)) for one in self._gifts
        ]
        entries += self._begun(drawn)
        entries += [_post_spend(member, one) for one in self._spends if _takes_more(one)]
        entries += self._ended(drawn, 1)
        self._write_lots(drawn, closing.lots)
        if any(one.taken for one in taking) or any(one.expired for one in drawn.values()):
            member.drawn_at = self._as_of
        _must_agree(member, drawn, owed)

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
                lot = self._wanted.get(lot_id) or self._posted[lot_id][0]
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

    def _of_lot(self, lot: Lot, why: Why, points: int, legs: Sequence[Leg]) -> Move:
        at = lot.expires_at if why == "expiry" else lot.activates_at
        return Move(
            member_id=lot.member_id,
            cause_id=ids.derived_id(lot.lot_id, why, self._member.version),
            occurred_at=at or self._as_of,
            why=why,
            about=lot.lot_id,
            ends_at=lot.expires_at,
            points=points,
            legs=legs,
        )

    def _write_lots(self, drawn: Mapping[UUID, Drawn], writes: LotWrites) -> None:
        for lot_id, now in drawn.items():
            lot = self._wanted[lot_id]
            if lot_id not in self._posted:
                writes.new.append((lot, now))
            elif self._posted[lot_id] != (lot, now):
                writes.changed.append((lot, now))
        for lot_id, (lot, _) in self._posted.items():
            if lot_id not in self._wanted:
                writes.gone.append((lot.member_id, lot_id))


def _takes_more(spend: SpendChange) -> bool:
    return spend.after.taken > (spend.before.taken if spend.before else 0)


def _post_spend(member: MemberState, spend: SpendChange) -> Move:
    before, after = spend.before, spend.after
    why: Why
    legs: list[Leg]
    if before is None:
        why, legs = "hold", member.hold(after.points)
    elif before.state == "held":
        back = before.taken - after.taken
        why = "capture" if after.state == "captured" else "release"
        legs = member.capture(after.taken) if after.taken else []
        if back:
            legs += member.release(back)
    elif after.taken > before.taken:
        why, legs = "capture", member.take(REDEEMED, after.taken - before.taken)
    else:
        why, legs = "returned", member.give(REDEEMED, before.taken - after.taken)
    points = sum(gain(leg.from_account, leg.to_account, leg.points) for leg in legs)
    return Move(
        member_id=after.member_id,
        cause_id=spend.cause_id,
        occurred_at=spend.occurred_at,
        why=why,
        about=after.spend_id,
        receipt_id=after.receipt_id,
        points=points,
        legs=legs,
    )


def _must_agree(member: MemberState, drawn: Mapping[UUID, Drawn], owed: int) -> None:
    """Hold the accounts to the lots; ``AssertionError`` is a bug, and nothing is written."""
    available = sum(one.remaining for one in drawn.values() if one.active)
    pending = sum(one.remaining for one in drawn.values() if not one.active)
    if (member.available, member.pending, member.debt) != (available, pending, owed):
        message = f"accounts {member} do not agree with lots: {available}, {pending}, {owed}"
        raise AssertionError(message)
