"""Closing and writing a book: what every change of points goes through, whatever brought it."""

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain import closing, drawing, stock
from services.loyalty.domain.accounts import MemberState, line
from services.loyalty.domain.becoming import ReceiptState
from services.loyalty.domain.closing import Batch
from services.loyalty.domain.fold import Book
from services.loyalty.domain.postings import Closing, Holdings
from services.loyalty.handlers import announce
from services.loyalty.store import ledger, lots, rewards, spends, units
from services.loyalty.store.units import Unit
from shared.db import Tx, outbox


async def lock(
    tx: Tx, member_ids: Collection[UUID], context: LoyaltyContext, *, counting: bool = True
) -> dict[UUID, MemberState]:
    """Lock the accounts of those members, in the order of their ids, and return them.

    With what counts for their tiers, unless nothing is going to be counted.
    """
    if not member_ids:
        return {}
    ladder = context.programme.ladder if counting else None
    return await ledger.lock_members(tx, member_ids, now=context.clock.now(), ladder=ladder)


def open_book(
    members: dict[UUID, MemberState],
    context: LoyaltyContext,
    receipts: Mapping[UUID, ReceiptState] | None = None,
) -> Book:
    """Open a book of members whose accounts are locked."""
    return Book(context.programme, receipts or {}, members)


async def load_holdings(
    tx: Tx, member_ids: Collection[UUID], *, idle: Collection[UUID] = ()
) -> dict[UUID, Holdings]:
    """Return all lots, and all that takes from them, of members whose accounts are locked.

    And when they were active, where points of theirs end by inactivity; ``idle`` are about to get
    their first such points.
    """
    if not member_ids:
        return {}
    found = {one: Holdings(kept) for one, kept in (await lots.load_all(tx, member_ids)).items()}
    for spend in (await spends.load_taking(tx, member_ids)).values():
        found[spend.member_id].spends[spend.spend_id] = spend
    wanted = [
        member_id
        for member_id, held in found.items()
        if member_id in idle or any(lot.inactive_months for lot, _ in held.lots.values())
    ]
    for member_id, receipt_id, at in await ledger.load_visits(tx, wanted):
        found[member_id].visits[receipt_id] = at
    return found


async def load_left(
    tx: Tx, member_id: UUID, members: Mapping[UUID, MemberState], now: datetime
) -> Holdings:
    """Return what a spend at ``now`` needs of a member whose account is locked.

    As a rule the lots with something left, however long the member has been there; everything
    where that does not say all.
    """
    if drawing.is_last(members[member_id], now):
        return Holdings(await lots.load_left(tx, member_id), left_only=True)
    return (await load_holdings(tx, {member_id}))[member_id]


async def _load_passed_debts(
    tx: Tx, holdings: Mapping[UUID, Holdings], members: Mapping[UUID, MemberState]
) -> None:
    """Add to the holdings of those who were merged what they owe in another's books."""
    merges = [merge for one in holdings if (merge := members[one].merge) is not None]
    if merges:
        debts = await spends.load(tx, {merge.merge_id for merge in merges})
        for merge in merges:
            holdings[merge.member_id].passed_debt = debts.get(merge.merge_id)


async def post(tx: Tx, batch: Batch, *, known: Mapping[UUID, Holdings] | None = None) -> Closing:
    """Close, write and announce what one request does to holds, in one statement as a rule.

    A book without receipts, of a few members; nothing of it counts for tiers. ``known`` as in
    ``write``.
    """
    closed = await _close(tx, batch, known=known)
    last = {one.after.spend_id: one.after for one in (*batch.spends, *closed.spends)}
    unit = Unit(
        entries=ledger.entry_rows(closed.entries, batch.book.members),
        members=batch.book.members,
        lots=closed.lots.changed,
        spends=list(last.values()),
        told=outbox.rows(announce.of_ledger(batch.book, closed)),
    )
    await units.write(tx, unit)
    # Only what passes between members who were merged.
    await lots.delete_lots(tx, closed.lots.gone)
    await lots.append_lots(tx, closed.lots.new)
    if moved := stock.pieces(batch.spends):
        await rewards.move(tx, moved)
    return closed


async def _close(
    tx: Tx,
    batch: Batch,
    *,
    redraw: Collection[UUID] = (),
    known: Mapping[UUID, Holdings] | None = None,
) -> Closing:
    book = batch.book
    wanted = batch.needs_holdings(redraw)
    idle = {one.member_id for one in (*batch.lots.new, *batch.lots.changed) if one.inactive_months}
    idle |= {heir for one in wanted for heir in line(book.members, one)[1:]}
    known = known or {}
    holdings = {**known, **await load_holdings(tx, wanted - known.keys(), idle=idle)}
    await _load_passed_debts(tx, holdings, book.members)
    return closing.close(batch, holdings)


async def write(
    tx: Tx,
    batch: Batch,
    *,
    redraw: Collection[UUID] = (),
    known: Mapping[UUID, Holdings] | None = None,
) -> Closing:
    """Close a book and write it: receipts, accounts, entries, lots and holds.

    ``redraw`` names members whose lots must be looked at although nothing changed but the time;
    ``known`` has the holdings of some, read since their accounts were locked.
    """
    closed = await _close(tx, batch, redraw=redraw, known=known)
    book, changes = batch.book, [*batch.spends, *closed.spends]
    await _write_receipts(tx, book)
    if closed.entries:
        await ledger.append_entries(tx, closed.entries, book.members)
    if book.members:
        await ledger.update_accounts(tx, book.members)
    await lots.delete_lots(tx, closed.lots.gone)
    await lots.update_lots(tx, closed.lots.changed)
    await lots.append_lots(tx, closed.lots.new)
    if moved := stock.pieces(batch.spends):
        await rewards.move(tx, moved)
    last = {one.after.spend_id: one.after for one in changes}
    new = {one.after.spend_id for one in changes if one.before is None}
    await spends.write(
        tx,
        [spend for key, spend in last.items() if key in new],
        [spend for key, spend in last.items() if key not in new],
    )
    return closed


async def _write_receipts(tx: Tx, book: Book) -> None:
    new = {key: state for key, state in book.receipts.items() if key not in book.loaded}
    if new:
        await ledger.insert_receipts(tx, new)
    changed = {
        key: state
        for key, state in book.receipts.items()
        if book.loaded.get(key, state) is not state
    }
    if changed:
        await ledger.update_receipts(tx, changed)
