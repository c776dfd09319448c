"""The limit: fetch with aiokafka, one set-based insert per batch, no logic at all.

No parsing, no dedupe, no offsets, no ledger. ``run`` keeps what it was told, the record's bytes, as
a plain sink from Kafka to a table does; ``run_marks`` writes a narrow row per event, its position
and key: the least that leaves a trace of it, and mostly a measure of the client.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, ConsumerRecord

from bench.progress import Progress

BATCH_MAX = 500

CREATE = """
CREATE TABLE IF NOT EXISTS mark (
    partition int, kafka_offset bigint, key bytea, value bytea,
    PRIMARY KEY (partition, kafka_offset)
)
"""
MARKS = """
INSERT INTO mark (partition, kafka_offset, key)
SELECT * FROM unnest($1::int[], $2::bigint[], $3::bytea[]) ON CONFLICT DO NOTHING
"""
RECORDS = """
INSERT INTO mark (partition, kafka_offset, key, value)
SELECT * FROM unnest($1::int[], $2::bigint[], $3::bytea[], $4::bytea[]) ON CONFLICT DO NOTHING
"""


async def run(events: int, progress: Progress) -> None:
    """Write each event's position, key and bytes."""
    await _consume(events, progress, RECORDS, _records)


async def run_marks(events: int, progress: Progress) -> None:
    """Write each event's position and key."""
    await _consume(events, progress, MARKS, _marks)


def _marks(records: "Sequence[ConsumerRecord[bytes, bytes]]") -> list[list[Any]]:
    return [
        [record.partition for record in records],
        [record.offset for record in records],
        [record.key for record in records],
    ]


def _records(records: "Sequence[ConsumerRecord[bytes, bytes]]") -> list[list[Any]]:
    return [*_marks(records), [record.value for record in records]]


async def _consume(
    events: int, progress: Progress, insert: str, columns: Callable[..., list[list[Any]]]
) -> None:
    connection = await asyncpg.connect(os.environ["BENCH_DATABASE_URL"])
    consumer = AIOKafkaConsumer(
        "purchases",
        bootstrap_servers=os.environ["KAFKA_BOOTSTRAP_SERVERS"],
        group_id=f"limit-{os.getpid()}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=2_097_152,
        fetch_max_bytes=16_777_216,
        fetch_max_wait_ms=100,
    )
    await connection.execute(CREATE)
    await consumer.start()
    try:
        done = 0
        while done < events:
            polled = await consumer.getmany(timeout_ms=100, max_records=BATCH_MAX)
            for records in polled.values():
                await connection.execute(insert, *columns(records))
                done += len(records)
                progress.at(done)
    finally:
        await consumer.stop()
        await connection.close()
