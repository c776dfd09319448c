"""A service of the tests' own: notes are left under an Idempotency-Key, and things go wrong.

The text of a note says what happens: nothing special, ``refuse``, ``bug`` or ``away``.
"""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query
from fastapi import Request as HTTPRequest
from pydantic import BaseModel
from starlette.responses import Response

from shared import auth
from shared.clock import Clock, SystemClock
from shared.db import Database, Tx
from shared.errors import Malformed, Refused, Unavailable
from shared.http import Request, Text, get_context, idempotency
from shared.http.raw import RawRoute
from shared.service import Context, Routes, Service
from shared.settings import ServiceSettings

note = sa.Table(
    "note",
    sa.MetaData(),
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
)


class Settings(ServiceSettings):
    """Settings of the guestbook."""

    service_name = "guestbook"


async def _context(request: HTTPRequest) -> Context:
    return get_context(request)


InContext = Annotated[Context, Depends(_context)]
Guest = Annotated[auth.Caller, Depends(auth.require("terminal", "app"))]
router = APIRouter()
raw = APIRouter(route_class=RawRoute)


class NewNote(Request):
    """What a guest writes."""

    text: Text
    pages: tuple[int, ...] = ()


class Noted(BaseModel):
    """The note's number."""

    id: int


async def leave(tx: Tx, text: str) -> Noted:
    """Write the note, then misbehave if it says so."""
    inserted = await tx.execute(note.insert().values(text=text).returning(note.c.id))
    if text == "refuse":
        raise Refused("note_refused", "Not this one.", hint="another")
    if text == "away":
        raise Unavailable("unavailable", "Not now.")
    if text == "bug":
        raise RuntimeError("secret of the inside")
    if text.startswith("slow"):
        await asyncio.sleep(0.3)
    return Noted(id=inserted.scalar_one())


@router.post("/v1/notes", status_code=201)
async def leave_note(
    body: NewNote, caller: Guest, keyed: idempotency.Header, context: InContext
) -> Response:
    """Leave a note once."""
    async with context.db.transaction() as tx:
        return await idempotency.answer(tx, keyed, caller, lambda: leave(tx, body.text), status=201)


@router.post("/v1/notes/{name}:seal")
async def seal(
    name: str, body: NewNote, caller: Guest, keyed: idempotency.Header, context: InContext
) -> Response:
    """Leave a note under a name in the path."""
    async with context.db.transaction() as tx:
        return await idempotency.answer(tx, keyed, caller, lambda: leave(tx, name))


@router.post("/v1/echo", dependencies=[auth.public])
async def echo(body: NewNote) -> NewNote:
    """Answer with the body."""
    return body


@raw.post("/v1/notes:raw", status_code=201)
async def leave_note_raw(body: NewNote, caller: Guest, context: InContext) -> Response:
    """Leave a note by the short way."""
    async with context.db.transaction() as tx:
        await leave(tx, body.text)
    return Response(body.model_dump_json(), 201)


@router.post("/v1/uploads", dependencies=[auth.public], max_body_size=1024 * 1024)
async def upload(request: HTTPRequest) -> dict[str, int]:
    """Count the bytes of a larger body, as they come."""
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
    return {"bytes": size}


@router.get("/v1/slow", dependencies=[auth.public])
async def slow(seconds: Annotated[float, Query(ge=0, le=60)]) -> dict[str, str]:
    """Take a while."""
    await asyncio.sleep(seconds)
    return {"status": "done"}


@router.get("/v1/wrong/{kind}", dependencies=[auth.public])
async def wrong(kind: str, context: InContext) -> None:
    """Fail in the way that ``kind`` names."""
    errors: dict[str, Exception] = {
        "refused": Refused("note_refused", "Not this one.", status=409, hint="another"),
        "malformed": Malformed("note_malformed", "Never.", errors=[{"field": "a", "message": "b"}]),
        "unavailable": Unavailable("unavailable", "Not now.", retry_after_s=3),
        "timeout": TimeoutError(),
        "bug": RuntimeError("secret of the inside"),
    }
    if kind == "database":
        async with context.db.transaction() as tx:
            await tx.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))
    raise errors[kind]


@router.get("/v1/me")
async def me(caller: Annotated[auth.Caller, Depends(auth.require("terminal", "staff"))]) -> Any:
    """Say who calls."""
    names = ("key_id", "role", "store_id", "terminal_id")
    return {name: getattr(caller, name) for name in names}


def service() -> Service:
    """Return the guestbook."""

    async def open_context(
        settings: ServiceSettings, db: Database, stack: AsyncExitStack
    ) -> Context:
        return context(db)

    return Service(
        name="guestbook",
        settings=lambda: Settings(database_url=""),
        open_context=open_context,
        migrations=Path(__file__).parent / "migrations",
        routes=lambda: Routes((router, raw)),
    )


def context(db: Database, clock: Clock | None = None) -> Context:
    """Return the context on ``db``."""
    return Context(db, clock or SystemClock(), Settings(database_url="postgresql://unused"))
