"""Purchases become points: a batch is loaded, folded in memory, and written set-based."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain import fold, held
from services.loyalty.domain.closing import Batch
from services.loyalty.domain.held import Late
from services.loyalty.domain.programme import Programme
from services.loyalty.handlers import announce, books, challenges, gift_holds, holds, tiers, who
from services.loyalty.store import ledger
from shared.contracts.purchases import PurchaseEvent
from shared.db import Tx


async def on_purchases(tx: Tx, events: Sequence[PurchaseEvent], context: LoyaltyContext) -> None:
    """Post what each event changes of what its receipt should have earned, and what it spends.

    Accounts are locked first, then receipts, both in the order of their ids, and new receipts are
    inserted in that order at the end: two batches wait for each other, but never in a circle.
    """
    programme = await context.rules.follow(tx)
    receipt_ids = {event.data.receipt_id for event in events}
    owners = await ledger.load_owners(tx, receipt_ids)
    from_events = [(event.data.member_id, event.data.occurred_at) for event in events]
    touched = [*from_events, *owners.values()]
    named = await holds.find_named(tx, events)
    wanted = {owner for owner, _ in touched if owner} | named.member_ids
    members = await books.lock(tx, wanted, context)
    loaded = await ledger.lock_receipts(tx, receipt_ids, owners, programme)
    loaded |= await ledger.load_periods(tx, capped_periods(touched, programme), programme)
    late: dict[UUID, Late] = {}
    if programme.by_tier:
        late = held.late(events, members, loaded, programme, now=context.clock.now())
        loaded |= await who.read_histories(tx, late, programme)
    context.rules.check_fresh(programme)
    book = books.open_book(members, context, loaded)
    if programme.by_birthday:
        book.born = await who.read_birth_dates(tx, events, programme)
    book.levels = held.foresee(book, late, events)
    for event in events:
        fold.fold(book, event)
    held.follow(book, late)
    as_of = max([context.clock.now(), *(event.data.received_at for event in events)])
    spent = await holds.capture_named(tx, book, events, named, now=as_of)
    gifts = await challenges.follow(tx, book, events)
    await tiers.review_moved(tx, book, as_of)
    closed = await books.write(tx, Batch(book, as_of, gifts=gifts, spends=spent))
    await announce.on_ledger(tx, book, closed)
    await gift_holds.capture_named(tx, events, context)


def capped_periods(
    touched: Iterable[tuple[UUID | None, datetime | None]], programme: Programme
) -> set[tuple[UUID, datetime, datetime]]:
    """Return the capped periods of those receipts: of whom, and when they happened."""
    if programme.capped_per is None:
        return set()
    zone = programme.time_zone
    return {
        (member_id, *period)
        for member_id, at in touched
        if member_id and at and (period := programme.period(at.astimezone(zone).date()))
    }
