"""One message: what was decided about it and why, and that it was read."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from services.notify.api.fields import Channel, Ctx, Topic
from services.notify.store import inbox
from shared.auth import require
from shared.db import run_unit
from shared.errors import Refused
from shared.http.names import bare

router = APIRouter(prefix="/v1/messages", tags=["messages"])

State = Literal["waiting", "queued", "claimed", "sent", "suppressed", "unknown", "failed"]


class GateShown(BaseModel):
    """One check at dispatch, in the order in which they were made."""

    gate: str
    passed: bool
    detail: str


class Message(BaseModel):
    """A message and the decision about it."""

    message_id: UUID
    member_id: UUID
    topic: Topic
    channel: Channel
    template: str
    template_version: int | None
    """0 is the template that comes with the service."""
    cause_id: UUID
    """The event that asked for it."""
    state: State
    reason: str | None
    """Why it was not sent, or not yet: a stable code. ``gates`` says it in words."""
    gates: list[GateShown]
    attempts: int
    created_at: datetime
    not_before: datetime
    closed_at: datetime | None
    """When it was sent, or decided against."""
    read_at: datetime | None


class Read(BaseModel):
    """When a message was first read."""

    message_id: UUID
    read_at: datetime


def _unknown() -> Refused:
    return Refused("message_unknown", "There is no such message.", status=404)


@router.get(f"/{bare('message_id')}", dependencies=[Depends(require("app", "staff", "admin"))])
async def get_message(message_id: UUID, context: Ctx) -> Message:
    """Return the decision about a message: every gate that was asked, and its answer."""
    async with context.db.transaction() as tx:
        row = await inbox.load_message(tx, message_id)
    if row is None:
        raise _unknown()
    return Message.model_validate({**row, "gates": row["gates"] or []})


@router.post("/{message_id}:read", dependencies=[Depends(require("app", "admin"))])
async def read_message(message_id: UUID, context: Ctx) -> Read:
    """Note that the member read an inbox message; the first time counts."""
    now = context.clock.now()
    read_at = await run_unit(context.db, lambda tx: inbox.mark_read(tx, message_id, now=now))
    if read_at is None:
        raise _unknown()
    return Read(message_id=message_id, read_at=read_at)
