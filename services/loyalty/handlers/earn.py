"""Purchases become points: a batch is loaded, folded in memory, and written set-based."""

from collections.abc import Sequence
from uuid import UUID

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain import fold, tiers
from services.loyalty.domain.fold import Book
from services.loyalty.handlers import announce
from services.loyalty.store import ledger, lots
from shared.contracts.purchases import PurchaseEvent
from shared.db import Tx


async def on_purchases(tx: Tx, events: Sequence[PurchaseEvent], context: LoyaltyContext) -> None:
    """Post what each event changes of what its receipt should have earned.

    Receipts are locked first, then accounts, both in the order of their ids, and new receipts are
    inserted in that order at the end: two batches wait for each other, but never in a circle.
    """
    loaded = await ledger.lock_receipts(tx, {event.data.receipt_id for event in events})
    touched = {event.data.member_id for event in events}
    touched |= {state.member_id for state in loaded.values()}
    book = await _open_book(tx, {one for one in touched if one is not None}, context)
    book.receipts.update(loaded)
    _fold(book, events)
    await _store(tx, book, loaded)
    await announce.on_ledger(tx, book)


async def _open_book(tx: Tx, member_ids: set[UUID], context: LoyaltyContext) -> Book:
    now, programme = context.clock.now(), context.programme
    year = now.astimezone(programme.time_zone).year
    members = await ledger.lock_members(tx, member_ids, now=now) if member_ids else {}
    for state in members.values():
        state.tier = tiers.tier_of(programme.tiers, state.spend, year)
    return Book(programme, year, {}, members)


def _fold(book: Book, events: Sequence[PurchaseEvent]) -> None:
    for event in events:
        fold.fold(book, event)


async def _store(tx: Tx, book: Book, loaded: dict[UUID, fold.ReceiptState]) -> None:
    new = {key: state for key, state in book.receipts.items() if key not in loaded}
    if new:
        await ledger.insert_receipts(tx, new)
    changed = {
        key: state for key, state in book.receipts.items() if loaded.get(key, state) is not state
    }
    if changed:
        await ledger.update_receipts(tx, changed)
    if book.postings:
        await ledger.append_entries(tx, book.postings, book.members)
    if book.members:
        await ledger.update_accounts(tx, book.members)
    changes = fold.lot_changes(loaded, book.receipts)
    await lots.delete_lots(tx, changes.gone)
    await lots.update_lots(tx, changes.changed)
    await lots.append_lots(tx, changes.new)
