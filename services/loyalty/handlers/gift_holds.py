"""Holds on gift cards: for a till, by the purchases that name them, and their end by themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain import gift_holds
from services.loyalty.domain.gift_cards import Book, Card, Cause, Hold
from services.loyalty.domain.gift_holds import Sale
from services.loyalty.handlers import gift_cards
from services.loyalty.handlers.gift_cards import EXPIRY_CHUNK, Who
from services.loyalty.store import gift_cards as store
from shared import ids, log
from shared.contracts.purchases import PurchaseEvent
from shared.db import Tx
from shared.errors import Refused

VOIDED, AMENDED = "purchase.voided.v1", "purchase.amended.v1"
TENDER = "gift_card"
"""What a till calls the tender, where a receipt lists its tenders."""

logger = log.get_logger(__name__)


class Shown(NamedTuple):
    """A hold, and what its card has left to spend."""

    hold: Hold
    available_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A hold to be placed."""

    gift_card_id: UUID
    amount_minor: int
    ttl_s: int


async def place(tx: Tx, asked: Asked, who: Who, context: LoyaltyContext) -> Shown:
    """Keep money of a card for a till."""
    book, card = await gift_cards.open_book(tx, asked.gift_card_id, who, context)
    # What has run out counts no longer, whenever the sweeper comes.
    book.holds = await store.load_due_holds(
        tx, book.now, limit=EXPIRY_CHUNK, card_id=asked.gift_card_id
    )
    for due in book.holds.values():
        gift_holds.release(book, due, to="expired")
    hold = Hold(
        hold_id=ids.new_id(),
        gift_card_id=asked.gift_card_id,
        amount_minor=asked.amount_minor,
        opened_at=book.now,
        expires_at=book.now + timedelta(seconds=asked.ttl_s),
        opened_by=who.actor,
        store_id=who.store_id,
    )
    gift_holds.place(book, card, hold)
    return await _stored(tx, book, hold)


async def show(tx: Tx, hold_id: UUID, who: Who) -> Shown:
    """Return a hold; 404 for nobody's id, and to a till for one of another store."""
    hold = _own(await store.load_hold(tx, hold_id), who)
    card = await gift_cards.show(tx, hold.gift_card_id)
    return Shown(hold, card["available_minor"], card["currency"])


async def capture(
    tx: Tx, hold_id: UUID, amount_minor: int | None, who: Who, *, context: LoyaltyContext
) -> Shown:
    """Spend a hold, or a part of it."""
    book, hold, _ = await _open_book(tx, hold_id, who, context)
    gift_holds.capture(book, hold, amount_minor)
    return await _stored(tx, book, hold)


async def release(tx: Tx, hold_id: UUID, who: Who, context: LoyaltyContext) -> Shown:
    """Give a hold back to its card."""
    book, hold, _ = await _open_book(tx, hold_id, who, context)
    gift_holds.release(book, hold)
    return await _stored(tx, book, hold)


async def refund(
    tx: Tx, refunded: Asked, hold_id: UUID, who: Who, *, context: LoyaltyContext
) -> None:
    """Give captured money of a hold back to its card; 404 for a hold of another card."""
    book, hold, card = await _open_book(tx, hold_id, who, context)
    if card.gift_card_id != refunded.gift_card_id:
        raise _unknown()
    cause = Cause(ids.new_id(), book.now, hold_id)
    gift_holds.refund(book, hold, refunded.amount_minor, cause, terms=context.gift_terms)
    await store.store(tx, book)


async def _open_book(
    tx: Tx, hold_id: UUID, who: Who, context: LoyaltyContext
) -> tuple[Book, Hold, Card]:
    card_id = _own(await store.load_hold(tx, hold_id), who).gift_card_id
    book, card = await gift_cards.open_book(tx, card_id, who, context)
    # Read again: until the card was locked, the hold could change.
    book.holds = await store.load_holds(tx, [hold_id])
    return book, book.holds[hold_id], card


