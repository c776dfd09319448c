"""Gift cards: sell, load, look up, block; what a day moved."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from services.loyalty.api import keyed
from services.loyalty.api.fields import Code, Ctx, Currency, Day, Instant, Money
from services.loyalty.context import LoyaltyContext
from services.loyalty.domain import gift_cards as rules
from services.loyalty.domain import gift_codes
from services.loyalty.handlers import gift_books, gift_cards, gift_holds
from services.loyalty.handlers.gift_cards import Wanted
from services.loyalty.handlers.gift_holds import Asked
from services.loyalty.store.gift_cards import Row
from shared import auth
from shared.auth import Caller
from shared.db import Tx, run_unit
from shared.http import idempotency, pages
from shared.http.idempotency import REPLAYED_HEADER
from shared.http.models import Request
from shared.http.names import uuid

router = APIRouter(prefix="/v1", tags=["gift cards"])

TILL = Depends(auth.require("terminal", "app", "staff", "admin"))
OFFICE = Depends(auth.require("app", "staff", "admin"))
CASHIER = Depends(auth.require("staff", "admin"))
Till = Annotated[Caller, TILL]
Counter = Annotated[Caller, Depends(auth.require("terminal", "staff", "admin"))]
Cashier = Annotated[Caller, CASHIER]

CARD = f"/gift-cards/{uuid('gift_card_id')}"
CURSOR: pages.Cursor[int] = pages.Cursor(int)
GiftCode = Annotated[
    str, Field(min_length=1, max_length=gift_codes.TYPED_MAX, examples=["FRA9-9GX5-WN52-EC22"])
]
"""As printed or typed: case, blanks and hyphens do not matter."""


class NewCard(Request):
    """A card to be sold."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"amount_minor": 5_000, "currency": "USD", "reference": "web-4711"}]
        }
    )
    amount_minor: Annotated[int, Field(strict=True, ge=0, le=2**53 - 1)]
    """What it is sold for. 0 for one that is loaded later."""
    currency: Currency
    reference: Code | None = None
    """The shop's own: an order, a batch of printed cards."""
    expires_at: Instant | None = None
    """Never, where it is left out; otherwise not sooner than the shop's setting allows."""
    activate: bool = True
    """Whether it is paid for. One that is not has no money until `:activate`."""


class Load(Request):
    """Money that is put on a card."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"amount_minor": 2_500}]})
    amount_minor: Money


class Refund(Request):
    """Money that goes back to the card, of what a hold of it captured."""

    hold_id: UUID
    amount_minor: Money


class Lookup(Request):
    """The code of a card: never in a path, which is logged."""

    code: GiftCode


class CardView(BaseModel):
    """A gift card, without its code."""

    gift_card_id: UUID
    masked_code: str
    state: Literal["inactive", "active", "blocked", "expired"]
    currency: str
    balance_minor: int
    """What is on it: available and held."""
    available_minor: int
    """What can be spent now."""
    held_minor: int
    """What is kept for tills."""
    amount_minor: int
    """What it is sold for."""
    reference: str | None
    created_at: datetime
    activated_at: datetime | None
    expires_at: datetime | None
    state_by: str
    """Who brought it into its state: a role and a key, or a part of the service."""
    state_at: datetime


class IssuedView(CardView):
    """A new card, with its code: it is shown in this answer and in replays of it, never again."""

    code: str


class StoredCard(CardView):
    """What is kept of that answer: the code can be made of the seed with the service's key."""

    code_seed: str


class EntryView(BaseModel):
    """One row of a card's ledger."""

    version: int
    """Counts the card's entries; newest first."""
    amount_minor: int
    """Positive; which way it went is in the accounts."""
    from_account: str
    """`available` and `held` are the card's; the others are the programme's."""
    to_account: str
    available_after_minor: int
    held_after_minor: int
    cause_id: UUID
    hold_id: UUID | None
    receipt_id: UUID | None
    actor: str
    """Who did it: a role and a key, or a part of the service."""
    occurred_at: datetime
    posted_at: datetime


