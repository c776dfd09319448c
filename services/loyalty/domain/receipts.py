"""What of a receipt decides its points, and what of an event that took it to a revision."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID


class Line(Protocol):
    """A line at its net state."""

    @property
    def line_no(self) -> int:
        """Its number on the receipt."""
        ...

    @property
    def sku(self) -> str:
        """The shop's own article number."""
        ...

    @property
    def category(self) -> str | None:
        """Of the product; None where it is not known."""
        ...

    @property
    def quantity_milli(self) -> int:
        """Thousandths of the sales unit that were kept."""
        ...

    @property
    def amount_minor(self) -> int:
        """Paid for what was kept of it."""
        ...


class LineReturn(Protocol):
    """What came off a line at one time."""

    @property
    def at(self) -> datetime:
        """When."""
        ...

    @property
    def quantity_milli(self) -> int:
        """Thousandths of the sales unit."""
        ...

    @property
    def amount_minor(self) -> int:
        """Paid back for it."""
        ...


class RevisedLine(Line, Protocol):
    """A line, and what came off it since it was sold."""

    @property
    def returns(self) -> Sequence[LineReturn]:
        """By time."""
        ...


class Receipt(Protocol):
    """A receipt at its net state."""

    @property
    def currency(self) -> str:
        """ISO 4217."""
        ...

    @property
    def occurred_at(self) -> datetime:
        """When the sale happened."""
        ...

    @property
    def clock_suspect(self) -> bool:
        """Whether that time can not be right; such a sale wins nothing that depends on it."""
        ...

    @property
    def store_id(self) -> str:
        """Where it was printed."""
        ...

    @property
    def sales_channel(self) -> str:
        """``pos``, ``app``, ``web`` or ``phone``."""
        ...

    @property
    def identified_by(self) -> str | None:
        """What the member was recognised by, such as ``card``; None where by nothing."""
        ...

    @property
    def total_minor(self) -> int:
        """Sum of the lines' amounts."""
        ...

    @property
    def lines(self) -> Sequence[Line]:
        """Each at its net state."""
        ...


class RevisedReceipt(Receipt, Protocol):
    """A receipt at its net state, with what came off its lines."""

    @property
    def lines(self) -> Sequence[RevisedLine]:
        """Each at its net state, and what came off it."""
        ...


class Subject(Protocol):
    """Which receipt something is about."""

    @property
    def receipt_id(self) -> UUID:
        """Which receipt."""
        ...

    @property
    def store_id(self) -> str:
        """Where it was printed."""
        ...

    @property
    def imported(self) -> bool:
        """Whether it was taken over from another system."""
        ...


class ReceiptRevision(RevisedReceipt, Subject, Protocol):
    """A receipt's net state at one revision."""

    @property
    def revision(self) -> int:
        """Grows with each change of the receipt."""
        ...

    @property
    def member_id(self) -> UUID | None:
        """Whose it is; None while nobody knows."""
        ...

    @property
    def store_id(self) -> str:
        """Where it was printed."""
        ...

    @property
    def received_at(self) -> datetime:
        """When we first heard of it, by our own clock."""
        ...

    @property
    def fulfilment(self) -> str:
        """``pending`` while goods of an order are still to come, else ``complete``."""
        ...

    @property
    def fulfilled_at(self) -> datetime | None:
        """When we heard that they had come; None for what was no order."""
        ...

    @property
    def voided(self) -> bool:
        """Whether it was undone as a mistake."""
        ...

    @property
    def total_minor(self) -> int:
        """Paid for what was kept."""
        ...

    @property
    def sold_total_minor(self) -> int:
        """Paid for what was sold."""
        ...

    @property
    def hold_ids(self) -> tuple[UUID, ...]:
        """The holds on points that it captures."""
        ...


class Occasion(Protocol):
    """What changed a receipt's worth: an event of it, or a decision on it."""

    @property
    def id(self) -> UUID:
        """The dedupe key of the event."""
        ...

    @property
    def type(self) -> str:
        """What happened, e.g. ``purchase.returned.v1``."""
        ...

    @property
    def time(self) -> datetime:
        """When that happened."""
        ...

    @property
    def data(self) -> Subject:
        """The receipt."""
        ...


class ReceiptEvent(Occasion, Protocol):
    """An event that took a receipt to a revision."""

    @property
    def data(self) -> ReceiptRevision:
        """The receipt as it now is."""
        ...


@dataclass(frozen=True, slots=True)
class _Line:
    """A line as it was once."""

    line_no: int
    sku: str
    category: str | None
    quantity_milli: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class _Receipt:
    """A receipt as it was once."""

    currency: str
    occurred_at: datetime
    clock_suspect: bool
    store_id: str
    sales_channel: str
    identified_by: str | None
    total_minor: int
    lines: Sequence[Line]


def before(receipt: RevisedReceipt, at: datetime) -> Receipt:
    """Return a receipt as it was just before ``at``, by what came off its lines since then.

    Corrections count from the sale on.
    """
    lines = [_before(line, at) for line in receipt.lines]
    return _Receipt(
        receipt.currency,
        receipt.occurred_at,
        receipt.clock_suspect,
        receipt.store_id,
        receipt.sales_channel,
        receipt.identified_by,
        sum(line.amount_minor for line in lines),
        lines,
    )


def _before(line: RevisedLine, at: datetime) -> Line:
    later = [one for one in line.returns if one.at >= at]
    if not later:
        return line
    return _Line(
        line.line_no,
        line.sku,
        line.category,
        line.quantity_milli + sum(one.quantity_milli for one in later),
        line.amount_minor + sum(one.amount_minor for one in later),
    )
