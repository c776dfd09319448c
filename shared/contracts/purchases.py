"""Events of the ``purchases`` topic: each carries the receipt's net state so far."""

import operator
from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from shared.contracts.envelope import Amount, Contract, Currency, Event

SalesChannel = Literal["pos", "app", "web", "phone"]
Fulfilment = Literal["pending", "complete"]
IdentifierKind = Literal["card", "phone", "email", "app_id", "member_id"]


class LineReturn(Contract):
    """What came off a line after the sale at one time: a return, or what a void left nothing of."""

    at: AwareDatetime
    """When, by the clock of the till that took it back or voided the sale."""
    quantity_milli: Annotated[int, Field(ge=0)]
    """Thousandths of the sales unit."""
    amount_minor: Amount
    """Paid back for it."""


class ReceiptLine(Contract):
    """One line at its net state: what the member kept of it, and what was paid for that."""

    line_no: int
    """Unique within the receipt; a return names it."""
    sku: str
    """The shop's own article number."""
    category: str | None = None
    """As the till sent it, else from the catalogue."""
    description: str | None = None
    """As printed."""
    quantity_milli: Annotated[int, Field(ge=0)]
    """Thousandths of the sales unit; 1120 is 1.12 kg. 0 is real (coupons, free goods)."""
    unit_price_minor: Amount = 0
    """Shelf price of one sales unit; informative, nothing is computed from it."""
    discount_minor: Amount = 0
    """What was taken off this line, as sold; positive."""
    amount_minor: Amount
    """Paid for the line after its discount, less what was returned."""
    returns: tuple[LineReturn, ...] = Field(default=(), exclude_if=operator.not_)
    """All that came off it so far, by time; left out where nothing did. So what was sold, by the
    newest correction, is ``amount_minor`` and their sum."""


class Tender(Contract):
    """One means of payment of the original sale."""

    kind: str
    """``cash``, ``card``, ``gift_card``, ``points``, … as the till names it."""
    amount_minor: Amount
    """Paid by it."""


class Receipt(Contract):
    """A receipt's net state at one revision; a projection upserts by (receipt_id, revision)."""

    receipt_id: UUID
    """UUIDv5 of the natural key: the four fields after ``revision``."""
    revision: Annotated[int, Field(ge=1)]
    """1 as recorded, plus 1 for each return, void, amendment and attribution that changed it."""
    store_id: str
    """Where it was printed."""
    terminal_id: str
    """The till or app that printed it."""
    receipt_no: str
    """As printed; unique per store, terminal and business date."""
    business_date: date
    """The store's day of business, which need not be the calendar day of ``occurred_at``."""
    member_id: UUID | None
    """Whose purchase; null while anonymous or unmatched."""
    identified_by: IdentifierKind | None = None
    """What the till recognised the member by; earning and spending trust it differently."""
    currency: Currency
    """Of every amount here."""
    occurred_at: AwareDatetime
    """When the sale happened by the till's clock, also in later revisions."""
    received_at: AwareDatetime
    """When ingest first accepted the sale, by our clock."""
    sales_channel: SalesChannel = "pos"
    """Where the purchase was made."""
    lines: tuple[ReceiptLine, ...]
    """All lines of the sale, 1 to 500, also those that came back entirely."""
    tenders: tuple[Tender, ...] = ()
    """How the sale was paid; returns do not change it."""
    total_minor: Amount
    """Sum of the lines' amounts at this revision."""
    sold_total_minor: Amount
    """Sum of the lines' amounts as first sold."""
    fulfilment: Fulfilment = "complete"
    """``pending`` while goods of an order are still to come: amounts are what was ordered, and
    amendments bring them to what was delivered."""
    fulfilled_at: AwareDatetime | None = Field(default=None, exclude_if=operator.not_)
    """When we heard that all of an order was delivered, by our clock; left out for others."""
    quote_id: UUID | None = None
    """The quote that the till rang up."""
    hold_ids: tuple[UUID, ...] = ()
    """Holds on points that this purchase captures."""
    offer_ids: tuple[UUID, ...] = ()
    """Offers that this purchase redeems."""
    late: bool = False
    """Arrived after the programme's late limit; decided once, at arrival."""
    clock_suspect: bool = False
    """The till's clock was ahead of ours, or more than a day off its day of business; such a sale
    wins no time-limited promotion."""
    imported: bool = False
    """Taken over from another system: it counts like any other, and nobody is told of it."""
    voided: bool = Field(default=False, exclude_if=operator.not_)
    """Undone as a mistake, as every later revision says, too; left out where it was not."""


class ReturnedLine(Contract):
    """What came back of one line with this return."""

    line_no: int
    """Of the original receipt."""
    quantity_milli: Annotated[int, Field(ge=0)]
    """Thousandths of the sales unit that came back."""
    amount_minor: Amount
    """Paid back for it."""


class ReturnFacts(Contract):
    """The return itself, beside the net state it leads to."""

    return_id: UUID
    """UUIDv5 of the return's own natural key."""
    store_id: str
    """Where the goods came back, which need not be where they were sold."""
    terminal_id: str
    """The till that took them back."""
    receipt_no: str
    """Of the return's own receipt."""
    business_date: date
    """That store's day of business."""
    occurred_at: AwareDatetime
    """When the goods came back."""
    lines: tuple[ReturnedLine, ...]
    """What came back this time, not so far."""
    total_minor: Amount
    """Sum of the lines' amounts."""


class ReceiptReturned(Receipt):
    """Net state after a return."""

    returned: ReturnFacts
    """The return that led here."""


class ReceiptVoided(Receipt):
    """Net state after a void: all amounts are 0."""

    reason: str
    """As given at the till."""


class ReceiptAmended(Receipt):
    """Net state after a correction: the corrected lines, less what came back before it."""

    reason: str
    """As given with the correction."""


class PurchaseRecorded(Event):
    """A sale was recorded."""

    type: Literal["purchase.recorded.v1"] = "purchase.recorded.v1"
    data: Receipt


class PurchaseReturned(Event):
    """Goods came back; ``time`` is the return's."""

    type: Literal["purchase.returned.v1"] = "purchase.returned.v1"
    data: ReceiptReturned


class PurchaseVoided(Event):
    """The sale was undone."""

    type: Literal["purchase.voided.v1"] = "purchase.voided.v1"
    data: ReceiptVoided


class PurchaseAmended(Event):
    """The sale was corrected."""

    type: Literal["purchase.amended.v1"] = "purchase.amended.v1"
    data: ReceiptAmended


class PurchaseAttributed(Event):
    """An anonymous or unmatched receipt now belongs to ``data.member_id``.

    It moves the receipt: revenue was already counted under the receipt id, once.
    """

    type: Literal["purchase.attributed.v1"] = "purchase.attributed.v1"
    data: Receipt


PurchaseEvent = (
    PurchaseRecorded | PurchaseReturned | PurchaseVoided | PurchaseAmended | PurchaseAttributed
)
