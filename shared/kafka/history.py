"""Reading what a topic has had since some time, outside any group: nobody's offset moves."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime

from shared.kafka import client, topics
from shared.kafka.client import AIOKafkaConsumer, ConsumerRecord, KafkaError, TopicPartition

POLL_MS = 500
RECORDS_MAX = 500
"""Most records in memory at once, beside what the client has fetched."""
SILENCE_S = 10.0
"""A broker that gives nothing for so long, of what it says it has, is away."""


async def read_since(
    bootstrap: str, topic: str, since: datetime
) -> "AsyncGenerator[Sequence[ConsumerRecord], None]":
    """Yield what the topic got from ``since`` on, up to what it has when this begins.

    Records of one partition come in their order. Close the generator to stop early. Raises
    ``Unavailable`` when the broker is away.
    """
    count = (await topics.partition_counts(bootstrap, [topic]))[topic]
    every = [TopicPartition(topic, number) for number in range(count)]
    async with client.probe(bootstrap) as consumer:
        left = await _begin(consumer, every, since)
        while left:
            for tp, records in (await _poll(consumer)).items():
                wanted = [one for one in records if one.offset < left.get(tp, 0)]
                if records[-1].offset + 1 >= left.get(tp, 0):
                    left.pop(tp, None)
                    consumer.pause(tp)
                if wanted:
                    yield wanted


async def _begin(
    consumer: AIOKafkaConsumer, every: Sequence[TopicPartition], since: datetime
) -> dict[TopicPartition, int]:
    """Go to that time in each partition; return those with something to read, and its end."""
    try:
        async with asyncio.timeout(client.CALL_TIMEOUT_S):
            ends = await consumer.end_offsets(every)
            at = int(since.timestamp() * 1_000)
            found = await consumer.offsets_for_times(dict.fromkeys(every, at))
    except (TimeoutError, KafkaError, OSError) as error:
        raise _away() from error
    starts = {tp: one.offset for tp, one in found.items() if one is not None}
    left = {tp: ends[tp] for tp, start in starts.items() if start < ends[tp]}
    if left:
        consumer.assign(list(left))
    for tp in left:
        consumer.seek(tp, starts[tp])
    return left


async def _poll(
    consumer: AIOKafkaConsumer,
) -> "dict[TopicPartition, list[ConsumerRecord]]":
    try:
        async with asyncio.timeout(SILENCE_S):
            while True:
                found = await consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_MAX)
                if found:
                    return found
    except (TimeoutError, KafkaError, OSError) as error:
        raise _away() from error


def _away() -> Exception:
    message = "Kafka does not give what its topic has."
    return client.unavailable(message)
