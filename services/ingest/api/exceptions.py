"""``GET /v1/exceptions``: what was accepted from a till and could not be applied."""

from datetime import date, timedelta
from typing import Any, Literal
from uuid import UUID

import pydantic_core
from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel

from services.ingest.api.depends import Clerk, Ingest
from services.ingest.domain import ChangeKind
from services.ingest.store import changes as store
from services.ingest.store.changes import StoredChange
from shared.http.pages import Cursor, CursorText, Limit, Page

router = APIRouter(prefix="/v1", tags=["exceptions"])
_cursor = Cursor(tuple[AwareDatetime, UUID])


class Number(BaseModel):
    """The natural key of a receipt."""

    store_id: str
    terminal_id: str
    receipt_no: str
    business_date: date


class ExceptionItem(BaseModel):
    """A return, void or amendment that did not reach its sale."""

    event_id: UUID
    kind: ChangeKind
    problem: Literal["withheld", "refused", "unlinked"]
    """``withheld``: its sale has not come for a day (a setting). ``refused``: it did not fit the
    sale when that came. ``unlinked``: a return that names no sale."""
    detail: str | None
    receipt: Number
    """Of the return itself; of the sale for a void or an amendment."""
    original: Number | None
    """The sale that a return names."""
    currency: str | None
    total_minor: int | None
    occurred_at: AwareDatetime
    received_at: AwareDatetime


@router.get("/exceptions")
async def list_exceptions(
    _: Clerk, context: Ingest, limit: Limit = 50, cursor: CursorText = None
) -> Page[ExceptionItem]:
    """List what needs somebody to look at it, oldest first."""
    hours = timedelta(hours=context.settings.withheld_exception_h)
    async with context.db.transaction() as tx:
        found = await store.list_exceptions(
            tx,
            withheld_before=context.clock.now() - hours,
            after=_cursor.decode(cursor),
            limit=limit + 1,
        )
    items = [_shown(one) for one in found]
    return _cursor.page(items, limit, lambda item: (item.received_at, item.event_id))


def _shown(stored: StoredChange) -> ExceptionItem:
    change = stored.change
    facts: dict[str, Any] = pydantic_core.from_json(change.facts)
    said: dict[str, Any] = facts.get("purchase", facts)
    return ExceptionItem.model_validate(
        {
            "event_id": change.change_id,
            "kind": change.kind,
            "problem": stored.state,
            "detail": stored.refusal,
            "receipt": said,
            "original": facts.get("original"),
            "currency": said.get("currency"),
            "total_minor": said.get("total_minor"),
            "occurred_at": change.occurred_at,
            "received_at": change.received_at,
        }
    )
