"""One partition batch in one transaction: inbox, handler, outbox, offset.

If it runs twice, the inbox finds every event again and the compare-and-set finds another offset.
If it dies in the middle, nothing happened. If it is frozen, the server ends its transaction.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from time import perf_counter
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from shared import ids, log, metrics, telemetry
from shared.contracts.envelope import Event
from shared.contracts.structs import Unreadable
from shared.contracts.topics import Topic
from shared.db import Tx, bulk
from shared.db.plumbing import parked_key
from shared.kafka import deadletters, offsets
from shared.kafka.client import ConsumerRecord
from shared.kafka.deadletters import Letter
from shared.kafka.offsets import Position
from shared.service import Context, Handler

TAKE_IN = """
    INSERT INTO inbox (event_id, state)
    SELECT * FROM unnest($1::uuid[], $2::text[])
    ON CONFLICT DO NOTHING
    RETURNING event_id
"""

KEYS = bulk.Rows("wanted", {"key": sa.LargeBinary()})
LOCK_PARKED = (
    sa.select(parked_key.c.key)
    .join(KEYS.source, KEYS.c.key == parked_key.c.key)
    .where(parked_key.c.topic == sa.bindparam("topic"))
    .order_by(parked_key.c.key)
    .with_for_update(of=parked_key)
)

logger = log.get_logger(__name__)


class Item(NamedTuple):
    """One record: parsed, or with the reason why it could not be."""

    offset: int
    key: bytes | None
    value: bytes | None
    event: Event | None
    malformed: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive items of one partition, and where the partition stands before them."""

    topic: Topic
    position: Position
    items: Sequence[Item]

    def halves(self) -> Iterator[Sequence[Item]]:
        """Split in the middle."""
        middle = len(self.items) // 2
        yield self.items[:middle]
        yield self.items[middle:]


