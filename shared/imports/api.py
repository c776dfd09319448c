"""``POST /v1/imports/<kind>``, its progress, its problems, and its end."""

import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from fastapi import Request as HTTPRequest
from pydantic import BaseModel

from shared import auth
from shared.auth import Caller
from shared.db import Tx, run_unit
from shared.errors import Refused
from shared.http import Request, get_context, names, pages
from shared.imports import staging, store
from shared.imports.kinds import Kind
from shared.imports.store import Run
from shared.service import Context

BYTES_MAX = 1024 * 1024 * 1024
"""Of one file; it is never held."""

Elsewhere = Callable[[HTTPRequest], Awaitable[Response]]
"""Hands a request on to the service that has the import."""

Admin = Annotated[Caller, Depends(auth.require("admin"))]
CURSOR: pages.Cursor[tuple[int, int]] = pages.Cursor(tuple[int, int])


State = Literal["receiving", "waiting", "applying", "done", "cancelled", "incomplete"]


class ImportView(BaseModel):
    """One uploaded file and how far it has come. Of a dry run, what applying it would come to."""

    import_id: UUID
    kind: str
    dry_run: bool
    state: State
    """``incomplete``: the upload broke off, and nothing of it was applied."""
    created_at: datetime
    ended_at: datetime | None
    bytes_read: int
    rows_read: int
    rows_valid: int
    rows_invalid: int
    """Not acceptable, or refused when they were applied; the problems say why."""
    rows_applied: int
    rows_unchanged: int
    """Were there already."""
    rows_left: int
    """Valid, and not applied yet."""
    problems: int
    """How many are kept, 10,000 at most."""
    problems_url: str


class ProblemView(BaseModel):
    """One problem of one row."""

    row: int
    """The line of the file in which the row begins, counted from 1."""
    field: str | None
    """Null where it is the row as a whole."""
    code: str
    message: str


class ProblemQuery(Request):
    """Which problems, and how."""

    limit: pages.Limit = 50
    cursor: pages.CursorText = None
    format: Literal["json", "csv"] = "json"


_TEXT = {"schema": {"type": "string"}}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/x-ndjson": _TEXT, "text/csv": _TEXT},
    }
}
_PROBLEMS: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": _TEXT}}}


def path(name: str) -> str:
    """Return where files of a kind are sent."""
    return f"/v1/imports/{name}"


def routes(
    kinds: Sequence[Kind], *, elsewhere: Elsewhere | None = None, others: Sequence[str] = ()
) -> APIRouter:
    """Return the routes of a service that imports ``kinds``.

    What is not its own, the kinds named in ``others`` and their imports, is asked for
    ``elsewhere``.
    """
    router = APIRouter(prefix="/v1/imports", tags=["imports"])
    desk = _Desk(kinds, elsewhere or _nowhere)
    add = router.add_api_route
    for kind in (*(kind.name for kind in kinds), *others):
        add(
            f"/{kind}",
            desk.start_import,
            methods=["POST"],
            status_code=202,
            name=f"import_{kind}",
            openapi_extra=_BODY,
        )
    one = f"/{names.uuid('import_id')}"
    add(one, desk.get_import, methods=["GET"])
    add(f"{one}/problems", desk.list_import_problems, methods=["GET"], responses=_PROBLEMS)
    add(f"{one}:cancel", desk.cancel_import, methods=["POST"])
    return router


