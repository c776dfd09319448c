"""Where a member stands, and the tiers that they have had."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from services.loyalty.api.fields import Ctx
from services.loyalty.domain import tier_views
from services.loyalty.handlers import read
from shared import auth
from shared.http import pages

router = APIRouter(prefix="/v1/members/{member_id}", tags=["ledger"])

OFFICE = Depends(auth.require("app", "staff", "admin"))
CURSOR: pages.Cursor[int] = pages.Cursor(int)

Measure = Literal["spend", "visits", "points"]


class ToNext(BaseModel):
    """What the next tier still asks."""

    tier: str
    measure: Measure
    missing: int
    """Minor units of the programme's currency, visits, or points."""
    spend_minor: int | None
    """The same where it is spend."""
    by: date
    """Last day on which that is enough: then the year is over, or a month leaves the window."""


class ToStay(BaseModel):
    """What keeps the tier: of calendar years for one more, else beyond the day when it would go."""

    measure: Measure
    missing: int
    spend_minor: int | None
    by: date
    """Last day on which it still counts for that."""


class Projected(BaseModel):
    """What the member will have after the end of the period if nothing more happens."""

    name: str | None
    at: datetime


class TierView(BaseModel):
    """Where a member stands; ``name`` is null without a tier."""

    name: str | None
    since: datetime | None
    """From when on the member has had it."""
    to_next: ToNext | None
    """Null where there is no higher one."""
    to_stay: ToStay | None
    """Null where there is no tier, or nothing takes it away."""
    falls_at: datetime | None
    """When the tier is lost, since it is not carried any more; null where it is."""
    falls_to: str | None
    """What comes then; null also for none."""
    projected: Projected
    spend_this_year_minor: int
    spend_previous_year_minor: int


class TierChangeView(BaseModel):
    """A tier that was reached or lost."""

    tier_change_id: int
    """Rises with each that is announced."""
    at: datetime
    """When."""
    previous: str | None
    tier: str | None
    reason: str
    """In words a member understands."""
    announced_at: datetime
    """When we knew of it."""


@router.get("/tiers", dependencies=[OFFICE])
async def list_tiers(
    member_id: UUID, context: Ctx, limit: pages.Limit = 50, cursor: pages.CursorText = None
) -> pages.Page[TierChangeView]:
    """List the tiers that a member reached and lost, the last that was announced first."""
    before = CURSOR.decode(cursor)
    async with context.db.transaction() as tx:
        rows = await read.tier_changes(tx, member_id, before=before, limit=limit + 1)
    shown = [TierChangeView.model_validate(row, from_attributes=True) for row in rows]
    return CURSOR.page(shown, limit, lambda one: one.tier_change_id)


def shown(tier: tier_views.TierView) -> TierView:
    """Return a standing as it is shown."""
    by_spend = tier.measure == "spend"
    to_next, to_stay = tier.to_next, tier.to_stay
    return TierView(
        name=tier.name,
        since=tier.since,
        to_next=to_next
        and ToNext(
            tier=to_next.tier,
            measure=tier.measure,
            missing=to_next.missing,
            spend_minor=to_next.missing if by_spend else None,
            by=to_next.last_day,
        ),
        to_stay=to_stay
        and ToStay(
            measure=tier.measure,
            missing=to_stay.missing,
            spend_minor=to_stay.missing if by_spend else None,
            by=to_stay.last_day,
        ),
        falls_at=tier.falls_at,
        falls_to=tier.falls_to,
        projected=Projected(name=tier.projected, at=tier.projected_at),
        spend_this_year_minor=tier.this_year_minor,
        spend_previous_year_minor=tier.previous_year_minor,
    )
