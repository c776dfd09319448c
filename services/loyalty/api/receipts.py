"""What a receipt is worth now, and what each return took of it."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from services.loyalty.api.fields import Ctx
from services.loyalty.domain.lots import NEVER
from services.loyalty.handlers import read
from shared import auth

router = APIRouter(prefix="/v1/members/{member_id}/receipts", tags=["ledger"])

OFFICE = Depends(auth.require("app", "staff", "admin"))


class CameBackView(BaseModel):
    """What came off a receipt at one time: by a return, or by a void."""

    at: datetime
    amount_minor: int
    """Of what counts for a tier."""
    points: int
    """What that took, before caps; 0 where it took nothing."""
    words: str


class ReceiptView(BaseModel):
    """A receipt at its newest revision."""

    receipt_id: UUID
    revision: int
    occurred_at: datetime | None
    """Null for one from before that was kept."""
    programme_version: str | None
    """The rules that it is worth something by."""
    points: int
    """What it is worth."""
    desired_points: int
    """What it would be worth if nothing were capped."""
    qualifying_minor: int
    """What of it counts for a tier, net."""
    begins_at: datetime | None
    """From when on its points can be spent; null while they wait for goods or for the staff."""
    approval: Literal["waiting", "approved", "rejected"] | None
    came_back: list[CameBackView]
    """The earliest first."""


@router.get("/{receipt_id}", dependencies=[OFFICE])
async def get_receipt(member_id: UUID, receipt_id: UUID, context: Ctx) -> ReceiptView:
    """Return what a receipt of the member is worth, and why what came back took points or not."""
    async with context.db.transaction() as tx:
        state, came_back = await read.receipt(tx, member_id, receipt_id, context)
    return ReceiptView(
        receipt_id=receipt_id,
        revision=state.revision,
        occurred_at=state.occurred_at,
        programme_version=state.version.version if state.version else None,
        points=state.posted,
        desired_points=state.desired,
        qualifying_minor=state.qualifying_minor,
        begins_at=None if state.begins_at == NEVER else state.begins_at,
        approval=state.approval,
        came_back=[CameBackView.model_validate(one, from_attributes=True) for one in came_back],
    )
