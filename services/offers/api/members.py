"""A member's profile, recommendations and wallet."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from services.offers.api.fields import Ctx
from services.offers.domain import ranking
from services.offers.domain.habits import Habit
from services.offers.domain.ranking import Candidate
from services.offers.handlers import profiles, wallets
from services.offers.handlers.profiles import PROFILE_THINGS, Profile
from services.offers.handlers.wallets import Slice
from services.offers.store.tables import Row
from shared import auth
from shared.http import pages

router = APIRouter(prefix="/v1/members", tags=["members"])

READERS = Depends(auth.require("app", "staff", "marketer", "admin"))
HOLDERS = Depends(auth.require("terminal", "app", "staff", "marketer", "admin"))


class Usual(BaseModel):
    """How a member usually buys one thing."""

    purchases: int
    share_of_visits: float
    """Recency-weighted, 0 to 1."""
    first_at: datetime
    last_at: datetime
    days_since: float
    interval_days: float | None
    """The usual time between purchases; known from the third."""
    due: bool
    usual_spend_minor: int
    discount_share: float
    """Share of its lines that were bought on discount, 0 to 1."""


class UsualProduct(Usual):
    """A product that the member buys."""

    sku: str
    name: str
    category: str | None


class UsualCategory(Usual):
    """A category that the member buys from."""

    category: str


class ProfileAnswer(BaseModel):
    """What the member usually does; empty before the first purchase."""

    member_id: UUID
    purchases: int
    first_at: datetime | None
    last_at: datetime | None
    interval_days: float | None
    """The usual time between visits."""
    usual_spend_minor: int | None
    discount_share: float | None
    currency: str
    products: list[UsualProduct]
    """The 20 weightiest."""
    categories: list[UsualCategory]
    due_now: list[UsualProduct]
    """Due again, of the 100 weightiest."""


class Recommendation(BaseModel):
    """Something that the member is likely to want."""

    sku: str
    name: str
    category: str | None
    score: float
    """Estimated share of visits with it, 0 to 1."""
    known: bool
    """Whether the member has bought it before."""
    due: bool
    reason: str


class Recommendations(BaseModel):
    """Best first."""

    data: list[Recommendation]
    next_cursor: None = None


class Discount(BaseModel):
    """A percentage or an amount off one line."""

    kind: Literal["percent", "amount"]
    percent: int | None
    amount_minor: int | None


class OfferedProduct(BaseModel):
    """A product that the offer is for."""

    sku: str
    name: str | None


class WalletOffer(BaseModel):
    """One offer in the member's wallet."""

    offer_id: UUID
    campaign: str
    title: str
    discount: Discount
    currency: str
    products: list[OfferedProduct]
    categories: list[str]
    valid_from: datetime
    valid_until: datetime
    state: Literal["issued", "redeemed", "expired"]
    reason: str
    redeemed_at: datetime | None
    redeemed_by: UUID | None
    """The receipt that used it."""


CURSOR: pages.Cursor[wallets.Position] = pages.Cursor(wallets.Position)


@router.get("/{member_id}/profile", dependencies=[READERS])
async def get_profile(member_id: UUID, context: Ctx) -> ProfileAnswer:
    """Return what the member usually buys, how often, and what is due now."""
    async with context.db.transaction() as tx:
        profile = await profiles.load_profile(tx, member_id, context)
    return _profile(profile, currency=context.scope.currency)


@router.get("/{member_id}/recommendations", dependencies=[READERS])
async def get_recommendations(
    member_id: UUID, context: Ctx, k: Annotated[int, Query(ge=1, le=100)] = 10
) -> Recommendations:
    """Return the ``k`` things that the member is likeliest to want next, each with why."""
    async with context.db.transaction() as tx:
        ranked = await profiles.recommend(tx, member_id, k=k, context=context)
    now = context.clock.now()
    return Recommendations(
        data=[
            Recommendation(
                sku=one.candidate.sku,
                name=one.candidate.name,
                category=one.candidate.category,
                score=round(one.score, 6),
                known=one.candidate.habit is not None,
                due=one.candidate.habit is not None and one.candidate.habit.is_due(now),
                reason=ranking.reason(one.candidate, now),
            )
            for one in ranked
        ]
    )


@router.get("/{member_id}/offers", dependencies=[HOLDERS])
async def get_wallet(
    member_id: UUID,
    context: Ctx,
    *,
    past: bool = False,
    limit: pages.Limit = 50,
    cursor: pages.CursorText = None,
) -> pages.Page[WalletOffer]:
    """Return the member's offers, what ends first comes first; ``past=true`` adds the ended."""
    after = CURSOR.decode(cursor)
    async with context.db.transaction() as tx:
        rows = await wallets.list_offers(
            tx, member_id, Slice(past, after, limit + 1), context=context
        )
    now = context.clock.now()
    found = [_offer(row, now) for row in rows]
    return CURSOR.page(found, limit, lambda offer: (offer.valid_until, offer.offer_id))


def _offer(row: Row, now: datetime) -> WalletOffer:
    expired = row["state"] == "issued" and row["valid_until"] < now
    return WalletOffer(
        offer_id=row["offer_id"],
        campaign=row["campaign"],
        title=row["title"],
        discount=Discount(
            kind="percent" if row["percent"] is not None else "amount",
            percent=row["percent"],
            amount_minor=row["amount_minor"],
        ),
        currency=row["currency"],
        products=[OfferedProduct(sku=row["sku"], name=row["product_name"])] if row["sku"] else [],
        categories=[row["category"]] if row["category"] else [],
        valid_from=row["valid_from"],
        valid_until=row["valid_until"],
        state="expired" if expired else row["state"],
        reason=row["reason"],
        redeemed_at=row["redeemed_at"],
        redeemed_by=row["redeemed_by"],
    )


def _profile(profile: Profile, *, currency: str) -> ProfileAnswer:
    total = profile.total
    products = [_product(one, profile) for one in profile.products]
    return ProfileAnswer(
        member_id=profile.member_id,
        purchases=total.purchases if total else 0,
        first_at=total.first_at if total else None,
        last_at=total.last_at if total else None,
        interval_days=_rounded(total.interval_days) if total else None,
        usual_spend_minor=total.usual_spend_minor if total else None,
        discount_share=round(total.discount_share, 4) if total else None,
        currency=currency,
        products=products[:PROFILE_THINGS],
        categories=[
            UsualCategory(category=one.key, **_usual(one, profile)) for one in profile.categories
        ],
        due_now=[one for one in products if one.due],
    )


def _product(candidate: Candidate, profile: Profile) -> UsualProduct:
    assert candidate.habit is not None  # a profile lists what was bought
    return UsualProduct(
        sku=candidate.sku,
        name=candidate.name,
        category=candidate.category,
        **_usual(candidate.habit, profile),
    )


def _usual(habit: Habit, profile: Profile) -> dict[str, Any]:
    visits = profile.total.weight if profile.total else 0.0
    return {
        "purchases": habit.purchases,
        "share_of_visits": round(ranking.share_of_visits(habit, visits), 4),
        "first_at": habit.first_at,
        "last_at": habit.last_at,
        "days_since": round(habit.days_since(profile.now), 1),
        "interval_days": _rounded(habit.interval_days),
        "due": habit.is_due(profile.now),
        "usual_spend_minor": habit.usual_spend_minor,
        "discount_share": round(habit.discount_share, 4),
    }


def _rounded(days: float | None) -> float | None:
    return None if days is None else round(days, 1)
