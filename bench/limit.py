"""The limit: fetch with aiokafka, one set-based insert per batch, no logic at all.

No parsing, no dedupe, no offsets, no ledger: one narrow row per event, which is the least that a
consumer can do that leaves each event's mark in Postgres.
"""

import os

import asyncpg
from aiokafka import AIOKafkaConsumer

from bench.progress import Progress

BATCH_MAX = 500

CREATE = """
CREATE TABLE IF NOT EXISTS mark
    (partition int, kafka_offset bigint, key bytea, PRIMARY KEY (partition, kafka_offset))
"""
INSERT = """
INSERT INTO mark SELECT * FROM unnest($1::int[], $2::bigint[], $3::bytea[]) ON CONFLICT DO NOTHING
"""


async def run(events: int, progress: Progress) -> None:
    """Consume until ``events`` are committed."""
    connection = await asyncpg.connect(os.environ["BENCH_DATABASE_URL"])
    consumer = AIOKafkaConsumer(
        "purchases",
        bootstrap_servers=os.environ["KAFKA_BOOTSTRAP_SERVERS"],
        group_id="limit",
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
                await connection.execute(
                    INSERT,
                    [record.partition for record in records],
                    [record.offset for record in records],
                    [record.key for record in records],
                )
                done += len(records)
                progress.at(done)
    finally:
        await consumer.stop()
        await connection.close()
