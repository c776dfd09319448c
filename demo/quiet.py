"""Wait until every event has gone all the way, as the databases tell it.

An event is at any moment in an unpublished outbox row, or published and beyond a consumer's
offset, or applied. The relay notes where it put each row, so that nobody has to ask Kafka.
"""

import asyncio
from collections.abc import Callable, Mapping

import sqlalchemy as sa

from shared.db import Database

PAUSE_S = 0.5
PASSES = 2
"""Services feed one another: one pass may look behind an event that is going round."""

_PUBLISHED = sa.text(
    "SELECT topic, partition, max(kafka_offset) + 1 FROM outbox"
    " WHERE published_at IS NOT NULL GROUP BY topic, partition"
)
_UNPUBLISHED = sa.text("SELECT count(*) FROM outbox WHERE published_at IS NULL")
_APPLIED = sa.text("SELECT topic, partition, next_offset FROM consumer_offset")
_UNSENT = sa.text("SELECT count(*) FROM message WHERE state IN ('waiting', 'queued', 'claimed')")


async def events_under_way(databases: Mapping[str, Database]) -> int:
    """Return how many steps events still have to go: rows to publish plus records to apply."""
    ends: dict[tuple[str, int], int] = {}
    under_way = 0
    for database in databases.values():
        async with database.transaction() as tx:
            under_way += int(await tx.scalar(_UNPUBLISHED) or 0)
            for topic, partition, end in await tx.execute(_PUBLISHED):
                ends[topic, partition] = max(end, ends.get((topic, partition), 0))
    for database in databases.values():
        async with database.transaction() as tx:
            for topic, partition, offset in await tx.execute(_APPLIED):
                under_way += max(0, ends.get((topic, partition), 0) - offset)
    return under_way


async def messages_under_way(databases: Mapping[str, Database]) -> int:
    """Return how many messages notify has not decided about yet."""
    async with databases["notify"].transaction() as tx:
        return int(await tx.scalar(_UNSENT) or 0)


async def wait(
    databases: Mapping[str, Database],
    *,
    deadline_s: float,
    tell: Callable[[str], None],
    messages: bool = False,
) -> None:
    """Return once nothing is under way; raise ``TimeoutError`` after ``deadline_s``."""
    calm, events, unsent = 0, 0, 0
    try:
        async with asyncio.timeout(deadline_s):
            while calm < PASSES:
                events = await events_under_way(databases)
                unsent = await messages_under_way(databases) if messages else 0
                tell(f"{events:,} events" + (f", {unsent:,} messages" if messages else ""))
                calm = calm + 1 if events == unsent == 0 else 0
                if calm < PASSES:
                    await asyncio.sleep(PAUSE_S)
    except TimeoutError as error:
        message = (
            f"after {deadline_s:.0f} s there are still {events} events and {unsent} messages"
            " under way: see .local/log"
        )
        raise TimeoutError(message) from error
