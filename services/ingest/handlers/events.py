"""Tell how far an accepted purchase or change has come."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.ingest.context import IngestContext
from services.ingest.handlers.revisions import TOPIC
from services.ingest.store import events as store
from services.ingest.store.events import Accepted, Publication
from shared.auth import Caller
from shared.errors import Refused

Status = Literal[
    "accepted",
    "withheld",
    "refused",
    "unchanged",
    "unlinked",
    "in_review",
    "rejected",
    "published",
    "processed",
]
_SETTLED: Mapping[str, Status] = {
    "withheld": "withheld",
    "refused": "refused",
    "unchanged": "unchanged",
    "unlinked": "unlinked",
    "pending": "in_review",
    "rejected": "rejected",
}
"""States in which nothing goes to the topic (for now)."""
Step = Literal["waiting", "processed", "unknown"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it has come, and in which service."""

    event_id: UUID
    kind: str
    status: Status
    accepted_at: datetime
    published_at: datetime | None
    services: Mapping[str, Step]
    detail: str | None = None


async def follow(event_id: UUID, caller: Caller, context: IngestContext) -> Progress:
    """Return the progress of what was answered with ``event_id``.

    A service counts as done when its consumer group's committed offset is past the event: it was
    applied, or set aside as one of its dead letters. Raises ``Refused`` (404) for what is not
    there or not the caller's.
    """
    async with context.db.transaction() as tx:
        accepted = await store.load_accepted(tx, event_id)
        if accepted is None or not _may_see(caller, accepted):
            raise Refused("event_not_found", "There is no such event.", status=404)
        publication = (
            await store.load_publication(tx, accepted.published_event_id)
            if accepted.published_event_id
            else None
        )
    services = await _services(publication, context)
    return Progress(
        event_id=event_id,
        kind=accepted.kind,
        status=_status(accepted, publication, services),
        accepted_at=accepted.received_at,
        published_at=publication.published_at if publication else None,
        services=services,
        detail=accepted.refusal,
    )


def _may_see(caller: Caller, accepted: Accepted) -> bool:
    return caller.store_id in {None, accepted.store_id} and caller.terminal_id in {
        None,
        accepted.terminal_id,
    }


def _status(
    accepted: Accepted, publication: Publication | None, services: Mapping[str, Step]
) -> Status:
    if accepted.state in _SETTLED:
        return _SETTLED[accepted.state]
    if accepted.published_event_id is None:
        return "unchanged"
    if publication is None:
        return "published"  # so long ago that the outbox has forgotten it
    if publication.published_at is None:
        return "accepted"
    return "processed" if set(services.values()) == {"processed"} else "published"


async def _services(publication: Publication | None, context: IngestContext) -> dict[str, Step]:
    """Compare the event's offset with each group's; Kafka away is "unknown", never a wait."""
    groups = context.settings.purchase_consumers
    if publication is None or publication.partition is None or publication.kafka_offset is None:
        not_there: Step = "unknown" if publication is None else "waiting"
        return dict.fromkeys(groups, not_there)
    positions = await context.positions(TOPIC, publication.partition, groups)
    return {
        group: _step(positions[group], publication.kafka_offset)
        if group in positions
        else "unknown"
        for group in groups
    }


def _step(position: int | None, kafka_offset: int) -> Step:
    return "processed" if position is not None and position > kafka_offset else "waiting"