@dataclass(frozen=True, slots=True)
class Target:
    """What applies a batch: whose group, which handler, and on which cluster."""

    group: str
    cluster: str
    handler: Handler
    context: Context


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a batch, if its transaction commits."""

    position: Position
    """Where the partition stands after it."""
    events: int
    letters: Sequence[Letter]
    handler_s: float | None


def parse(topic: Topic, records: "Sequence[ConsumerRecord[bytes, bytes]]") -> list[Item]:
    """Parse records; what does not parse keeps its bytes and the reason."""
    return [_item(topic, record) for record in records]


def _item(topic: Topic, record: "ConsumerRecord[bytes, bytes]") -> Item:
    key, value = record.key, record.value
    if value is None:
        # The end of a key on a compacted topic; anywhere else nobody writes one.
        malformed = None if topic.compacted else "an event without a value"
        return Item(record.offset, key, None, None, malformed)
    try:
        return Item(record.offset, key, value, topic.read(value))
    except Unreadable as error:
        return Item(record.offset, key, value, None, str(error))


def cause(record: "ConsumerRecord[bytes, bytes]") -> str | None:
    """Return the trace context of the request that caused a record, if it was kept."""
    for name, value in record.headers:
        if name == telemetry.HEADER:
            return value.decode("latin-1")
    return None


async def apply(tx: Tx, target: Target, batch: Batch, poison: Letter | None = None) -> Applied:
    """Apply ``batch`` in ``tx``; ``count`` what it returns once ``tx`` is committed.

    ``poison``: the batch is one event that can not be applied, and this is its dead letter.
    Raises ``Fenced`` when another process has moved the offset.
    """
    parked = await _locked_parked_keys(tx, batch)
    settled = await _settled_malformed(tx, batch)
    letters, fresh = _sort_out(batch, parked, settled, poison)
    new = await _take_in(tx, fresh, letters)
    # A re-read of what was applied, parked or dropped before changes nothing.
    events = list({event.id: event for event in reversed(fresh) if event.id in new}.values())[::-1]
    letters = [one for one in letters if one.event_id is None or one.event_id in new]
    handler_s = None
    if events:
        started = perf_counter()
        await target.handler(tx, events, target.context)
        handler_s = perf_counter() - started
    if letters:
        await deadletters.append(tx, target.group, letters)
    last = batch.items[-1]
    last_event_id = (
        str(last.event.id) if last.event else offsets.identity(batch.topic.name, last.value)
    )
    await offsets.advance(
        tx,
        batch.position,
        next_offset=last.offset + 1,
        cluster=target.cluster,
        last_event_id=last_event_id,
    )
    position = replace(
        batch.position,
        next_offset=last.offset + 1,
        cluster_id=target.cluster,
        last_event_id=last_event_id,
        attempts=0,
    )
    return Applied(position, len(events), letters, handler_s)


async def _locked_parked_keys(tx: Tx, batch: Batch) -> set[bytes]:
    keys = sorted({item.key for item in batch.items if item.key is not None})
    if not keys:
        return set()
    parameters = {"topic": batch.topic.name} | KEYS.values({"key": keys})
    return set(await tx.scalars(LOCK_PARKED, parameters))


async def _settled_malformed(tx: Tx, batch: Batch) -> set[int]:
    """Return the offsets of unreadable records that have a dead letter from an earlier reading."""
    unreadable = [item.offset for item in batch.items if item.malformed is not None]
    if not unreadable:
        return set()
    return await deadletters.known(tx, batch.topic.name, batch.position.partition, unreadable)


def _sort_out(
    batch: Batch, parked: set[bytes], settled: set[int], poison: Letter | None
) -> tuple[list[Letter], list[Event]]:
    """Split into letters (dead, or parked behind one of their key) and events to apply."""
    letters: list[Letter] = [poison] if poison else []
    fresh: list[Event] = []
    for item in batch.items if poison is None else ():
        if item.offset in settled:
            continue
        if item.malformed is not None:
            letters.append(letter(batch, item, "malformed", item.malformed))
        elif item.event is None:
            continue
        elif item.key is not None and item.key in parked:
            behind = letter(batch, item, "behind_dead_letter", "An earlier event of its key is.")
            letters.append(replace(behind, state="parked"))
            continue
        else:
            fresh.append(item.event)
            continue
        if item.key is not None:
            parked.add(item.key)
    return letters, fresh


def letter(batch: Batch, item: Item, reason: str, detail: str) -> Letter:
    """Return the dead letter of ``item``; its id is derived from its position."""
    where = f"{batch.topic.name}/{batch.position.partition}/{item.offset}"
    return Letter(
        id=ids.derived_id(ids.NAMESPACE, f"dead-letter:{where}"),
        topic=batch.topic.name,
        partition=batch.position.partition,
        kafka_offset=item.offset,
        key=item.key,
        event_id=item.event.id if item.event else None,
        event_type=item.event.type if item.event else None,
        state="dead",
        reason=reason,
        detail=detail[:2_000],
        attempts=batch.position.attempts + 1,
        value=item.value,
    )


async def _take_in(tx: Tx, fresh: Sequence[Event], letters: Sequence[Letter]) -> set[UUID]:
    """Insert all ids into the inbox in one statement; return those that were not there yet."""
    states = {event.id: "applied" for event in fresh}
    states |= {one.event_id: "parked" for one in letters if one.event_id is not None}
    if not states:
        return set()
    # Sorted, so that two processes that hold the same records wait for, not block, each other.
    # By number: comparing UUID objects costs several times as much.
    ordered = sorted(states, key=attrgetter("int"))
    connection = await bulk.driver(tx)
    inserted = await connection.fetch(TAKE_IN, ordered, [states[event_id] for event_id in ordered])
    return {row[0] for row in inserted}


def count(group: str, batch: Batch, applied: Applied) -> None:
    """Count and log what became of a batch; after its commit, or a rollback would count twice."""
    topic = batch.topic.name
    metrics.batch_size.labels(group, topic).observe(len(batch.items))
    metrics.events_total.labels(group, topic, "applied").inc(applied.events)
    duplicates = len(batch.items) - applied.events - len(applied.letters)
    metrics.events_total.labels(group, topic, "duplicate").inc(max(duplicates, 0))
    if applied.handler_s is not None:
        metrics.handler_seconds.labels(group, topic).observe(applied.handler_s)
    for one in applied.letters:
        metrics.dead_letters_total.labels(group, topic, one.reason).inc()
        logger.error(
            "dead_letter",
            group=group,
            topic=one.topic,
            partition=one.partition,
            offset=one.kafka_offset,
            reason=one.reason,
            state=one.state,
        )
