"""Approvals: receipts that are worth so much that the staff looks at them first."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from services.loyalty.api.fields import Ctx
from services.loyalty.domain.approvals import Verdict
from services.loyalty.handlers import approvals
from shared import auth
from shared.auth import Caller
from shared.db import run_unit
from shared.http import pages

router = APIRouter(prefix="/v1/approvals", tags=["approvals"])

Office = Annotated[Caller, Depends(auth.require("staff", "admin"))]
Reader = Annotated[Caller, Depends(auth.require("staff", "marketer", "admin"))]
CURSOR: pages.Cursor[tuple[datetime, UUID]] = pages.Cursor(tuple[datetime, UUID])


class WaitingView(BaseModel):
    """A receipt that waits for a decision."""

    receipt_id: UUID
    member_id: UUID
    points: int
    """What it gives if it is approved, caps considered."""
    occurred_at: datetime
    store_id: str


class DecisionView(BaseModel):
    """What was decided on a receipt."""

    receipt_id: UUID
    member_id: UUID
    """Whose receipt it was then."""
    verdict: Literal["approved", "rejected"]
    points: int
    """What it would have given then."""
    decided_by: str
    """The id of the key."""
    decided_at: datetime


@router.get("")
async def list_approvals(
    caller: Reader, context: Ctx, limit: pages.Limit = 50, cursor: pages.CursorText = None
) -> pages.Page[WaitingView]:
    """List receipts that wait for approval, the earliest sale first."""
    del caller
    after = CURSOR.decode(cursor)
    async with context.db.transaction() as tx:
        found = await approvals.list_waiting(tx, after=after, limit=limit + 1)
    shown = [WaitingView.model_validate(one, from_attributes=True) for one in found]
    return CURSOR.page(shown, limit, lambda one: (one.occurred_at, one.receipt_id))


@router.post("/{receipt_id}:approve")
async def approve_receipt(receipt_id: UUID, caller: Office, context: Ctx) -> DecisionView:
    """Let a receipt's points begin. The same decision again is answered the same."""
    return await _decide(receipt_id, "approved", caller, context)


@router.post("/{receipt_id}:reject")
async def reject_receipt(receipt_id: UUID, caller: Office, context: Ctx) -> DecisionView:
    """Take a receipt's points back, whatever becomes of it later."""
    return await _decide(receipt_id, "rejected", caller, context)


async def _decide(receipt_id: UUID, verdict: Verdict, caller: Caller, context: Ctx) -> DecisionView:
    decision = await run_unit(
        context.db, lambda tx: approvals.decide(tx, receipt_id, caller, context, verdict=verdict)
    )
    return DecisionView.model_validate(decision, from_attributes=True)
