"""Purchases become points: a batch is loaded, folded in memory, and written set-based."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain import fold, tiers
from services.loyalty.domain.fold import Book, MemberState
from services.loyalty.domain.programme import Programme
from services.loyalty.handlers import announce
from services.loyalty.store import ledger, lots
from shared.contracts.purchases import PurchaseEvent
from shared.db import Tx


async def on_purchases(tx: Tx, events: Sequence[PurchaseEvent], context: LoyaltyContext) -> None:
    """Post what each event changes of what its receipt should have earned.

    Accounts are locked first, then receipts, both in the order of their ids, and new receipts are
    inserted in that order at the end: two batches wait for each other, but never in a circle.
    """
    programme = context.programme
    receipt_ids = {event.data.receipt_id for event in events}
    owners = await ledger.load_owners(tx, receipt_ids)
    touched = {(event.data.member_id, event.data.occurred_at) for event in events}
    touched |= set(owners.values())
    members = await _lock_members(tx, {owner for owner, _ in touched if owner}, context)
    loaded = await ledger.lock_receipts(tx, receipt_ids, owners, programme)
    loaded |= await ledger.load_periods(tx, _periods(touched, programme), programme)
    book = Book(programme, _year(context), dict(loaded), members)
    _fold(book, events)
    await _store(tx, book, loaded)
    await announce.on_ledger(tx, book)


def _periods(
    touched: Iterable[tuple[UUID | None, datetime | None]], programme: Programme
) -> set[tuple[UUID, datetime, datetime]]:
    """Return the capped periods in which the batch changes receipts."""
    if programme.capped_per is None:
        return set()
    zone = programme.time_zone
    return {
        (member_id, *period)
        for member_id, at in touched
        if member_id and at and (period := programme.period(at.astimezone(zone).date()))
    }


def _year(context: LoyaltyContext) -> int:
    return context.clock.now().astimezone(context.programme.time_zone).year


async def _lock_members(
    tx: Tx, member_ids: set[UUID], context: LoyaltyContext
) -> dict[UUID, MemberState]:
    if not member_ids:
        return {}
    members = await ledger.lock_members(tx, member_ids, now=context.clock.now())
    year = _year(context)
    for state in members.values():
        state.tier = tiers.tier_of(context.programme.tiers, state.spend, year)
    return members


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
    changes = fold.lot_changes(loaded, book.receipts, book.programme.time_zone)
    await lots.delete_lots(tx, changes.gone)
    await lots.update_lots(tx, changes.changed)
    await lots.append_lots(tx, changes.new)
