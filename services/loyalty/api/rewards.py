"""Rewards: what there is for points, what a member may take, and how many there are."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from services.loyalty.api.fields import Ctx
from services.loyalty.context import LoyaltyContext
from services.loyalty.domain.rewards import Kind, Per, Reward
from services.loyalty.domain.spending import Spend
from services.loyalty.handlers import rewards
from services.loyalty.handlers.rewards import Considered, Offered
from shared import auth
from shared.db import run_unit
from shared.http.models import Request

router = APIRouter(prefix="/v1", tags=["rewards"])

ANYBODY = Depends(auth.require("terminal", "app", "staff", "marketer", "admin"))
DESK = Depends(auth.require("terminal", "app", "staff", "admin"))
MARKETERS = Depends(auth.require("marketer", "admin"))
STOCK_MAX = 1_000_000_000
TAKEN_MAX = 100
"""So many that a member has taken are shown."""
RewardName = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class RewardTerms(BaseModel):
    """A reward as a version of the programme describes it."""

    reward_id: str
    title: str | None
    """Null, as the rest, where this process no longer has that version of the programme."""
    kind: Kind | None
    sku: str | None
    """Of a `product`: what is handed over."""
    percent: int | None
    """Of a `percent`: what is taken off the purchase."""
    amount_minor: int | None
    """Of an `amount`: the same, as money; of a `gift_card` what is on it."""
    programme_version: str


class LimitView(BaseModel):
    """At most so many for a member, ever or in a calendar period of the programme's zone."""

    times: int
    per: Per


class RewardView(RewardTerms):
    """A reward of the version in force."""

    points: int
    """Its price."""
    tiers: list[str]
    """Who may take it; everybody where it is empty."""
    per_member: LimitView | None
    available_from: datetime | None
    available_until: datetime | None
    """The first instant at which it can not be taken any more."""
    stock: int | None
    """How many there are altogether; null without an end."""
    left: int | None
    """How many of them can still be taken."""


class RewardList(BaseModel):
    """All rewards that have not ended, as the programme lists them."""

    data: list[RewardView]
    next_cursor: None = None


class ReasonView(BaseModel):
    """Why a member can not take a reward now."""

    code: str
    """The code of the problem that a hold would get."""
    words: str
    again_at: datetime | None
    """From when on this would not hinder any more, where time alone decides."""


class MemberRewardView(RewardView):
    """A reward as one member sees it."""

    affordable: bool
    """Whether the available points are enough."""
    points_missing: int
    allowed: bool
    """Whether tier, limit, stock and time allow it, whatever the points."""
    reasons: list[ReasonView]
    """All that hinders, points too; empty where a hold would be granted."""
    taken: int
    """How many the member has: in the period that `per_member` counts, or ever."""


class TakenView(BaseModel):
    """A reward that a member has, or that is reserved for them."""

    hold_id: UUID
    reward: RewardTerms
    points: int
    """What it cost."""
    state: str
    """`held` or `captured`."""
    taken_at: datetime


class MemberRewardList(BaseModel):
    """What there is for a member, and what they have taken."""

    data: list[MemberRewardView]
    next_cursor: None = None
    taken: list[TakenView]
    """The newest first, 100 at most; without what was given back."""


class StockInput(Request):
    """How many pieces, or seats, there are."""

    stock: Annotated[int, Field(strict=True, ge=0, le=STOCK_MAX)] | None
    """Altogether, those that members have taken included; null: no end."""


class StockView(BaseModel):
    """The stock of a reward."""

    reward_id: str
    stock: int | None
    taken: int
    """How many are reserved or were handed over."""
    left: int | None


@router.get("/rewards", dependencies=[ANYBODY])
async def list_rewards(context: Ctx) -> RewardList:
    """List the rewards of the version in force, and how many are left of each."""
    async with context.db.transaction() as tx:
        found = await rewards.catalogue(tx, context)
    return RewardList(data=[RewardView(**_offered(one)) for one in found])


@router.put("/rewards/{reward_id}/stock", dependencies=[MARKETERS])
async def put_stock(reward_id: RewardName, body: StockInput, context: Ctx) -> StockView:
    """Say how many there are altogether. The same again changes nothing.

    Fewer than are taken leaves none; nobody loses what they have. 404 for a reward that no
    published version has.
    """
    found = await run_unit(
        context.db, lambda tx: rewards.set_stock(tx, reward_id, body.stock, context)
    )
    return StockView(reward_id=reward_id, stock=found.stock, taken=found.taken, left=found.left)


@router.get("/members/{member_id}/rewards", dependencies=[DESK])
async def list_member_rewards(member_id: UUID, context: Ctx) -> MemberRewardList:
    """List the rewards with what a member could take now, why not, and what they have taken."""
    async with context.db.transaction() as tx:
        shelf = await rewards.shelf(tx, member_id, context)
    taken = [_taken(one, context) for one in shelf.taken[:TAKEN_MAX]]
    return MemberRewardList(data=[_considered(one) for one in shelf.considered], taken=taken)


def terms_of(spend: Spend, context: LoyaltyContext) -> RewardTerms | None:
    """Return what a hold takes by the version of its grant; None for one of points as such."""
    if spend.reward_id is None or spend.programme_version is None:
        return None
    version = context.programme.by_name.get(spend.programme_version)
    reward = version.reward(spend.reward_id) if version else None
    return RewardTerms(**_terms(spend.reward_id, reward, spend.programme_version))


def _terms(reward_id: str, reward: Reward | None, version: str) -> dict[str, Any]:
    return {
        "reward_id": reward_id,
        "title": reward and reward.title,
        "kind": reward and reward.kind,
        "sku": reward and reward.sku,
        "percent": reward and reward.percent,
        "amount_minor": reward and reward.amount_minor,
        "programme_version": version,
    }


def _offered(offered: Offered) -> dict[str, Any]:
    reward, stock = offered.reward, offered.stock
    limit = reward.limit
    return {
        **_terms(reward.reward_id, reward, offered.version),
        "points": reward.points,
        "tiers": list(reward.tiers),
        "per_member": LimitView(times=limit.times, per=limit.per) if limit else None,
        "available_from": reward.available_from,
        "available_until": reward.available_until,
        "stock": stock.stock,
        "left": stock.left,
    }


def _considered(one: Considered) -> MemberRewardView:
    reasons = [
        ReasonView(code=why.code, words=why.words, again_at=why.again_at) for why in one.hindrances
    ]
    missing = one.points_missing
    if missing:
        words = f"{missing} points are missing."
        reasons.append(ReasonView(code="points_insufficient", words=words, again_at=None))
    return MemberRewardView(
        **_offered(one.offered),
        affordable=not missing,
        points_missing=missing,
        allowed=not one.hindrances,
        reasons=reasons,
        taken=one.taken,
    )


def _taken(spend: Spend, context: LoyaltyContext) -> TakenView:
    terms = terms_of(spend, context)
    assert terms is not None  # the store returns holds of rewards alone
    return TakenView(
        hold_id=spend.spend_id,
        reward=terms,
        points=spend.points,
        state=spend.state,
        taken_at=spend.at,
    )
