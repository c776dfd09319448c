"""Holds on gift cards: money kept for a till until it captures or releases it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from services.loyalty.api import keyed
from services.loyalty.api.fields import Ctx, Money
from services.loyalty.api.gift_cards import CARD, GiftCode, Till
from services.loyalty.domain.gift_cards import HoldState
from services.loyalty.handlers import gift_cards, gift_holds
from services.loyalty.handlers.gift_holds import Asked, Shown
from shared.db import Tx
from shared.http import idempotency
from shared.http.models import Request
from shared.http.names import uuid

router = APIRouter(prefix="/v1", tags=["gift cards"])

HOLD = f"/gift-card-holds/{uuid('hold_id')}"
TTL_S_MAX = 86_400


class NewHold(Request):
    """Money to be kept: all of ``amount_minor``, or nothing."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"amount_minor": 1_999}]})
    amount_minor: Money
    ttl_s: Annotated[int, Field(strict=True, ge=1, le=TTL_S_MAX)] = 600
    """After so many seconds it ends by itself."""


class NewHoldByCode(NewHold):
    """Likewise, of the card with this code."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"code": "FRA9-9GX5-WN52-EC22", "amount_minor": 1_999}]}
    )
    code: GiftCode


class Capture(Request):
    """What of a hold is spent; the rest goes back to the card."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}, {"amount_minor": 1_500}]})
    amount_minor: Money | None = None
    """All of it, where it is left out."""


class HoldView(BaseModel):
    """A hold, and what its card has left."""

    hold_id: UUID
    """For `hold_ids` of the purchase, which captures it as well."""
    gift_card_id: UUID
    state: HoldState
    amount_minor: int
    captured_minor: int
    refunded_minor: int
    """What of it went back to the card since, by hand and by returns."""
    currency: str
    available_minor: int
    """What the card has left to spend."""
    opened_at: datetime
    expires_at: datetime
    receipt_id: UUID | None
    """The receipt that named it."""


@router.post(f"{CARD}/holds", status_code=201, response_model=HoldView)
async def hold_gift_card(
    gift_card_id: UUID, body: NewHold, caller: Till, context: Ctx, key: idempotency.Header
) -> Response:
    """Keep money of a card. With less on it than asked for: 422 with what there is."""
    who = keyed.who(caller)
    asked = Asked(gift_card_id, body.amount_minor, body.ttl_s)

    async def effect(tx: Tx) -> BaseModel:
        return _view(await gift_holds.place(tx, asked, who, context))

    return await keyed.answer(key, caller, context, effect, status=201)


@router.post("/gift-card-holds", status_code=201, response_model=HoldView)
async def hold_gift_card_by_code(
    body: NewHoldByCode, caller: Till, context: Ctx, key: idempotency.Header
) -> Response:
    """Keep money of the card whose code a till has scanned: look-up and hold in one call."""
    who = keyed.who(caller)

    async def effect(tx: Tx) -> BaseModel:
        card_id = await gift_cards.find(tx, body.code, caller.key_id, context)
        asked = Asked(card_id, body.amount_minor, body.ttl_s)
        return _view(await gift_holds.place(tx, asked, who, context))

    return await keyed.answer(key, caller, context, effect, status=201)


@router.get(HOLD)
async def get_gift_card_hold(hold_id: UUID, caller: Till, context: Ctx) -> HoldView:
    """Return a hold; to a till only those of its own store."""
    async with context.db.transaction() as tx:
        return _view(await gift_holds.show(tx, hold_id, keyed.who(caller)))


@router.post(f"{HOLD}:capture", response_model=HoldView)
async def capture_gift_card_hold(
    hold_id: UUID, body: Capture, caller: Till, context: Ctx, key: idempotency.Header
) -> Response:
    """Spend a hold, or a part of it. A purchase that names it does the same, once."""
    who = keyed.who(caller)

    async def effect(tx: Tx) -> BaseModel:
        amount = body.amount_minor
        return _view(await gift_holds.capture(tx, hold_id, amount, who, context=context))

    return await keyed.answer(key, caller, context, effect)


@router.post(f"{HOLD}:release", response_model=HoldView)
async def release_gift_card_hold(
    hold_id: UUID, caller: Till, context: Ctx, key: idempotency.Header
) -> Response:
    """Give a hold back to its card; one that has ended stays as it is."""
    who = keyed.who(caller)

    async def effect(tx: Tx) -> BaseModel:
        return _view(await gift_holds.release(tx, hold_id, who, context))

    return await keyed.answer(key, caller, context, effect)


def _view(shown: Shown) -> HoldView:
    hold = shown.hold
    return HoldView(
        hold_id=hold.hold_id,
        gift_card_id=hold.gift_card_id,
        state=hold.state,
        amount_minor=hold.amount_minor,
        captured_minor=hold.captured_minor,
        refunded_minor=hold.back_minor,
        currency=shown.currency,
        available_minor=shown.available_minor,
        opened_at=hold.opened_at,
        expires_at=hold.expires_at,
        receipt_id=hold.receipt_id,
    )
