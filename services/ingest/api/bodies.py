"""The body of a purchase: what a till may say, and its canonical form."""

from datetime import datetime
from itertools import pairwise
from typing import Annotated, Protocol, TypeVar
from uuid import UUID

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from services.ingest import domain
from services.ingest.api import fields
from shared import identity, ids, telemetry
from shared.contracts.purchases import Fulfilment, SalesChannel
from shared.http.models import OneOf, Request

RECORDED = "purchase.recorded.v1"
LINES_MAX = 500


class MemberReference(OneOf):
    """How the member was recognised: exactly one of these."""

    card: fields.Identifier | None = None
    phone: fields.Identifier | None = None
    """With its country code, or as dialled in the store's country."""
    email: fields.Identifier | None = None
    app_id: fields.Identifier | None = None
    member_id: UUID | None = None


class Line(Request):
    """One line, its fields in the order of ``contracts.purchases.ReceiptLine``."""

    line_no: fields.LineNo
    sku: fields.Code
    category: fields.Label | None = None
    description: fields.Text | None = None
    quantity_milli: fields.Quantity = Field(validation_alias="quantity")
    """At most three decimals, as a string or a number; 0 is real (coupons, free goods)."""
    unit_price_minor: fields.Amount = 0
    discount_minor: fields.Amount = 0
    amount_minor: fields.Amount
    """Paid for the line, after its discount."""


class Tender(Request):
    """One means of payment."""

    kind: fields.Code
    amount_minor: fields.Amount


class Numbered(Protocol):
    """A line of whatever kind."""

    @property
    def line_no(self) -> int:
        """Unique within its body."""
        ...


AnyLine = TypeVar("AnyLine", bound=Numbered)


def in_order(lines: tuple[AnyLine, ...]) -> tuple[AnyLine, ...]:
    """Sort lines by their number: the order in which a till lists them says nothing."""
    numbers = [line.line_no for line in lines]
    in_order = sorted(numbers)
    for number, following in pairwise(in_order):
        if number == following:
            message = "line_no {line_no} comes more than once"
            raise PydanticCustomError("duplicate_line_no", message, {"line_no": number})
    if numbers == in_order:
        return lines
    return tuple(sorted(lines, key=lambda line: line.line_no))


def check_sum(what: str, amounts: list[int], total_minor: int) -> None:
    difference = sum(amounts) - total_minor
    if difference:
        message = "{what} sum to {sum}, total_minor is {total}: the difference is {difference}"
        raise PydanticCustomError(
            "total_mismatch",
            message,
            {
                "what": what,
                "sum": sum(amounts),
                "total": total_minor,
                "difference": difference,
            },
        )


class Purchase(Request):
    """A sale, as the till made it.

    Dumped to JSON it is the receipt's facts in canonical form: one order of fields and lines,
    quantities in thousandths, defaults filled in. What is excluded stands beside the facts.
    """

    store_id: fields.Code
    terminal_id: fields.Code
    receipt_no: fields.Code
    business_date: fields.BusinessDate
    occurred_at: fields.Instant = Field(exclude=True)
    """By the till's clock, with its offset."""
    terminal_seq: fields.RunningNumber | None = Field(default=None, exclude=True)
    """The till's own running number; shows gaps."""
    sales_channel: SalesChannel = "pos"
    member: MemberReference | None = Field(default=None, exclude=True)
    currency: fields.Currency
    quote_id: UUID | None = None
    hold_ids: Annotated[tuple[UUID, ...], Field(max_length=50)] = ()
    offer_ids: Annotated[tuple[UUID, ...], Field(max_length=50)] = ()
    lines: Annotated[
        tuple[Line, ...], Field(min_length=1, max_length=LINES_MAX), AfterValidator(in_order)
    ]
    tenders: Annotated[tuple[Tender, ...], Field(max_length=50)] = ()
    """Where given, they sum to the total."""
    fulfilment: Fulfilment = Field(default="complete", exclude_if=lambda told: told == "complete")
    """``pending`` while goods of an order are still to come; amendments bring them up to date."""
    total_minor: fields.Amount

    @field_validator("total_minor")
    @classmethod
    def _adds_up(cls, total_minor: int, info: ValidationInfo) -> int:
        # A part that was refused itself is missing here, and was reported already.
        if "lines" in info.data:
            check_sum("lines", [one.amount_minor for one in info.data["lines"]], total_minor)
        if info.data.get("tenders"):
            check_sum("tenders", [one.amount_minor for one in info.data["tenders"]], total_minor)
        return total_minor

    def to_sale(
        self,
        *,
        received_at: datetime,
        identity_key: bytes,
        region: str | None,
        imported: bool = False,
    ) -> domain.Sale:
        """Return the sale; raises ``Malformed`` for an identifier that can not be one."""
        key = domain.ReceiptKey(
            self.store_id, self.terminal_id, self.business_date, self.receipt_no
        )
        receipt_id = key.receipt_id
        facts = self.__pydantic_serializer__.to_json(self)
        identifier = identify(self.member, identity_key, region) if self.member else None
        return domain.Sale(
            receipt_id=receipt_id,
            event_id=ids.receipt_event_id(receipt_id, RECORDED, 1),
            key=key,
            terminal_seq=self.terminal_seq,
            identifier=identifier,
            total_minor=self.total_minor,
            occurred_at=self.occurred_at,
            received_at=received_at,
            facts=facts,
            body_sha256=domain.canonical_hash(
                facts,
                occurred_at=self.occurred_at,
                terminal_seq=self.terminal_seq,
                identifier=identifier,
            ),
            imported=imported,
            traceparent=telemetry.traceparent(),
        )


def identify(member: MemberReference, identity_key: bytes, region: str | None) -> domain.Identifier:
    """Return the hashed identifier; raises ``Malformed`` for one that can not be one."""
    kind, value = member.one()
    normalised = identity.normalise(kind, value, region=region)
    return domain.Identifier(kind, identity.identifier_hmac(identity_key, kind, normalised))
