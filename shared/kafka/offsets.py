"""Where each partition stands: rows in Postgres, checked against the topic on assignment."""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shared.contracts.structs import Unreadable
from shared.contracts.topics import TOPICS
from shared.db import Tx, bulk
from shared.db.plumbing import consumer_attempt, consumer_offset
from shared.errors import Refused
from shared.kafka import client
from shared.kafka.client import TopicPartition

READ_BACK_TIMEOUT_S = 10.0
ADVANCE = """
    UPDATE consumer_offset
    SET next_offset = $4, cluster_id = $5, last_event_id = $6, updated_at = now()
    WHERE topic = $1 AND partition = $2 AND next_offset = $3
    RETURNING next_offset
"""


class Fenced(Exception):
    """Another process moved the offset: what we hold is not ours any more."""


class Stopped(Exception):
    """Going on could lose or double events; a person has to decide (exit code 78)."""


@dataclass(frozen=True, slots=True)
class Position:
    """One row of ``consumer_offset``, with the attempts counted at it."""

    topic: str
    partition: int
    next_offset: int
    cluster_id: str | None
    last_event_id: str | None
    attempts: int = 0
    bugs_in_a_row: int = 0


def identity(topic: str, value: bytes | None) -> str:
    """Return what tells one record from another: the event's id, or a hash of its bytes."""
    if value is not None:
        try:
            return str(TOPICS[topic].read(value).id)
        except Unreadable:
            pass
    return "sha256:" + hashlib.sha256(value or b"").hexdigest()


async def load(tx: Tx, partitions: Iterable[TopicPartition]) -> list[Position]:
    """Load positions; a missing row is an error, since ``migrate`` seeds them all."""
    attempt = consumer_attempt
    offset = consumer_offset
    joined = offset.outerjoin(
        attempt,
        sa.and_(
            attempt.c.topic == offset.c.topic,
            attempt.c.partition == offset.c.partition,
            attempt.c.next_offset == offset.c.next_offset,
        ),
    )
    wanted = [(tp.topic, tp.partition) for tp in partitions]
    rows = await tx.execute(
        sa.select(
            offset.c.topic,
            offset.c.partition,
            offset.c.next_offset,
            offset.c.cluster_id,
            offset.c.last_event_id,
            sa.func.coalesce(attempt.c.attempts, 0),
            sa.func.coalesce(attempt.c.bugs_in_a_row, 0),
        )
        .select_from(joined)
        .where(sa.tuple_(offset.c.topic, offset.c.partition).in_(wanted))
    )
    found = [Position(*row) for row in rows]
    missing = set(wanted) - {(position.topic, position.partition) for position in found}
    if missing:
        message = f"no consumer_offset row for {sorted(missing)}; run migrate"
        raise Stopped(message)
    return found


async def seed(tx: Tx, counts: Mapping[str, int]) -> None:
    """Insert a row at offset 0 for each partition that has none yet."""
    rows = [
        {"topic": topic, "partition": partition, "next_offset": 0}
        for topic, count in counts.items()
        for partition in range(count)
    ]
    if rows:
        await tx.execute(insert(consumer_offset).on_conflict_do_nothing(), rows)


async def advance(
    tx: Tx, position: Position, *, next_offset: int, cluster: str, last_event_id: str
) -> None:
    """Move the offset by compare-and-set; raises ``Fenced`` if someone else has moved it."""
    connection = await bulk.driver(tx)
    moved = await connection.fetchval(
        ADVANCE,
        position.topic,
        position.partition,
        position.next_offset,
        next_offset,
        cluster,
        last_event_id,
    )
    if moved is None:
        message = f"{position.topic}/{position.partition} is not at {position.next_offset}"
        raise Fenced(message)


async def count_attempt(tx: Tx, position: Position) -> int:
    """Count one more process that ended at this offset; return how many did so far."""
    statement = insert(consumer_attempt).values(
        topic=position.topic,
        partition=position.partition,
        next_offset=position.next_offset,
        attempts=1,
    )
    same = consumer_attempt.c.next_offset == statement.excluded.next_offset
    counted = await tx.execute(
        statement.on_conflict_do_update(
            index_elements=["topic", "partition"],
            set_={
                "attempts": sa.case((same, consumer_attempt.c.attempts + 1), else_=1),
                "next_offset": statement.excluded.next_offset,
            },
        ).returning(consumer_attempt.c.attempts)
    )
    return int(counted.scalar_one())


async def set_bugs_in_a_row(tx: Tx, position: Position, next_offset: int, bugs: int) -> None:
    """Remember how many events in a row were set aside as bugs; 0 forgets the row."""
    mine = sa.and_(
        consumer_attempt.c.topic == position.topic,
        consumer_attempt.c.partition == position.partition,
    )
    if bugs == 0:
        await tx.execute(consumer_attempt.delete().where(mine))
        return
    # The attempts go with the offset: the next event is suspected at once, not after 3 restarts.
    await tx.execute(
        consumer_attempt.update().where(mine).values(next_offset=next_offset, bugs_in_a_row=bugs)
    )


