"""Holds: points reserved while a till takes the money."""

from collections.abc import Awaitable
from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from starlette.responses import Response

from services.loyalty.api.fields import Ctx
from services.loyalty.api.gift_cards import IssuedView, StoredCard, reveal, stored
from services.loyalty.api.possession import IdentifiedBy
from services.loyalty.api.rewards import RewardTerms, terms_of
from services.loyalty.context import LoyaltyContext
from services.loyalty.domain import spending
from services.loyalty.domain.rewards import gift_card_of
from services.loyalty.domain.spending import Spend
from services.loyalty.handlers import holds, reward_cards
from services.loyalty.settings.parts import RuleId
from shared import auth
from shared.auth import Caller
from shared.db import Tx, run_unit
from shared.http import idempotency
from shared.http.models import OneOf, Request
from shared.http.names import bare
from shared.http.raw import RawRoute

router = APIRouter(prefix="/v1/holds", tags=["holds"])
tills = APIRouter(prefix="/v1/holds", tags=["holds"], route_class=RawRoute)
"""What tills do all day."""

Desk = Annotated[Caller, Depends(auth.require("terminal", "app", "staff", "admin"))]
POINTS_MAX = 1_000_000_000
Points = Annotated[int, Field(strict=True, ge=1, le=POINTS_MAX)]


class HoldInput(OneOf):
    """What to reserve for a member: exactly one of points and a reward."""

    alternatives: ClassVar = frozenset({"points", "reward_id"})

    member_id: UUID
    points: Points | None = None
    reward_id: RuleId | None = None
    """One of `GET /v1/rewards`, at its price of this moment."""
    identified_by: IdentifiedBy
    """How the member was recognised: a card and a code of the app prove that they are there."""
    ttl_s: Annotated[int, Field(strict=True, ge=1, le=spending.TTL_S_MAX)] = spending.TTL_S
    """For how long; it ends by itself."""


class CaptureInput(Request):
    """What is spent of the hold."""

    points: Points | None = None
    """All of it without; the rest goes back. Not for a reward, which is not divisible."""


class HoldView(BaseModel):
    """A hold, and what became of it."""

    hold_id: UUID
    member_id: UUID
    state: Literal["held", "captured", "released", "expired"]
    points: int
    """What was granted."""
    captured_points: int
    """What was spent of it."""
    returned_points: int
    """What of that came back with the goods that it had paid for."""
    created_at: datetime
    expires_at: datetime
    closed_at: datetime | None
    receipt_id: UUID | None
    """The purchase that it paid for, once that has named it."""
    reward: RewardTerms | None = None
    """What it takes, on the terms of its grant; null where points are spent as such."""
    gift_card_id: UUID | None = None
    """The gift card that the reward became when it was captured."""


class CapturedView(HoldView):
    """A hold that was captured, and the gift card that it was for."""

    gift_card: IssuedView | None = None
    """With its code, which is shown in this answer and in replays of it, never again."""


class _Stored(HoldView):
    """What is kept of that answer."""

    gift_card: StoredCard | None = None


@tills.post("", status_code=201, response_model=HoldView)
async def open_hold(
    body: HoldInput, caller: Desk, keyed: idempotency.Header, context: Ctx
) -> Response:
    """Reserve points; 409 where fewer are available. What is held, nobody else can spend.

    With `reward_id`, one piece of that reward and a place in the member's limit are reserved with
    its price; 409 says why it is not for them now.

    Who is known by telephone number or e-mail address alone can not spend more than the shop's
    setting says, which is nothing unless it is changed: 403.
    """
    wish = holds.Wish(
        body.identified_by.claim(body.member_id), body.ttl_s, body.points, body.reward_id
    )
    return await run_unit(
        context.db,
        lambda tx: idempotency.answer(
            tx,
            keyed,
            caller,
            lambda: _shown(holds.open_hold(tx, wish, caller, context), context),
            status=201,
        ),
    )


@tills.post("/{hold_id}:capture", response_model=CapturedView)
async def capture_hold(
    hold_id: UUID, body: CaptureInput, caller: Desk, keyed: idempotency.Header, context: Ctx
) -> Response:
    """Spend what is held; a purchase that names the hold does the same.

    But for a reward that is a gift card, which is made here and by no purchase.
    """

    async def effect(tx: Tx) -> BaseModel:
        captured = await reward_cards.capture(tx, hold_id, caller, context, points=body.points)
        card = stored(*captured.card, context) if captured.card else None
        return _Stored(**_view(captured.spend, context).model_dump(), gift_card=card)

    answer = await run_unit(
        context.db, lambda tx: idempotency.answer(tx, keyed, caller, lambda: effect(tx))
    )
    return _revealed(answer, context)


@router.post("/{hold_id}:release", response_model=HoldView)
async def release_hold(
    hold_id: UUID, caller: Desk, keyed: idempotency.Header, context: Ctx
) -> Response:
    """Give the points back before the hold ends by itself."""
    return await run_unit(
        context.db,
        lambda tx: idempotency.answer(
            tx, keyed, caller, lambda: _shown(holds.release(tx, hold_id, caller, context), context)
        ),
    )


@router.get(f"/{bare('hold_id')}")
async def get_hold(hold_id: UUID, caller: Desk, context: Ctx) -> HoldView:
    """Return a hold."""
    async with context.db.transaction() as tx:
        return _view(await holds.get(tx, hold_id, caller), context)


async def _shown(spend: Awaitable[Spend], context: LoyaltyContext) -> HoldView:
    return _view(await spend, context)


def _revealed(answer: Response, context: LoyaltyContext) -> Response:
    """Put the code of a gift card into the answer that was stored without it."""
    if answer.status_code != 200:
        return answer
    kept = _Stored.model_validate_json(bytes(answer.body))
    if kept.gift_card is None:
        return answer
    card = reveal(kept.gift_card, context)
    shown = CapturedView(**kept.model_dump(exclude={"gift_card"}), gift_card=card)
    replayed = answer.headers.get(idempotency.REPLAYED_HEADER)
    headers = {idempotency.REPLAYED_HEADER: replayed} if replayed else None
    return Response(shown.model_dump_json(), 200, headers, "application/json")


def _view(spend: Spend, context: LoyaltyContext) -> HoldView:
    return HoldView(
        hold_id=spend.spend_id,
        member_id=spend.member_id,
        state=spend.state,
        points=spend.points,
        captured_points=spend.captured,
        returned_points=spend.captured - spend.taken if spend.state == "captured" else 0,
        created_at=spend.at,
        expires_at=spend.expires_at,
        closed_at=spend.closed_at,
        receipt_id=spend.receipt_id,
        reward=terms_of(spend, context),
        gift_card_id=gift_card_of(spend),
    )
