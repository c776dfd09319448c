"""``/v1/reviews``: receipts that came so late that people decide on them."""

from datetime import date
from typing import Any, Literal
from uuid import UUID

import pydantic_core
from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel

from services.ingest.api import fields
from services.ingest.api.depends import Clerk, Ingest
from services.ingest.handlers import reviews
from services.ingest.handlers.reviews import Decision, Verdict
from services.ingest.store import reviews as store
from shared.auth import Caller
from shared.db import Tx, run_unit
from shared.http.models import Request
from shared.http.pages import Cursor, CursorText, Limit, Page

router = APIRouter(prefix="/v1/reviews", tags=["reviews"])
_cursor = Cursor(tuple[AwareDatetime, UUID])
State = Literal["pending", "accepted", "rejected"]


class Note(Request):
    """Why somebody decided so."""

    note: fields.Text = ""


class Review(BaseModel):
    """A receipt that came late, and what was decided."""

    receipt_id: UUID
    event_id: UUID
    state: State
    store_id: str
    terminal_id: str
    receipt_no: str
    business_date: date
    occurred_at: AwareDatetime
    received_at: AwareDatetime
    member_id: UUID | None
    """As known when it came."""
    currency: str
    total_minor: int
    decided_at: AwareDatetime | None
    decided_by: str | None
    """Id of the key that decided."""
    note: str | None


@router.get("")
async def list_reviews(
    _: Clerk,
    context: Ingest,
    state: State = "pending",
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Page[Review]:
    """List receipts in one state of review, the longest asked for first."""
    after = _cursor.decode(cursor)
    async with context.db.transaction() as tx:
        found = await store.list_reviews(tx, state, after=after, limit=limit + 1)
    return _cursor.page(
        [_shown(one) for one in found], limit, lambda one: (one.received_at, one.receipt_id)
    )


@router.post("/{receipt_id}:accept")
async def accept_review(receipt_id: UUID, body: Note, caller: Clerk, context: Ingest) -> Review:
    """Accept a receipt: it is published as if it had come now."""
    return await _decided(receipt_id, _decision("accepted", caller, body), context)


@router.post("/{receipt_id}:reject")
async def reject_review(receipt_id: UUID, body: Note, caller: Clerk, context: Ingest) -> Review:
    """Reject a receipt: it stays recorded, and nobody ever hears of it."""
    return await _decided(receipt_id, _decision("rejected", caller, body), context)


def _decision(verdict: Verdict, caller: Caller, body: Note) -> Decision:
    return Decision(verdict, by=caller.key_id, note=body.note)


async def _decided(receipt_id: UUID, decision: Decision, context: Ingest) -> Review:
    async def unit(tx: Tx) -> store.Review:
        return await reviews.decide(tx, receipt_id, decision, context)

    return _shown(await run_unit(context.db, unit))


def _shown(review: store.Review) -> Review:
    recorded: dict[str, Any] = pydantic_core.from_json(review.recorded)
    return Review.model_validate(
        {
            **recorded,
            "event_id": review.event_id,
            "state": review.state,
            "decided_at": review.decided_at,
            "decided_by": review.decided_by,
            "note": review.note,
        }
    )
