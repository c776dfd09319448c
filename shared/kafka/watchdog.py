"""Notice a consumer that is alive and gets nothing, and a topic that shrank under it."""

import asyncio
from collections.abc import Mapping
from time import monotonic

from shared import log, metrics
from shared.errors import Unavailable
from shared.kafka import client
from shared.kafka.client import TopicPartition
from shared.kafka.offsets import Stopped

logger = log.get_logger(__name__)


class Stalled(Exception):
    """Records wait and we make no progress: a fresh process will do better."""


async def check(
    bootstrap: str,
    group: str,
    standing: Mapping[TopicPartition, tuple[int, float]],
    *,
    stall_s: float,
) -> set[TopicPartition]:
    """Compare ``standing`` (next offset, monotonic time of last progress) with the topics' ends.

    Returns the partitions where nothing waits: their time of progress is now.
    Asks by a connection of its own, since the consumer's may be what is stuck. Raises ``Stalled``
    or ``Stopped``. A broker that does not answer is no stall: nobody can progress then.
    """
    if not standing:
        return set()
    try:
        async with client.probe(bootstrap) as probe, asyncio.timeout(client.CALL_TIMEOUT_S):
            ends = await probe.end_offsets(list(standing))
    except (Unavailable, TimeoutError, client.KafkaError, OSError) as error:
        logger.warning("watchdog_blind", group=group, error=repr(error))
        return set()
    now = monotonic()
    level: set[TopicPartition] = set()
    for tp, (next_offset, progress_at) in standing.items():
        lag = ends[tp] - next_offset
        metrics.consumer_lag.labels(group, tp.topic, str(tp.partition)).set(max(lag, 0))
        if lag < 0:
            message = f"{tp.topic}/{tp.partition} ends at {ends[tp]}, we are at {next_offset}"
            raise Stopped(message)
        if lag == 0:
            level.add(tp)
        elif now - progress_at > stall_s:
            message = f"{tp.topic}/{tp.partition}: {lag} records wait for {now - progress_at:.0f} s"
            raise Stalled(message)
    return level