def _own(hold: Hold | None, who: Who) -> Hold:
    if hold is None or (who.store_id is not None and hold.store_id != who.store_id):
        raise _unknown()
    return hold


def _unknown() -> Refused:
    return Refused("gift_hold_unknown", "There is no such hold on a gift card.", status=404)


async def _stored(tx: Tx, book: Book, hold: Hold) -> Shown:
    await store.store(tx, book)
    card = book.cards[hold.gift_card_id]
    return Shown(hold, card.available_minor, card.currency)


async def expire_due(tx: Tx, context: LoyaltyContext) -> int:
    """Release holds whose time is over, some at a time; return how many there were."""
    now = context.clock.now()
    due = await store.load_due_holds(tx, now, limit=EXPIRY_CHUNK)
    cards = await store.lock_cards(tx, {hold.gift_card_id for hold in due.values()})
    book = Book("sweeper", now, cards, await store.load_holds(tx, due))
    for hold in book.holds.values():
        if hold.state == "open":
            gift_holds.release(book, hold, to="expired")
    await store.store(tx, book)
    return len(due)


async def capture_named(tx: Tx, events: Sequence[PurchaseEvent], context: LoyaltyContext) -> None:
    """Capture the holds that purchases name, and give back what their returns are worth.

    Of each receipt the newest revision counts, whatever came before it. Locks receipts, then
    cards, both in the order of their ids. Most batches name no hold, and ask nothing.
    """
    named = {one for event in events for one in event.data.hold_ids}
    if not named and all(event.type != AMENDED for event in events):
        return
    holds = await store.load_holds(tx, named) if named else {}
    newest: dict[UUID, PurchaseEvent] = {}
    for event in sorted(events, key=lambda one: one.data.revision):
        receipt = event.data
        names_one = not holds.keys().isdisjoint(receipt.hold_ids)
        # A correction may have dropped a hold that the sale named.
        if names_one or event.type == AMENDED or receipt.receipt_id in newest:
            newest[receipt.receipt_id] = event
    if not newest:
        return
    known = await store.lock_receipts(tx, newest.keys())
    fresh = [one for one in newest.values() if one.data.revision > known[one.data.receipt_id]]
    if not fresh:
        return
    receipt_ids = [event.data.receipt_id for event in fresh]
    holds |= await store.load_holds_of_receipts(tx, receipt_ids)
    cards = await store.lock_cards(tx, {hold.gift_card_id for hold in holds.values()})
    book = Book("purchase", context.clock.now(), cards, await store.load_holds(tx, holds))
    for event in sorted(fresh, key=lambda one: (one.data.occurred_at, one.data.receipt_id)):
        sale = _sale(event)
        gift_holds.settle(book, sale, terms=context.gift_terms)
        _tell(sale, book)
    await store.update_receipts(tx, {one.data.receipt_id: one.data.revision for one in fresh})
    await store.store(tx, book)


def _sale(event: PurchaseEvent) -> Sale:
    receipt = event.data
    by_card = [one.amount_minor for one in receipt.tenders if one.kind == TENDER]
    return Sale(
        receipt_id=receipt.receipt_id,
        occurred_at=receipt.occurred_at,
        hold_ids=tuple(receipt.hold_ids),
        tendered_minor=sum(by_card) if by_card else receipt.sold_total_minor,
        total_minor=receipt.total_minor,
        sold_total_minor=receipt.sold_total_minor,
        voided=event.type == VOIDED,
        cause=Cause(event.id, event.time, receipt_id=receipt.receipt_id),
    )


def _tell(sale: Sale, book: Book) -> None:
    """Log what a shop should look into: money that no card had, a hold that two receipts name."""
    for hold in filter(None, map(book.holds.get, sale.hold_ids)):
        if hold.receipt_id != sale.receipt_id:
            logger.warning(
                "gift_hold_named_twice",
                hold_id=str(hold.hold_id),
                receipt_id=str(sale.receipt_id),
            )
        elif hold.lost_minor:
            logger.warning(
                "gift_money_lost", hold_id=str(hold.hold_id), amount_minor=hold.lost_minor
            )
