"""Where an accepted purchase or change has got to."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from services.ingest.store import tables
from shared.db import Tx
from shared.db.plumbing import outbox


@dataclass(frozen=True, slots=True)
class Accepted:
    """A purchase or change that was answered with this event id."""

    kind: str
    store_id: str
    terminal_id: str
    received_at: datetime
    published_event_id: UUID | None
    """The event on the topic; None where there is none (yet): see ``state``."""
    state: str = "applied"
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Publication:
    """When the relay published an event, and where the broker put it."""

    published_at: datetime | None
    partition: int | None
    kafka_offset: int | None


async def load_accepted(tx: Tx, event_id: UUID) -> Accepted | None:
    """Return what ``event_id`` was the answer to."""
    receipt = tables.receipt
    found = (
        await tx.execute(
            sa.select(
                receipt.c.store_id,
                receipt.c.terminal_id,
                receipt.c.received_at,
                tables.receipt_review.c.state,
            )
            .outerjoin_from(
                receipt,
                tables.receipt_review,
                tables.receipt_review.c.receipt_id == receipt.c.receipt_id,
            )
            .where(receipt.c.event_id == event_id)
        )
    ).one_or_none()
    if found is not None:
        store_id, terminal_id, received_at, review = found
        return Accepted(
            "purchase", store_id, terminal_id, received_at, event_id, review or "accepted"
        )
    change = tables.receipt_change
    row = (
        await tx.execute(
            sa.select(
                change.c.kind,
                change.c.store_id,
                change.c.terminal_id,
                change.c.received_at,
                change.c.published_event_id,
                change.c.state,
                change.c.refusal,
            ).where(change.c.change_id == event_id)
        )
    ).one_or_none()
    return Accepted(*row) if row is not None else None


async def load_publication(tx: Tx, event_id: UUID) -> Publication | None:
    """Return the first publication; None once the outbox has forgotten it (after 7 days)."""
    query = (
        sa.select(outbox.c.published_at, outbox.c.partition, outbox.c.kafka_offset)
        .where(outbox.c.event_id == event_id)
        .order_by(outbox.c.id)
        .limit(1)
    )
    row = (await tx.execute(query)).one_or_none()
    return Publication(*row) if row is not None else None