class ClosingView(BaseModel):
    """What was owed on gift cards before a day, what moved it, and what was owed after it.

    Movements have the sign of what they do to the debt: `opening_minor` and all movements add up
    to `closing_minor`.
    """

    date: date
    time_zone: str
    currency: str
    opening_minor: int
    sold_minor: int
    rewarded_minor: int
    """Given to members for points."""
    loaded_minor: int
    redeemed_minor: int
    refunded_minor: int
    expired_minor: int
    lost_minor: int
    """Spent under holds that had ended and that no card had money for any more; the programme's
    loss, and part of `redeemed_minor`."""
    closing_minor: int
    complete: bool
    """Whether the day is over."""


@router.post("/gift-cards", status_code=201, response_model=IssuedView)
async def create_gift_card(
    body: NewCard, caller: Cashier, context: Ctx, key: idempotency.Header
) -> Response:
    """Sell a gift card. The code is shown here alone; the same key again shows it again."""
    who = keyed.who(caller)
    wanted = Wanted(**body.model_dump())

    async def effect(tx: Tx) -> BaseModel:
        row, seed = await gift_cards.issue(tx, wanted, who, context)
        return stored(row, seed, context)

    answer = await keyed.answer(key, caller, context, effect, status=201)
    return _revealed(answer, context)


@router.post("/gift-cards:lookup")
async def look_up_gift_card(body: Lookup, caller: Till, context: Ctx) -> CardView:
    """Find a card by its code. Wrong ones look all alike, and too many of them are 429."""
    async with context.db.transaction() as tx:
        card_id = await gift_cards.find(tx, body.code, caller.key_id, context)
        return _view(await gift_cards.show(tx, card_id), context)


@router.get(CARD, dependencies=[TILL])
async def get_gift_card(gift_card_id: UUID, context: Ctx) -> CardView:
    """Return a card."""
    async with context.db.transaction() as tx:
        return _view(await gift_cards.show(tx, gift_card_id), context)


@router.get(f"{CARD}/entries", dependencies=[OFFICE])
async def list_gift_card_entries(
    gift_card_id: UUID,
    context: Ctx,
    limit: pages.Limit = 50,
    cursor: pages.CursorText = None,
) -> pages.Page[EntryView]:
    """List what happened to a card's money, newest first."""
    before = CURSOR.decode(cursor)
    async with context.db.transaction() as tx:
        rows = await gift_cards.entries(tx, gift_card_id, before=before, limit=limit + 1)
    return CURSOR.page([_entry(row) for row in rows], limit, lambda one: one.version)


@router.post(f"{CARD}:activate")
async def activate_gift_card(gift_card_id: UUID, caller: Counter, context: Ctx) -> CardView:
    """Activate a card that has been paid for; one that is active stays as it is."""
    who = keyed.who(caller)
    row = await run_unit(context.db, lambda tx: gift_cards.activate(tx, gift_card_id, who, context))
    return _view(row, context)


@router.post(f"{CARD}:load", response_model=CardView)
async def load_gift_card(
    gift_card_id: UUID, body: Load, caller: Cashier, context: Ctx, key: idempotency.Header
) -> Response:
    """Put more money on an active card."""
    who = keyed.who(caller)

    async def effect(tx: Tx) -> BaseModel:
        row = await gift_cards.load(tx, gift_card_id, body.amount_minor, who, context=context)
        return _view(row, context)

    return await keyed.answer(key, caller, context, effect)


@router.post(f"{CARD}:refund", response_model=CardView)
async def refund_gift_card(
    gift_card_id: UUID, body: Refund, caller: Cashier, context: Ctx, key: idempotency.Header
) -> Response:
    """Give captured money back by hand. What returns of the receipt give back comes beside it."""
    who = keyed.who(caller)
    asked = Asked(gift_card_id, body.amount_minor, ttl_s=0)

    async def effect(tx: Tx) -> BaseModel:
        await gift_holds.refund(tx, asked, body.hold_id, who, context=context)
        return _view(await gift_cards.show(tx, gift_card_id), context)

    return await keyed.answer(key, caller, context, effect)


