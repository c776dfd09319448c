"""Quotes: a basket goes in, the lines with discounts and every offer considered come out."""

from datetime import date, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from services.offers.api.fields import Amount, Code, Ctx, Currency, Label, Quantity, Text
from services.offers.domain.quoting import BasketLine, Outcome, Quote
from services.offers.handlers import quotes
from services.offers.handlers.quotes import Basket
from shared import auth, ids
from shared.errors import Malformed
from shared.http.models import Request

router = APIRouter(prefix="/v1/quotes", tags=["quotes"])

Tills = Annotated[auth.Caller, Depends(auth.require("terminal", "app", "staff", "admin"))]
LINES_MAX = 500
Identifier = Annotated[str, Field(min_length=1, max_length=254)]
Ids = Annotated[tuple[UUID, ...], Field(max_length=50)]


class MemberReference(Request):
    """Whose basket it is. Offers knows members by their id alone."""

    card: Identifier | None = None
    phone: Identifier | None = None
    email: Identifier | None = None
    app_id: Identifier | None = None
    member_id: UUID | None = None


class QuoteLine(Request):
    """A line as in a purchase; ``amount_minor`` is after the till's own discounts."""

    line_no: Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
    sku: Code
    category: Label | None = None
    description: Text | None = None
    quantity: Quantity
    unit_price_minor: Amount = 0
    discount_minor: Amount = 0
    amount_minor: Amount


class Tender(Request):
    """One means of payment; a quote does not look at it."""

    kind: Code
    amount_minor: Amount


class QuoteRequest(Request):
    """A basket, in the form of a purchase; what a till knows only at the end may be left out."""

    store_id: Code
    terminal_id: Code | None = None
    receipt_no: Code | None = None
    business_date: date | None = None
    occurred_at: AwareDatetime | None = None
    """Not looked at: a quote is of now."""
    terminal_seq: Annotated[int, Field(strict=True, ge=0)] | None = None
    sales_channel: Literal["pos", "app", "web", "phone"] = "pos"
    member: MemberReference | None = None
    currency: Currency
    quote_id: UUID | None = None
    hold_ids: Ids = ()
    offer_ids: Ids = ()
    """Only these offers; none named means the whole wallet."""
    lines: Annotated[tuple[QuoteLine, ...], Field(min_length=1, max_length=LINES_MAX)]
    tenders: Annotated[tuple[Tender, ...], Field(max_length=50)] = ()
    total_minor: Amount | None = None

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        numbers = [line.line_no for line in self.lines]
        if len(set(numbers)) < len(numbers):
            raise PydanticCustomError("duplicate_line_no", "a line_no comes more than once")
        total = sum(line.amount_minor for line in self.lines)
        if self.total_minor is not None and total != self.total_minor:
            message = "lines sum to {sum}, total_minor is {total}: the difference is {difference}"
            found = {
                "sum": total,
                "total": self.total_minor,
                "difference": total - self.total_minor,
            }
            raise PydanticCustomError("total_mismatch", message, found)
        return self


class QuotedLine(BaseModel):
    """A line and what an offer takes off it."""

    line_no: int
    sku: str
    amount_minor: int
    discount_minor: int
    net_amount_minor: int
    offer_id: UUID | None


class ConsideredOffer(BaseModel):
    """An offer of the wallet and what became of it."""

    offer_id: UUID
    outcome: Outcome
    reason: str


class QuoteAnswer(BaseModel):
    """The quote. Put ``offer_ids`` and the discounts on the purchase to redeem."""

    quote_id: UUID
    """Of the same basket and the same answer always the same."""
    member_id: UUID
    currency: str
    lines: list[QuotedLine]
    considered: list[ConsideredOffer]
    offer_ids: list[UUID]
    """The offers that were applied."""
    subtotal_minor: int
    discount_minor: int
    total_minor: int
    points_preview: int | None = None
    """Not known to this service yet."""
    quoted_at: datetime


@router.post("")
async def quote_basket(body: QuoteRequest, context: Ctx, caller: Tills) -> QuoteAnswer:
    """Quote a basket; nothing is written, nothing is held."""
    caller.check_terminal(body.store_id, body.terminal_id)
    basket = Basket(
        member_id=_member_id(body.member),
        currency=body.currency,
        lines=tuple(
            BasketLine(
                line_no=line.line_no,
                sku=line.sku,
                category=line.category,
                quantity_milli=int(line.quantity * 1000),
                amount_minor=line.amount_minor,
            )
            for line in body.lines
        ),
        offer_ids=frozenset(body.offer_ids),
    )
    async with context.db.transaction() as tx:
        quote = await quotes.quote(tx, basket, context)
    return _answer(body, basket, quote, quoted_at=context.clock.now())


def _member_id(member: MemberReference | None) -> UUID:
    """Return the id; the other identifiers are known to loyalty alone."""
    if member is None or member.member_id is None:
        raise Malformed(
            "member_id_required",
            "A quote needs the member's id; look it up with GET /v1/members:lookup at loyalty.",
            errors=[{"field": "member.member_id", "message": "is required"}],
        )
    others = [name for name in ("card", "phone", "email", "app_id") if getattr(member, name)]
    if others:
        raise Malformed(
            "member_id_required",
            "Name the member by member_id alone.",
            errors=[{"field": f"member.{name}", "message": "is not looked up"} for name in others],
        )
    return member.member_id


def _answer(
    body: QuoteRequest, basket: Basket, quote: Quote, *, quoted_at: datetime
) -> QuoteAnswer:
    lines = [
        QuotedLine(
            line_no=line.line_no,
            sku=asked.sku,
            amount_minor=line.amount_minor,
            discount_minor=line.discount_minor,
            net_amount_minor=line.net_amount_minor,
            offer_id=line.offer_id,
        )
        for asked, line in zip(body.lines, quote.lines, strict=True)
    ]
    considered = [
        ConsideredOffer(offer_id=one.offer_id, outcome=one.outcome, reason=one.reason)
        for one in quote.considered
    ]
    spelled = body.model_dump_json() + "".join(line.model_dump_json() for line in lines)
    return QuoteAnswer(
        quote_id=ids.derived_id(basket.member_id, f"quote:{spelled}"),
        member_id=basket.member_id,
        currency=basket.currency,
        lines=lines,
        considered=considered,
        offer_ids=[one.offer_id for one in quote.considered if one.outcome == "applied"],
        subtotal_minor=quote.subtotal_minor,
        discount_minor=quote.discount_minor,
        total_minor=quote.total_minor,
        quoted_at=quoted_at,
    )
