"""Merge a member into another, and undo it."""

from collections.abc import Awaitable
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from starlette.responses import Response

from services.loyalty.api.fields import Ctx
from services.loyalty.domain.merges import Merge
from services.loyalty.handlers import merges
from shared import auth
from shared.auth import Caller
from shared.db import run_unit
from shared.http import idempotency
from shared.http.models import Request

router = APIRouter(prefix="/v1/members", tags=["members"])

Office = Annotated[Caller, Depends(auth.require("staff", "admin"))]


class MergeInput(Request):
    """Who takes over."""

    into: UUID


class MergeView(BaseModel):
    """That one member took over from another, until it was undone."""

    merge_id: UUID
    member_id: UUID
    """Who was merged."""
    into: UUID
    """Who took over."""
    merged_at: datetime
    merged_by: str
    """The id of the key that asked for it; so `undone_by`."""
    undone_at: datetime | None
    undone_by: str | None


@router.post("/{member_id}:merge", response_model=MergeView)
async def merge_member(
    member_id: UUID, body: MergeInput, caller: Office, keyed: idempotency.Header, context: Ctx
) -> Response:
    """Let another member take over: points, debts, qualifying spend, identifiers and devices.

    Receipts of the merged member that are heard of later count for who took over. 409 where one of
    them was merged into yet another (`merged_into`). The same again is answered the same.
    """
    return await run_unit(
        context.db,
        lambda tx: idempotency.answer(
            tx,
            keyed,
            caller,
            lambda: _shown(merges.merge(tx, member_id, caller, context, into_id=body.into)),
        ),
    )


@router.post("/{member_id}:unmerge", response_model=MergeView)
async def unmerge_member(
    member_id: UUID, caller: Office, keyed: idempotency.Header, context: Ctx
) -> Response:
    """Undo a merge: the member gets back what they would have had without it.

    What was spent meanwhile stays with who had taken over, as a debt where it is not there; so do
    receipts that were given to them. Again is answered the same.
    """
    return await run_unit(
        context.db,
        lambda tx: idempotency.answer(
            tx, keyed, caller, lambda: _shown(merges.unmerge(tx, member_id, caller, context))
        ),
    )


async def _shown(merge: Awaitable[Merge]) -> MergeView:
    one = await merge
    return MergeView(
        merge_id=one.merge_id,
        member_id=one.member_id,
        into=one.into_id,
        merged_at=one.merged_at,
        merged_by=one.merged_by,
        undone_at=one.undone_at,
        undone_by=one.undone_by,
    )