@router.post(f"{CARD}:block")
async def block_gift_card(gift_card_id: UUID, caller: Cashier, context: Ctx) -> CardView:
    """Stop a card that was lost or stolen: no hold, no load. What is held may be captured."""
    who = keyed.who(caller)
    row = await run_unit(context.db, lambda tx: gift_cards.block(tx, gift_card_id, who, context))
    return _view(row, context)


@router.post(f"{CARD}:unblock")
async def unblock_gift_card(gift_card_id: UUID, caller: Cashier, context: Ctx) -> CardView:
    """Let a blocked card be what it was before."""
    who = keyed.who(caller)
    row = await run_unit(context.db, lambda tx: gift_cards.unblock(tx, gift_card_id, who, context))
    return _view(row, context)


@router.get("/reports/gift-cards", dependencies=[CASHIER])
async def report_gift_cards(context: Ctx, day: Annotated[Day, Query(alias="date")]) -> ClosingView:
    """Return the closing of one day: opening and movements add up to what is owed after it."""
    async with context.db.transaction() as tx:
        found = await gift_books.closing(tx, day, context)
    return ClosingView(
        date=day,
        time_zone=context.programme.time_zone.key,
        currency=context.programme.currency,
        opening_minor=found.opening_minor,
        sold_minor=found.sold_minor,
        rewarded_minor=found.rewarded_minor,
        loaded_minor=found.loaded_minor,
        redeemed_minor=found.redeemed_minor,
        refunded_minor=found.refunded_minor,
        expired_minor=found.expired_minor,
        lost_minor=found.lost_minor,
        closing_minor=found.closing_minor,
        complete=found.complete,
    )


def _shown(row: Row, context: LoyaltyContext) -> dict[str, Any]:
    ended = rules.has_ended(row["state"], row["expires_at"], context.clock.now())
    return {
        **row,
        "state": "expired" if ended else row["state"],
        "masked_code": gift_codes.masked(row["code_tail"]),
        "balance_minor": row["available_minor"] + row["held_minor"],
        "amount_minor": row["face_minor"],
    }


def _view(row: Row, context: LoyaltyContext) -> CardView:
    return CardView.model_validate(_shown(row, context))


def stored(row: Row, seed: str, context: LoyaltyContext) -> StoredCard:
    """Return what is kept of the answer that shows a new card."""
    return StoredCard(**_shown(row, context), code_seed=seed)


def reveal(card: StoredCard, context: LoyaltyContext) -> IssuedView:
    """Return that answer with the code."""
    code = gift_codes.grouped(gift_cards.code_of(card.code_seed, context))
    return IssuedView(**card.model_dump(exclude={"code_seed"}), code=code)


def _revealed(answer: Response, context: LoyaltyContext) -> Response:
    """Put the code into the answer that was stored without it."""
    if answer.status_code != 201:
        return answer
    shown = reveal(StoredCard.model_validate_json(bytes(answer.body)), context)
    replayed = answer.headers.get(REPLAYED_HEADER)
    headers = {REPLAYED_HEADER: replayed} if replayed else None
    return Response(shown.model_dump_json(), 201, headers, "application/json")


def _entry(row: Any) -> EntryView:  # noqa: ANN401  a row of ``gift_entry``
    return EntryView(
        version=row.version,
        amount_minor=row.amount_minor,
        from_account=row.from_account,
        to_account=row.to_account,
        available_after_minor=row.available_after,
        held_after_minor=row.held_after,
        cause_id=row.cause_id,
        hold_id=row.hold_id,
        receipt_id=row.receipt_id,
        actor=row.actor,
        occurred_at=row.occurred_at,
        posted_at=row.posted_at,
    )
