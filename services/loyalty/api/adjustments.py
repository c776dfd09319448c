"""Adjustments: points corrected by hand, above a limit by two people."""

from collections.abc import Awaitable
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import AfterValidator, BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError
from starlette.responses import Response

from services.loyalty.api.fields import Ctx, Instant
from services.loyalty.domain.adjustments import Adjustment, Reason, State
from services.loyalty.handlers import adjustments
from shared import auth
from shared.auth import Caller
from shared.db import run_unit
from shared.http import idempotency, pages
from shared.http.models import Request
from shared.http.names import bare

router = APIRouter(prefix="/v1/adjustments", tags=["adjustments"])

Office = Annotated[Caller, Depends(auth.require("staff", "admin"))]
POINTS_MAX = 1_000_000_000
CURSOR: pages.Cursor[UUID] = pages.Cursor(UUID)


def _not_zero(points: int) -> int:
    if points == 0:
        raise PydanticCustomError("points", "must not be 0")
    return points


class AdjustmentInput(Request):
    """Points to give to a member, or to take."""

    member_id: UUID
    points: Annotated[
        int, Field(strict=True, ge=-POINTS_MAX, le=POINTS_MAX), AfterValidator(_not_zero)
    ]
    """Negative takes: at most what is available."""
    reason: Reason
    """Stands in the member's ledger for ever."""
    note: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]+$")] | None = None
    """For the office; erased with the member."""
    expires_at: Instant | None = None
    """When points that are given end; without it as the programme's rules in force say."""

    @model_validator(mode="after")
    def _ends_only_what_is_given(self) -> Self:
        if self.expires_at is not None and self.points < 0:
            raise PydanticCustomError("expires_at", "expires_at is for points that are given")
        return self

    def to_wish(self) -> adjustments.Wish:
        """Return it as handlers take it."""
        return adjustments.Wish(
            self.member_id, self.points, self.reason, self.note, self.expires_at
        )


class AdjustmentView(BaseModel):
    """An adjustment, and what became of it."""

    adjustment_id: UUID
    member_id: UUID
    state: Literal["pending_approval", "posted", "rejected"]
    points: int
    reason: str
    expires_at: datetime | None
    """When points that are given end; null for what was taken, and while nobody has decided."""
    asked_by: str
    """The id of the key that asked for it."""
    asked_at: datetime
    decided_by: str | None
    """The id of the second key; null where one was enough."""
    decided_at: datetime | None


class NotedAdjustment(AdjustmentView):
    """An adjustment with what was written about it."""

    note: str | None


@router.post("", status_code=201, response_model=AdjustmentView)
async def ask(
    body: AdjustmentInput, caller: Office, keyed: idempotency.Header, context: Ctx
) -> Response:
    """Give points to a member or take some, posted at once up to a limit.

    Above it, or where a key's adjustments of this member within 24 hours add up to more, the
    `state` is `pending_approval` until another key decides. 409 where fewer are available.
    """
    wish = body.to_wish()
    return await run_unit(
        context.db,
        lambda tx: idempotency.answer(
            tx,
            keyed,
            caller,
            lambda: _shown(adjustments.ask(tx, wish, caller, context)),
            status=201,
        ),
    )


@router.post("/{adjustment_id}:approve")
async def approve(adjustment_id: UUID, caller: Office, context: Ctx) -> NotedAdjustment:
    """Post what another key asked for. The same decision again is answered the same."""
    return _noted(
        await run_unit(
            context.db, lambda tx: adjustments.approve(tx, adjustment_id, caller, context)
        )
    )


@router.post("/{adjustment_id}:reject")
async def reject(adjustment_id: UUID, caller: Office, context: Ctx) -> NotedAdjustment:
    """Drop what another key asked for. The same decision again is answered the same."""
    return _noted(
        await run_unit(
            context.db, lambda tx: adjustments.reject(tx, adjustment_id, caller, context)
        )
    )


@router.get(f"/{bare('adjustment_id')}")
async def get_adjustment(adjustment_id: UUID, caller: Office, context: Ctx) -> NotedAdjustment:
    """Return an adjustment."""
    del caller
    async with context.db.transaction() as tx:
        return _noted(await adjustments.get(tx, adjustment_id))


@router.get("")
async def list_adjustments(
    caller: Office,
    context: Ctx,
    state: Annotated[State | None, Query(description="Only those.")] = None,
    limit: pages.Limit = 50,
    cursor: pages.CursorText = None,
) -> pages.Page[NotedAdjustment]:
    """List adjustments, the longest asked for first."""
    del caller
    after = CURSOR.decode(cursor)
    async with context.db.transaction() as tx:
        found = await adjustments.list_by_state(tx, state, after=after, limit=limit + 1)
    return CURSOR.page([_noted(one) for one in found], limit, lambda one: one.adjustment_id)


async def _shown(adjustment: Awaitable[Adjustment]) -> AdjustmentView:
    # Without the note: answers are stored to be repeated, where erasure does not look.
    return AdjustmentView.model_validate(await adjustment, from_attributes=True)


def _noted(adjustment: Adjustment) -> NotedAdjustment:
    return NotedAdjustment.model_validate(adjustment, from_attributes=True)
