"""``GET /v1/terminals/{id}/gaps``: what a till says it sent and we never saw."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from services.ingest.api import fields
from services.ingest.api.depends import Ingest, Reader
from services.ingest.store import gaps as store
from shared.auth import Caller
from shared.db import Tx
from shared.errors import Refused
from shared.http.pages import Cursor, CursorText, Limit, Page

router = APIRouter(prefix="/v1/terminals", tags=["terminals"])
_cursor = Cursor(int)


class Gap(BaseModel):
    """Running numbers that are missing, both ends included."""

    first: int
    last: int
    missing: int


@router.get("/{terminal_id}/gaps")
async def list_gaps(  # noqa: PLR0913  the query's parameters
    terminal_id: Annotated[fields.Code, Path()],
    caller: Reader,
    context: Ingest,
    store_id: Annotated[fields.Code | None, Query()] = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Page[Gap]:
    """List ranges of ``terminal_seq`` that never came, newest first; late ones close their gap.

    Looks at the last 100,000 numbers. ``store_id`` is needed only where several stores have a
    terminal of this id.
    """
    before = _cursor.decode(cursor)
    async with context.db.transaction() as tx:
        store_ = await _store(tx, terminal_id, store_id, caller)
        found = await store.list_gaps(tx, terminal_id, store_, before=before, limit=limit + 1)
    shown = [Gap(first=one.first, last=one.last, missing=one.last - one.first + 1) for one in found]
    return _cursor.page(shown, limit, lambda gap: gap.first)


async def _store(tx: Tx, terminal_id: str, store_id: str | None, caller: Caller) -> str:
    if caller.store_id is not None:
        # Another's terminal is answered like one that is not there.
        if store_id not in {None, caller.store_id} or caller.terminal_id not in {None, terminal_id}:
            raise _not_found()
        return caller.store_id
    if store_id is not None:
        return store_id
    stores = await store.load_stores(tx, terminal_id)
    if not stores:
        raise _not_found()
    if len(stores) > 1:
        detail = "Several stores have a terminal of this id."
        raise Refused("store_needed", detail, status=422, stores=stores)
    return stores[0]


def _not_found() -> Refused:
    return Refused("terminal_not_found", "No such terminal has sent numbers.", status=404)
