"""``GET /v1/events/{event_id}``."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from services.ingest.api.depends import Ingest, Reader
from services.ingest.handlers import events

router = APIRouter(prefix="/v1", tags=["events"])


class EventStatus(BaseModel):
    """How far a purchase, or what happened to it after, has come."""

    event_id: UUID
    kind: str
    """``purchase``, ``return``, ``void``, ``amendment`` or ``claim``."""
    status: events.Status
    """``withheld``: its sale is not known yet. ``refused``: it did not fit when that came; see
    ``detail``. ``unchanged``: it left the receipt as it was. ``unlinked``: a return that names no
    sale. ``in_review``, ``rejected``: a sale that came so late that staff decides. ``processed``:
    every service is past it."""
    accepted_at: datetime
    published_at: datetime | None
    services: dict[str, events.Step]
    """``processed``: applied there, or set aside as one of its dead letters. ``unknown``: Kafka
    does not answer, or it was longer than a week ago."""
    detail: str | None = None


@router.get("/events/{event_id}")
async def follow_event(
    event_id: UUID,
    caller: Reader,
    context: Ingest,
) -> EventStatus:
    """Follow what was accepted: to the broker, and into each service."""
    progress = await events.follow(event_id, caller, context)
    return EventStatus(
        event_id=progress.event_id,
        kind=progress.kind,
        status=progress.status,
        accepted_at=progress.accepted_at,
        published_at=progress.published_at,
        services=dict(progress.services),
        detail=progress.detail,
    )
