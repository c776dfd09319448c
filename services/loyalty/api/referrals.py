"""Referrals: a code to give to friends, and what has come of it."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from services.loyalty.api.fields import Ctx
from services.loyalty.domain.referrals import Referred
from services.loyalty.handlers import referrals
from shared import auth
from shared.db import run_unit
from shared.http import pages

router = APIRouter(prefix="/v1/members/{member_id}", tags=["referrals"])

CURSOR: pages.Cursor[tuple[datetime, str]] = pages.Cursor(tuple[datetime, str])
OFFICE = Depends(auth.require("app", "staff", "admin"))


class CodeView(BaseModel):
    """What a member gives to friends."""

    code: str


class ReferralView(BaseModel):
    """Somebody whom the member brought; not who."""

    state: Literal["waiting", "pending", "earned", "lapsed"]
    """Waiting for the first purchase, for the end of its return window, or decided."""
    counts_until: datetime
    """Until when the first purchase counts."""
    survives_at: datetime | None
    """When the return window of that purchase is over, and both sides have their points."""


class ReferralList(BaseModel):
    """A member's referrals, the newest first."""

    code: str | None
    """Null until the member asked for one."""
    data: list[ReferralView]
    next_cursor: str | None


@router.put("/referral-code", dependencies=[OFFICE])
async def make_referral_code(member_id: UUID, context: Ctx) -> CodeView:
    """Return the member's code, which is made with the first call and stays."""
    code = await run_unit(context.db, lambda tx: referrals.make_code(tx, member_id))
    return CodeView(code=code)


@router.get("/referrals", dependencies=[OFFICE])
async def list_referrals(
    member_id: UUID, context: Ctx, limit: pages.Limit = 50, cursor: pages.CursorText = None
) -> ReferralList:
    """List whom the member brought, the newest first, and what has come of it."""
    after = CURSOR.decode(cursor)
    async with context.db.transaction() as tx:
        code, found = await referrals.list_of_member(tx, member_id, after=after, limit=limit + 1)
    page = CURSOR.page(found, limit, referrals.place)
    shown = [_view(one) for one in page.data]
    return ReferralList(code=code, data=shown, next_cursor=page.next_cursor)


def _view(one: Referred) -> ReferralView:
    return ReferralView(state=one.state, counts_until=one.counts_until, survives_at=one.survives_at)
