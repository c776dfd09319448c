"""Clients with every unsafe default set explicitly, and a deadline on every call.

The numbers A1…A19 are those of the pitfalls that the comments answer:
A1 an idempotent producer never gives up · A4 small batches collapse under concurrency ·
A7/A8 ``commit`` and ``stop`` can hang · A9 a standby may never rejoin · A14 defaults lose data.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from shared import log
from shared.errors import Unavailable

START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0
CALL_TIMEOUT_S = 5.0
REQUEST_TIMEOUT_MS = 10_000
BATCH_BYTES = 1_048_576
POLL_INTERVAL_MAX_MS = 3_600_000

logger = log.get_logger(__name__)

__all__ = [
    "AIOKafkaConsumer",
    "AIOKafkaProducer",
    "ConsumerRebalanceListener",
    "ConsumerRecord",
    "KafkaError",
    "TopicPartition",
]


def unavailable(detail: str) -> Unavailable:
    """Return the error for a broker that does not answer."""
    return Unavailable("kafka_unavailable", detail)


async def stop_quietly(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Stop ``client`` within a deadline; what it still holds is in Postgres as well (A8)."""
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await client.stop()
    except (TimeoutError, KafkaError, OSError) as error:
        logger.warning("kafka_stop_failed", error=repr(error))


async def _start(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Start within a deadline; a client whose start failed is never used again (A5)."""
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            await client.start()
    except (TimeoutError, KafkaError, OSError) as error:
        await stop_quietly(client)
        message = "Kafka does not answer."
        raise unavailable(message) from error


@asynccontextmanager
async def producer(bootstrap: str, client_id: str) -> AsyncGenerator[AIOKafkaProducer, None]:
    """Open a producer; raises ``Unavailable`` when the broker is away."""
    client = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        client_id=client_id,
        # A1: with idempotence a send never fails while the broker is away. Dedupe is ours.
        enable_idempotence=False,
        acks="all",
        max_batch_size=BATCH_BYTES,  # A4
        max_request_size=4 * BATCH_BYTES,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        linger_ms=0,
    )
    await _start(client)
    try:
        yield client
    finally:
        await stop_quietly(client)


@asynccontextmanager
async def group_consumer(
    bootstrap: str, group: str, *, session_timeout_ms: int
) -> AsyncGenerator[AIOKafkaConsumer, None]:
    """Open a member of ``group``; subscribe it afterwards."""
    client = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        client_id=group,
        group_id=group,
        # A14: offsets live in Postgres and every partition is sought before it is read. A reset
        # to the beginning shows as an offset that we do not expect, and stops the loop.
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        session_timeout_ms=session_timeout_ms,
        heartbeat_interval_ms=session_timeout_ms // 5,
        # A9: a standby that exceeds this never rejoins. Our own watchdog looks for stalls.
        max_poll_interval_ms=POLL_INTERVAL_MAX_MS,
        rebalance_timeout_ms=session_timeout_ms,
        request_timeout_ms=max(REQUEST_TIMEOUT_MS, session_timeout_ms + 5_000),
        fetch_max_bytes=16 * BATCH_BYTES,
        max_partition_fetch_bytes=4 * BATCH_BYTES,
        fetch_max_wait_ms=500,
    )
    await _start(client)
    try:
        yield client
    finally:
        await stop_quietly(client)


@asynccontextmanager
async def probe(bootstrap: str) -> AsyncGenerator[AIOKafkaConsumer, None]:
    """Open a consumer outside any group, to look at records and offsets."""
    client = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        request_timeout_ms=REQUEST_TIMEOUT_MS,
    )
    await _start(client)
    try:
        yield client
    finally:
        await stop_quietly(client)


@asynccontextmanager
async def admin(bootstrap: str) -> AsyncGenerator[AIOKafkaAdminClient, None]:
    """Open an admin client; every call below it needs a deadline of its own."""
    client = AIOKafkaAdminClient(
        bootstrap_servers=bootstrap, request_timeout_ms=int(CALL_TIMEOUT_S * 1_000)
    )
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            await client.start()
    except (TimeoutError, KafkaError, OSError) as error:
        message = "Kafka does not answer."
        raise unavailable(message) from error
    try:
        yield client
    finally:
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await client.close()
        except (TimeoutError, KafkaError, OSError) as error:
            logger.warning("kafka_stop_failed", error=repr(error))


async def commit_hint(client: AIOKafkaConsumer, offsets: Mapping[TopicPartition, int]) -> None:
    """Tell Kafka how far we are, for lag tools; it may fail, and must not hang (A7)."""
    owned = {tp: offset for tp, offset in offsets.items() if tp in client.assignment()}
    if not owned:
        return
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            await client.commit(owned)
    except (TimeoutError, KafkaError, OSError) as error:
        logger.info("kafka_commit_hint_failed", error=repr(error))


async def cluster_id(bootstrap: str) -> str:
    """Return the id of the cluster that answers; raises ``Unavailable``."""
    async with admin(bootstrap) as client:
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                answer = await client.describe_cluster()
        except (TimeoutError, KafkaError, OSError) as error:
            message = "Kafka does not tell its cluster id."
            raise unavailable(message) from error
        return str(answer["cluster_id"])