class _Desk:
    """The routes, for these kinds; an answer that is a ``Response`` came from elsewhere."""

    def __init__(self, kinds: Sequence[Kind], elsewhere: Elsewhere) -> None:
        self._kinds = {path(kind.name): kind for kind in kinds}
        self._elsewhere = elsewhere

    async def start_import(
        self,
        request: HTTPRequest,
        caller: Admin,
        *,
        dry_run: Annotated[bool, Query(description="Write nothing but the report.")] = False,
    ) -> ImportView:
        """Upload a file, CSV or NDJSON; it is applied in the background, each row for itself."""
        kind = self._kinds.get(request.url.path)
        if kind is None:
            return _as_it_is(await self._elsewhere(request))
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        asked = staging.Request(dry_run, caller.key_id, media_type)
        return _view(await staging.receive(get_context(request), kind, _body(request), asked))

    async def get_import(self, import_id: UUID, request: HTTPRequest, _: Admin) -> ImportView:
        """Return how far an import has come."""
        run = await _load(get_context(request), import_id)
        return _view(run) if run else _as_it_is(await self._elsewhere(request))

    async def list_import_problems(
        self,
        import_id: UUID,
        request: HTTPRequest,
        _: Admin,
        query: Annotated[ProblemQuery, Query()],
    ) -> pages.Page[ProblemView]:
        """List what was wrong with which row, in the order of the file; as CSV all at once."""
        context = get_context(request)
        if await _load(context, import_id) is None:
            return _as_it_is(await self._elsewhere(request))
        if query.format == "csv":
            return _as_it_is(await _csv(context, import_id))
        after = CURSOR.decode(query.cursor) or (0, -1)
        async with context.db.transaction() as tx:
            found = await store.list_problems(tx, import_id, after=after, limit=query.limit + 1)
        page = CURSOR.page(found, query.limit, lambda one: (one.row_no, one.ordinal))
        views = [
            ProblemView(row=one.row_no, field=one.field, code=one.code, message=one.message)
            for one in page.data
        ]
        return pages.Page(data=views, next_cursor=page.next_cursor)

    async def cancel_import(self, import_id: UUID, request: HTTPRequest, _: Admin) -> ImportView:
        """Stop an import. What is applied stays; a cancelled one stays as it is."""
        context = get_context(request)

        async def unit(tx: Tx) -> Run | None:
            run = await store.lock_run(tx, import_id)
            if run is None or run.ended_at is not None:
                return run
            now = context.clock.now()
            await store.update_run(tx, import_id, state="cancelled", ended_at=now, touched_at=now)
            return await store.load_run(tx, import_id)

        run = await run_unit(context.db, unit)
        return _view(run) if run else _as_it_is(await self._elsewhere(request))


async def _nowhere(request: HTTPRequest) -> Response:
    del request
    raise Refused("import_not_found", "There is no such import.", status=404)


def _as_it_is(answer: Response) -> Any:  # noqa: ANN401  FastAPI sends a response unchanged
    return answer


async def _load(context: Context, import_id: UUID) -> Run | None:
    async with context.db.transaction() as tx:
        return await store.load_run(tx, import_id)


async def _body(request: HTTPRequest) -> AsyncIterator[bytes]:
    async for part in request.stream():
        yield part


async def _csv(context: Context, import_id: UUID) -> Response:
    """Return every problem that is kept: few enough to be made in one piece."""
    async with context.db.transaction() as tx:
        found = await store.list_problems(tx, import_id, limit=store.PROBLEMS_MAX)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("row", "field", "code", "message"))
    writer.writerows((one.row_no, one.field, one.code, one.message) for one in found)
    return Response(text.getvalue(), media_type="text/csv")


def _view(run: Run) -> ImportView:
    valid = run.rows_read - run.rows_invalid
    return ImportView(
        import_id=run.import_id,
        kind=run.kind,
        dry_run=run.dry_run,
        state=cast("State", run.state),
        created_at=run.created_at,
        ended_at=run.ended_at,
        bytes_read=run.bytes_read,
        rows_read=run.rows_read,
        rows_valid=valid,
        rows_invalid=run.rows_invalid,
        rows_applied=run.rows_applied,
        rows_unchanged=run.rows_unchanged,
        rows_left=valid - run.rows_applied - run.rows_unchanged,
        problems=run.problems,
        problems_url=f"/v1/imports/{run.import_id}/problems",
    )
