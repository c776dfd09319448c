"""What a member has, and why: balance, entries, lots."""

from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from services.loyalty.api import tiers
from services.loyalty.api.fields import Ctx
from services.loyalty.domain.lots import NEVER
from services.loyalty.handlers import read
from shared import auth
from shared.http import pages

router = APIRouter(prefix="/v1/members/{member_id}", tags=["ledger"])

DESK = Depends(auth.require("terminal", "app", "staff", "admin"))
OFFICE = Depends(auth.require("app", "staff", "admin"))
LOTS_MAX = 1_000
CURSOR: pages.Cursor[int] = pages.Cursor(int)


class Expiry(BaseModel):
    """Points that expire together."""

    at: datetime
    points: int


class BalanceView(BaseModel):
    """A member's points and tier, as of the newest event in them."""

    available: int
    """What can be spent."""
    pending: int
    """Earned, and not yet to be spent."""
    held: int
    """Reserved for a till."""
    debt: int
    """Owed, since goods came back whose points were spent; the next points repay it."""
    currency: str
    currency_value_minor: int
    """What the available points are worth."""
    next_expiry: Expiry | None
    tier: tiers.TierView
    merged_into: UUID | None
    """Who has the points of a member who was merged; null for all others."""
    as_of_event_time: datetime | None


class ExplainLine(BaseModel):
    """One line of the receipt and what it is worth."""

    line_no: int
    """0 for what a rule gives once for the receipt as a whole."""
    amount_minor: int
    rules: list[str]
    points_per_unit: int | None
    """Null where it is no whole number."""
    points_per_hundred_units: int | None
    points: int
    title: str
    words: str
    failed: bool
    """Whether the rule's expression gave no answer, so that it gave nothing."""


class Explain(BaseModel):
    """Why, in words and as data."""

    words: str
    why: str
    programme_version: str | None
    worth: int
    """What the receipt is worth at its net state."""
    desired_points: int
    """What it would be worth if nothing were capped."""
    capped_by: str | None
    """The rule of the cap that keeps it from that."""
    posted_before: int
    """What had been posted for it until then; the entry is the difference."""
    lines: list[ExplainLine]


class EntryView(BaseModel):
    """One row of a member's ledger."""

    version: int
    """Counts the member's entries; newest first."""
    points: int
    """Positive where the member got them, negative where they were taken or reserved; 0 where they
    began to be available, or were spent that had been reserved before."""
    from_account: str
    """Where the points came from: a member's account or the programme's, such as ``issued``."""
    to_account: str
    available_after: int
    """What the member could spend right after."""
    cause_id: UUID
    """Id of the event that caused it."""
    receipt_id: UUID | None
    occurred_at: datetime
    posted_at: datetime
    explain: Explain


class LotView(BaseModel):
    """Points earned together, with one end."""

    lot_id: UUID
    points: int
    """What it was worth."""
    remaining: int
    active: bool
    """Whether they can be spent already."""
    activates_at: datetime | None
    """Null while goods of the order are still to come."""
    expires_at: datetime | None
    """Null where they stay."""
    inactive_months: int | None
    """Where they end so long after the last activity; ``expires_at`` is then as things stand."""


@router.get("/balance", dependencies=[DESK])
async def get_balance(member_id: UUID, context: Ctx) -> BalanceView:
    """Return what the member has now."""
    async with context.db.transaction() as tx:
        found = await read.balance(tx, member_id, context)
    return BalanceView(
        available=found.account.available,
        pending=found.account.pending,
        held=found.account.held,
        debt=found.account.debt,
        currency=found.currency,
        currency_value_minor=found.value_minor,
        next_expiry=(
            Expiry(at=found.next_expiry[0], points=found.next_expiry[1])
            if found.next_expiry
            else None
        ),
        tier=tiers.shown(found.tier),
        merged_into=found.merged_into,
        as_of_event_time=found.account.last_event_at,
    )


@router.get("/entries", dependencies=[OFFICE])
async def list_entries(
    member_id: UUID, context: Ctx, limit: pages.Limit = 50, cursor: pages.CursorText = None
) -> pages.Page[EntryView]:
    """List the member's ledger, newest first."""
    before = CURSOR.decode(cursor)
    async with context.db.transaction() as tx:
        rows = await read.entries(tx, member_id, context, before=before, limit=limit + 1)
    return CURSOR.page([_entry(row) for row in rows], limit, lambda one: one.version)


@router.get("/lots", dependencies=[OFFICE])
async def list_lots(member_id: UUID, context: Ctx) -> pages.Page[LotView]:
    """List the member's open lots, the next to expire first."""
    async with context.db.transaction() as tx:
        found = await read.open_lots(tx, member_id, context, limit=LOTS_MAX)
    shown = [
        LotView(
            lot_id=one.lot_id,
            points=one.points,
            remaining=drawn.remaining,
            active=drawn.active,
            activates_at=None if one.activates_at == NEVER else one.activates_at,
            expires_at=None if one.expires_at == NEVER else one.expires_at,
            inactive_months=one.inactive_months,
        )
        for one, drawn in found
    ]
    return pages.Page(data=shown, next_cursor=None)


def _entry(row: read.Entry) -> EntryView:
    return EntryView(
        version=row.version,
        points=row.points,
        from_account=row.from_account,
        to_account=row.to_account,
        available_after=row.available_after,
        cause_id=row.cause_id,
        receipt_id=row.receipt_id,
        occurred_at=row.occurred_at,
        posted_at=row.posted_at,
        explain=Explain.model_validate(asdict(row.explanation)),
    )
