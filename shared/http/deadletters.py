"""The dead letters of a service over HTTP, for admins."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from shared.auth import require
from shared.http import pages
from shared.http.context import get_context
from shared.kafka import deadletters
from shared.service import Context, Service

_CURSOR = pages.Cursor(UUID)


class DeadLetter(BaseModel):
    """An event that could not be applied, or that waits behind one; never its payload."""

    id: UUID
    topic: str
    partition: int
    kafka_offset: int
    event_id: UUID | None
    event_type: str | None
    state: str
    reason: str
    detail: str
    attempts: int
    created_at: datetime | None
    closed_at: datetime | None


class Replayed(BaseModel):
    """How many events a replay applied; those applied before are not counted."""

    applied: int


async def _context(request: Request) -> Context:
    found: Context = get_context(request)
    return found


InContext = Annotated[Context, Depends(_context)]


def routes(service: Service) -> APIRouter:
    """Return the routes to list, replay and drop dead letters."""
    router = APIRouter(
        prefix="/v1/dead-letters", tags=["operations"], dependencies=[Depends(require("admin"))]
    )

    @router.get("")
    async def list_dead_letters(
        context: InContext,
        limit: pages.Limit = 50,
        cursor: pages.CursorText = None,
    ) -> pages.Page[DeadLetter]:
        """List the open dead letters, oldest first."""
        async with context.db.transaction() as tx:
            letters = await deadletters.list_letters(
                tx, limit=limit + 1, after=_CURSOR.decode(cursor)
            )
        shown = [DeadLetter.model_validate(letter.summary()) for letter in letters]
        return _CURSOR.page(shown, limit, lambda letter: letter.id)

    @router.post("/{letter_id}:replay")
    async def replay_dead_letter(
        letter_id: UUID,
        context: InContext,
    ) -> Replayed:
        """Apply a dead letter and all that waits behind its key, in order; safe to repeat."""
        return Replayed(applied=await deadletters.replay(context.db, service, letter_id, context))

    @router.post("/{letter_id}:drop", status_code=204)
    async def drop_dead_letter(
        letter_id: UUID,
        context: InContext,
    ) -> None:
        """Give a dead letter up for good; what waits behind it stays."""
        await deadletters.drop(context.db, letter_id)

    return router
