"""``POST /v1/previews``: what a basket would earn, and why not more."""

from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import AfterValidator, BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from services.loyalty.api.challenges import ChallengeShape, shape
from services.loyalty.api.fields import Ctx, IdentifierValue
from services.loyalty.api.ledger import ExplainLine
from services.loyalty.handlers import previews
from services.loyalty.handlers.challenges import Ahead
from services.loyalty.handlers.previews import Basket, BasketLine, ReceiptNumber
from services.loyalty.settings.parts import RuleId, Written, WrittenInstant
from shared import auth
from shared.contracts.purchases import Fulfilment, SalesChannel
from shared.http.models import OneOf, Request

router = APIRouter(prefix="/v1", tags=["previews"])

ANYBODY = Depends(auth.require("terminal", "app", "staff", "marketer", "admin"))
AMOUNT_MAX = 2**53 - 1
Amount = Annotated[int, Field(strict=True, ge=0, le=AMOUNT_MAX)]
Short = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
Label = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Quantity = Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=3)]


class Whose(OneOf):
    """How the member was recognised: exactly one of these."""

    card: IdentifierValue | None = None
    phone: IdentifierValue | None = None
    email: IdentifierValue | None = None
    app_id: IdentifierValue | None = None
    member_id: UUID | None = None


class LineInput(Request):
    """One line, as in a purchase."""

    line_no: Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
    sku: Short
    category: Label | None = None
    """Rules on categories see what is sent: nothing is looked up in the catalogue here."""
    description: Annotated[str, Field(max_length=500)] | None = None
    quantity: Quantity
    unit_price_minor: Amount = 0
    discount_minor: Amount = 0
    amount_minor: Amount


class TenderInput(Request):
    """One means of payment."""

    kind: Short
    amount_minor: Amount


def _numbered_once(lines: tuple[LineInput, ...]) -> tuple[LineInput, ...]:
    for number, following in pairwise(sorted(one.line_no for one in lines)):
        if number == following:
            message = "line_no {line_no} comes more than once"
            raise PydanticCustomError("duplicate_line_no", message, {"line_no": number})
    return lines


class PreviewInput(Request):
    """A basket in the shape of a purchase; what a till does not know yet may be left out."""

    store_id: Short
    terminal_id: Short | None = None
    receipt_no: Short | None = None
    business_date: Annotated[date, Written] | None = None
    occurred_at: WrittenInstant | None = None
    """Now, without it."""
    terminal_seq: Annotated[int, Field(strict=True, ge=0, le=AMOUNT_MAX)] | None = None
    sales_channel: SalesChannel = "pos"
    member: Whose | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["USD"])]
    quote_id: UUID | None = None
    hold_ids: Annotated[tuple[UUID, ...], Field(max_length=50)] = ()
    offer_ids: Annotated[tuple[UUID, ...], Field(max_length=50)] = ()
    lines: Annotated[
        tuple[LineInput, ...],
        Field(min_length=1, max_length=500),
        AfterValidator(_numbered_once),
    ]
    tenders: Annotated[tuple[TenderInput, ...], Field(max_length=50)] = ()
    fulfilment: Fulfilment = "complete"
    total_minor: Amount | None = None
    """The sum of the lines, where it is sent."""
    version: RuleId | None = None
    """Try this version of the rules, a draft also, as if it were in force."""

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        total = sum(one.amount_minor for one in self.lines)
        if self.total_minor not in {None, total}:
            message = "lines sum to {sum}, total_minor is {total}"
            raise PydanticCustomError(
                "total_mismatch", message, {"sum": total, "total": self.total_minor}
            )
        return self

    def to_basket(self, now: datetime) -> Basket:
        """Return the basket as handlers take it."""
        number = None
        if self.terminal_id and self.receipt_no and self.business_date:
            number = ReceiptNumber(self.terminal_id, self.business_date, self.receipt_no)
        return Basket(
            currency=self.currency,
            occurred_at=self.occurred_at or now,
            store_id=self.store_id,
            sales_channel=self.sales_channel,
            member=self.member.one() if self.member else None,
            total_minor=sum(one.amount_minor for one in self.lines),
            lines=[
                BasketLine(
                    one.line_no,
                    one.sku,
                    one.category,
                    int(one.quantity * 1_000),
                    one.amount_minor,
                )
                for one in sorted(self.lines, key=lambda one: one.line_no)
            ],
            number=number,
        )


class ReasonView(BaseModel):
    """Why a rule gave nothing, or nothing on those lines."""

    code: str
    words: str
    seen: str | int | None
    """What the basket has in place of what the rule asks."""
    lines: list[int]


class RuleView(BaseModel):
    """One rule of the version; `reasons` are empty where it gave all that it could."""

    rule: str
    title: str
    kind: Literal["base", "bonus", "excluded", "cap"]
    applied: bool
    lines: list[int]
    reasons: list[ReasonView]


class AheadView(ChallengeShape):
    """A challenge of the rules that the basket would move."""

    so_far: int
    """In the period of the basket, without it."""
    so_far_after: int
    reaches_goal: bool
    """Whether it reaches the goal of its period."""
    points: int
    """What the challenge would give, beside the basket's own; 0 while more is missing."""


class PreviewView(BaseModel):
    """What a basket would earn now; nothing was written."""

    version: str | None
    """Null where no rules are in force for it, or for its currency."""
    member_id: UUID | None
    """Null without a member, and for one whom nobody knows by that yet."""
    points: int
    desired_points: int
    """What it would be without caps."""
    capped_by: str | None
    qualifying_minor: int
    value_minor: int
    """What the points are worth."""
    lines: list[ExplainLine]
    rules: list[RuleView]
    needs_approval: bool
    """Whether its points would wait until somebody of the staff approves the receipt."""
    challenges: list[AheadView] | None
    """What it would move, by the order of the rules; null where no member is known."""


@router.post("/previews", dependencies=[ANYBODY])
async def preview_points(body: PreviewInput, context: Ctx) -> PreviewView:
    """Return what the basket would earn, line by line, and for each rule why not.

    For a member also what it would do for the challenges of the rules. Nothing is written.
    """
    basket = body.to_basket(context.clock.now())
    async with context.db.transaction() as tx:
        found = await previews.preview(tx, basket, body.version, context)
    moved = None if found.challenges is None else [_ahead(one) for one in found.challenges]
    return PreviewView.model_validate(asdict(found) | {"challenges": moved})


def _ahead(one: Ahead) -> AheadView:
    return AheadView(
        **shape(one.challenge),
        so_far=one.so_far,
        so_far_after=one.so_far_after,
        reaches_goal=one.reaches_goal,
        points=one.points,
    )
