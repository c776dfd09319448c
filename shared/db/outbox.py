"""Events are written with the change that caused them; the relay publishes them afterwards."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from shared import telemetry
from shared.contracts.envelope import Event
from shared.db import bulk
from shared.db.engine import Tx
from shared.db.plumbing import outbox

COLUMNS = ("topic", "key", "event_id", "value")
TRACED = (*COLUMNS, "headers")


class Outgoing(NamedTuple):
    """One record to publish. ``event`` None is a tombstone for ``key`` on a compacted topic.

    ``value`` may carry the event's JSON where the caller has made it already. ``traceparent`` is
    for what many requests write in one transaction; else the context of ``append`` is kept.
    """

    topic: str
    key: str
    event: Event | None = None
    event_id: UUID | None = None
    value: bytes | None = None
    traceparent: str | None = None

    def row(self) -> tuple[str, bytes, UUID | None, bytes | None]:
        """Return the values of ``COLUMNS``."""
        if self.event is None:
            return self.topic, self.key.encode(), self.event_id, self.value
        value = self.value or self.event.model_dump_json().encode()
        return self.topic, self.key.encode(), self.event.id, value


async def append(tx: Tx, messages: Iterable[Outgoing]) -> None:
    """Append ``messages`` in order.

    Lock each key's aggregate first: ids are then taken in the order in which transactions of
    that key commit, which is the order the relay keeps.
    """
    if written := rows(messages):
        await bulk.copy_rows(tx, outbox, TRACED, written)


def rows(messages: Iterable[Outgoing]) -> list[tuple[object, ...]]:
    """Return the values of ``TRACED``, for who appends them by a statement of their own.

    Where traces are on, with the header that names the request that caused each.
    """
    if not telemetry.enabled():
        return [(*message.row(), None) for message in messages]
    here = telemetry.traceparent()
    traced: list[tuple[object, ...]] = []
    for message in messages:
        cause = message.traceparent or here
        headers = json.dumps({telemetry.HEADER: cause}) if cause else None
        traced.append((*message.row(), headers))
    return traced


async def append_original(
    tx: Tx, topic: str, *, key: bytes | None, value: bytes | None, headers: Mapping[str, str]
) -> None:
    """Append a record's original bytes with headers: the mirror of a dead letter."""
    await tx.execute(
        outbox.insert().values(topic=topic, key=key, value=value, headers=dict(headers))
    )


async def purge(tx: Tx, *, before: datetime, limit: int = 5_000) -> int:
    """Delete at most ``limit`` rows published before ``before``; return how many."""
    old = (
        sa.select(outbox.c.id)
        .where(outbox.c.published_at < before)
        .order_by(outbox.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    result = await tx.execute(outbox.delete().where(outbox.c.id.in_(old)))
    return result.rowcount


PUBLISHED_RETENTION = timedelta(days=7)