async def verify(bootstrap: str, cluster: str, positions: Sequence[Position]) -> None:
    """Compare positions with the topics themselves; raises ``Stopped`` on a mismatch.

    Another cluster, an offset out of range, or another event before our offset means that the
    topic was recreated, restored or trimmed: going on would skip or repeat silently.
    """
    for position in positions:
        if position.cluster_id not in {None, cluster}:
            message = (
                f"{_name(position)}: this is cluster {cluster}, "
                f"the offset belongs to {position.cluster_id}"
            )
            raise Stopped(message)
    where = {TopicPartition(p.topic, p.partition): p for p in positions}
    if not where:
        return
    try:
        async with client.probe(bootstrap) as consumer:
            async with asyncio.timeout(client.CALL_TIMEOUT_S):
                first = await consumer.beginning_offsets(list(where))
                end = await consumer.end_offsets(list(where))
            readable = _check_ranges(where, first, end)
            await _read_back(consumer, readable)
    except (TimeoutError, client.KafkaError, OSError) as error:
        message = "Kafka does not answer about its offsets."
        raise client.unavailable(message) from error


def _name(position: Position) -> str:
    return f"{position.topic}/{position.partition} at {position.next_offset}"


def _check_ranges(
    where: Mapping[TopicPartition, Position],
    first: Mapping[TopicPartition, int],
    end: Mapping[TopicPartition, int],
) -> dict[TopicPartition, Position]:
    """Check that each offset lies in its topic; return those whose last event can be read."""
    readable: dict[TopicPartition, Position] = {}
    for tp, position in where.items():
        if position.next_offset > end[tp]:
            message = (
                f"{_name(position)}: the topic ends at {end[tp]}; "
                "it was recreated, or restored from a backup"
            )
            raise Stopped(message)
        if position.next_offset < first[tp] and not TOPICS[tp.topic].compacted:
            message = (
                f"{_name(position)}: the topic begins at {first[tp]}; records were trimmed before "
                "they were read"
            )
            raise Stopped(message)
        if position.last_event_id is not None and position.next_offset - 1 >= first[tp]:
            readable[tp] = position
    return readable


async def _read_back(
    consumer: client.AIOKafkaConsumer, readable: Mapping[TopicPartition, Position]
) -> None:
    """Read the record before each offset and compare it with the event we applied last."""
    if not readable:
        return
    consumer.assign(list(readable))
    for tp, position in readable.items():
        consumer.seek(tp, position.next_offset - 1)
    waiting = dict(readable)
    async with asyncio.timeout(READ_BACK_TIMEOUT_S):
        while waiting:
            batches = await consumer.getmany(*waiting, timeout_ms=500, max_records=len(waiting))
            for tp, records in batches.items():
                position = waiting.pop(tp, None)
                if position is not None:
                    _compare(position, records[0])
                    consumer.pause(tp)
            # A compacted topic may end in a gap: nothing behind our offset, nothing to compare.
            for tp in [tp for tp in waiting if TOPICS[tp.topic].compacted]:
                if await consumer.position(tp) >= waiting[tp].next_offset:
                    del waiting[tp]


def _compare(position: Position, record: "client.ConsumerRecord[bytes, bytes]") -> None:
    if record.offset != position.next_offset - 1:
        if TOPICS[position.topic].compacted:
            return
        found = f"offset {record.offset}"
    else:
        found = identity(position.topic, record.value)
    if found != position.last_event_id:
        message = (
            f"{_name(position)}: expected event {position.last_event_id} before it, found {found}; "
            "the topic was recreated"
        )
        raise Stopped(message)


async def show(tx: Tx) -> list[Position]:
    """Return every position; for the ``offsets show`` command."""
    rows = await tx.execute(sa.select(consumer_offset.c.topic, consumer_offset.c.partition))
    return await load(tx, [TopicPartition(topic, partition) for topic, partition in rows])


async def reset(tx: Tx, topic: str, partition: int | None, to: int) -> int:
    """Set offsets by hand and forget what identified the topic; the inbox dedupes re-reads.

    Returns how many rows were set; raises ``Refused`` if there is none such.
    """
    statement = consumer_offset.update().where(consumer_offset.c.topic == topic)
    if partition is not None:
        statement = statement.where(consumer_offset.c.partition == partition)
    result = await tx.execute(statement.values(next_offset=to, cluster_id=None, last_event_id=None))
    if result.rowcount == 0:
        code, detail = "unknown_partition", f"No offset is kept for {topic}."
        raise Refused(code, detail, status=404)
    return result.rowcount
