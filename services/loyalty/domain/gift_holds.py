"""Holds on gift cards: placed by a till, captured by it or by the purchase that names them."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.loyalty.domain.gift_cards import (
    AVAILABLE,
    HELD,
    LOST,
    REDEEMED,
    REFUNDED,
    Book,
    Card,
    Cause,
    Hold,
    HoldState,
    Terms,
    receive,
)
from shared.errors import Refused


def place(book: Book, card: Card, hold: Hold) -> None:
    """Keep money for a till; raises ``Refused`` (422) with the balance where it is not enough."""
    card.check_active(book.now)
    if hold.amount_minor > card.available_minor:
        raise Refused(
            "gift_card_balance",
            "The gift card has less than that; hold what it has, and take the rest otherwise.",
            status=422,
            available_minor=card.available_minor,
            balance_minor=card.balance_minor,
            currency=card.currency,
        )
    book.holds[hold.hold_id] = hold
    cause = Cause(hold.hold_id, book.now, hold.hold_id)
    book.move(card, (AVAILABLE, HELD), hold.amount_minor, cause)


def capture(book: Book, hold: Hold, amount_minor: int | None) -> None:
    """Spend a hold, all of it or ``amount_minor``; the rest goes back to the card.

    Captured already, of the same amount or without one named: nothing more happens. Raises
    ``Refused``: 409 for a hold that has ended, 422 for more than it holds.
    """
    if hold.state == "captured" and amount_minor in {None, hold.captured_minor}:
        return
    if hold.state == "captured":
        detail = "The hold was captured with another amount."
        raise Refused("gift_hold_captured", detail, captured_minor=hold.captured_minor)
    if hold.state != "open" or hold.expires_at <= book.now:
        detail = "The hold has ended; place another."
        raise Refused("gift_hold_ended", detail, state=_ended(hold))
    if amount_minor is not None and amount_minor > hold.amount_minor:
        detail = "That is more than is held."
        raise Refused("gift_hold_exceeded", detail, status=422, amount_minor=hold.amount_minor)
    taken = hold.amount_minor if amount_minor is None else amount_minor
    _spend(book, hold, taken, Cause(hold.hold_id, book.now, hold.hold_id))


def _ended(hold: Hold) -> HoldState:
    return "expired" if hold.state == "open" else hold.state


def _spend(book: Book, hold: Hold, amount_minor: int, cause: Cause) -> None:
    """Take ``amount_minor`` of what is held, and give the rest back to the card."""
    card = book.cards[hold.gift_card_id]
    book.move(card, (HELD, REDEEMED), amount_minor, cause)
    book.move(card, (HELD, AVAILABLE), hold.amount_minor - amount_minor, cause)
    hold.state, hold.captured_minor = "captured", amount_minor


def release(book: Book, hold: Hold, *, to: HoldState = "released") -> None:
    """Give what is held back to the card; nothing for a hold that has ended already.

    Raises ``Refused`` (409) for one that was captured: that is refunded instead.
    """
    if hold.state == "captured":
        detail = "The hold was captured; refund it instead."
        raise Refused("gift_hold_captured", detail, captured_minor=hold.captured_minor)
    if hold.state == "open":
        card = book.cards[hold.gift_card_id]
        cause = Cause(hold.hold_id, book.now, hold.hold_id)
        book.move(card, (HELD, AVAILABLE), hold.amount_minor, cause)
        hold.state = to


def refund(book: Book, hold: Hold, amount_minor: int, cause: Cause, *, terms: Terms) -> None:
    """Give captured money back by hand, beside what returns of the receipt give back.

    Raises ``Refused`` (422) for more than is left of what was captured.
    """
    left = hold.captured_minor - hold.back_minor
    if amount_minor > left:
        detail = "That is more than is left of what was captured."
        raise Refused("gift_refund_exceeds", detail, status=422, refundable_minor=left)
    before = hold.back_minor
    hold.refunded_minor += amount_minor
    _give_back(book, hold, before, cause, terms=terms)


class Sale(NamedTuple):
    """A receipt that names holds, at one revision."""

    receipt_id: UUID
    occurred_at: datetime
    hold_ids: tuple[UUID, ...]
    tendered_minor: int
    """Most that it took from gift cards."""
    total_minor: int
    sold_total_minor: int
    voided: bool
    cause: Cause
    """The event, and when it happened."""


def settle(book: Book, sale: Sale, *, terms: Terms) -> None:
    """Capture the holds that a receipt names, and give back what its returns are worth.

    The book has those holds, and those that an earlier revision named. A hold is captured by the
    first receipt that names it, once; whether a till captured or released it meanwhile, or it
    expired, makes no difference to a sale that lies inside its life.
    """
    left = sale.tendered_minor
    named = [hold for one in dict.fromkeys(sale.hold_ids) if (hold := book.holds.get(one))]
    for hold in named:
        if hold.receipt_id is None:
            hold.receipt_id = sale.receipt_id
            _capture_named(book, hold, max(0, left), sale)
        if hold.receipt_id == sale.receipt_id:
            left -= hold.captured_minor
    for hold in _own(book, sale):
        before = hold.back_minor
        hold.returned_minor = _returned(hold, sale)
        cause = sale.cause._replace(hold_id=hold.hold_id)
        _give_back(book, hold, before, cause, terms=terms)


def _own(book: Book, sale: Sale) -> Iterable[Hold]:
    return [hold for hold in book.holds.values() if hold.receipt_id == sale.receipt_id]


def _capture_named(book: Book, hold: Hold, most_minor: int, sale: Sale) -> None:
    """Capture by a purchase; what was given back meanwhile is taken from the card again.

    For a sale inside the hold's life, what the card no longer has is the programme's loss. There
    is no lower end to that life: who names a hold has seen it, and a till's clock may be slow.
    """
    if hold.state == "captured":
        return
    cause = sale.cause._replace(hold_id=hold.hold_id)
    wanted = min(hold.amount_minor, most_minor)
    if hold.state == "open":
        _spend(book, hold, wanted, cause)
        return
    card = book.cards[hold.gift_card_id]
    had = min(wanted, card.available_minor)
    book.move(card, (AVAILABLE, HELD), had, cause)
    book.move(card, (HELD, REDEEMED), had, cause)
    if sale.occurred_at <= hold.expires_at:
        hold.lost_minor = wanted - had
        book.move(card, (LOST, REDEEMED), hold.lost_minor, cause)
    hold.captured_minor = had + hold.lost_minor
    if hold.captured_minor:
        hold.state = "captured"


def _returned(hold: Hold, sale: Sale) -> int:
    """Return what of a hold came back: its share of what the goods were sold for, rounded down.

    All of it when everything came back, so that nothing is left in the rounding.
    """
    if sale.voided or hold.hold_id not in sale.hold_ids:
        return hold.captured_minor
    back = max(0, sale.sold_total_minor - sale.total_minor)
    return hold.captured_minor * back // sale.sold_total_minor if back else 0


def _give_back(book: Book, hold: Hold, before: int, cause: Cause, *, terms: Terms) -> None:
    """Post what ``back_minor`` has grown by since ``before``, or take back what it has shrunk by.

    The card gets back what it gave; what was the programme's loss comes last, and undoes the loss.
    """
    card = book.cards[hold.gift_card_id]
    own = hold.captured_minor - hold.lost_minor
    change = min(own, hold.back_minor) - min(own, before)
    recovered = hold.back_minor - before - change
    if change > 0:
        receive(book, card, terms)
        book.move(card, (REFUNDED, AVAILABLE), change, cause)
    if recovered > 0:
        book.move(card, (REFUNDED, LOST), recovered, cause)
    if change < 0 or recovered < 0:
        # A correction sold more after all; what the card has spent meanwhile is a loss.
        taken = min(-change, card.available_minor)
        book.move(card, (AVAILABLE, REFUNDED), taken, cause)
        book.move(card, (LOST, REFUNDED), -change - recovered - taken, cause)
        hold.lost_minor += -change - taken
