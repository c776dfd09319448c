"""The relay: publishes the outbox, at least once and in order per key.

One relay per service is active: it holds an advisory lock on the one connection that it also
reads and marks with. A relay that is frozen loses connection and lock by the server's
``idle_session_timeout``; what it still sends when it wakes is a duplicate, which the inboxes drop.
Rows are claimed by ``published_at IS NULL``, never by "last id > x": ids are taken before commits.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

import sqlalchemy as sa
from aiokafka.errors import MessageSizeTooLargeError, RecordTooLargeError
from aiokafka.partitioner import DefaultPartitioner
from sqlalchemy.ext.asyncio import AsyncConnection

from shared import log, metrics, telemetry
from shared.db import Tx, bulk
from shared.db.plumbing import outbox
from shared.db.retry import is_transient
from shared.errors import Unavailable
from shared.kafka import client
from shared.kafka.client import AIOKafkaProducer, TopicPartition
from shared.service import Context, Service

LEADER_LOCK = 0x72656C6179
IDLE_SESSION_TIMEOUT_MS = 15_000
LINGER_S = 0.02
"""How long rows may gather: each claim costs the same for one row as for a hundred."""
IDLE_MAX_S = 0.1
STANDBY_S = 1.0
HEARTBEAT_S = 5.0
FAILURE_PAUSE_S = 0.5
SEND_TIMEOUT_S = 30.0
TOPIC_REST_S = 10.0
GAUGE_EVERY_S = 5.0
BATCH_BYTES = client.BATCH_BYTES * 9 // 10

OLDEST = (
    sa.select(outbox.c.id, outbox.c.topic, outbox.c.key, outbox.c.value, outbox.c.headers)
    .where(outbox.c.published_at.is_(None))
    .order_by(outbox.c.id)
    .limit(sa.bindparam("limit"))
)
SENT = bulk.Rows(
    "sent", {"id": sa.BigInteger(), "partition": sa.Integer(), "kafka_offset": sa.BigInteger()}
)
MARK = (
    outbox.update()
    .where(outbox.c.id == SENT.c.id)
    .values(
        published_at=sa.func.now(), partition=SENT.c.partition, kafka_offset=SENT.c.kafka_offset
    )
)

logger = log.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Row:
    """An unpublished row of the outbox."""

    id: int
    topic: str
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, str] | None

    def size(self) -> int:
        """Return about how many bytes the record takes in a batch."""
        headers = sum(len(k) + len(v) for k, v in (self.headers or {}).items())
        return len(self.key or b"") + len(self.value or b"") + headers + 64


@dataclass(frozen=True, slots=True)
class Published:
    """Where a row went."""

    id: int
    partition: int
    offset: int


class Relay:
    """Publishes one service's outbox while it is the leader."""

    def __init__(self, service: Service, context: Context) -> None:
        """Prepare; ``run`` does the work."""
        self._service = service
        self._settings = context.settings
        self._db = context.db
        self._partitioner = DefaultPartitioner()
        self._blocked: set[tuple[str, bytes | None]] = set()
        self._resting: dict[str, float] = {}
        self._gauged_at = 0.0
        self.ready = False

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until ``stop`` is set; waits patiently for Postgres, Kafka and the lead."""
        while not stop.is_set():
            try:
                await self._lead(stop)
            except Exception as error:
                if not (isinstance(error, (Unavailable, client.KafkaError)) or is_transient(error)):
                    raise
                logger.warning("relay_waits", service=self._service.name, error=repr(error))
                await _pause(stop, FAILURE_PAUSE_S + random.random())  # noqa: S311

    async def _lead(self, stop: asyncio.Event) -> None:
        """Become leader and publish; standing by is being ready, too."""
        async with self._db.engine.connect() as raw:
            connection = await raw.execution_options(isolation_level="AUTOCOMMIT")
            await connection.execute(
                sa.text(f"SET idle_session_timeout = {IDLE_SESSION_TIMEOUT_MS}")
            )
            try:
                while not await connection.scalar(
                    sa.select(sa.func.pg_try_advisory_lock(LEADER_LOCK))
                ):
                    self.ready = True
                    if await _pause(stop, STANDBY_S):
                        return
                logger.info("relay_leads", service=self._service.name)
                async with client.producer(
                    self._settings.kafka_bootstrap_servers, f"{self._service.name}-relay"
                ) as producer:
                    self.ready = True
                    await self._publish_until(connection, producer, stop)
            finally:
                # Back in the pool the session would keep the lock and the timeout.
                await connection.invalidate()

    async def _publish_until(
        self, connection: AsyncConnection, producer: AIOKafkaProducer, stop: asyncio.Event
    ) -> None:
        idle_s = LINGER_S
        while not stop.is_set():
            rows = await self._claim(connection)
            await self._gauge(connection, rows)
            if not rows:
                await _pause(stop, idle_s)
                idle_s = min(idle_s * 1.5, IDLE_MAX_S)
                continue
            idle_s = LINGER_S
            sending = asyncio.create_task(self._publish(producer, rows))
            await _keep_alive(connection, sending)
            published = await sending
            await _mark(connection, published)
            if len(published) < len(rows):
                await _pause(stop, FAILURE_PAUSE_S)
            elif len(rows) < self._settings.relay_batch_max:
                await _pause(stop, LINGER_S)

    async def _claim(self, connection: AsyncConnection) -> list[Row]:
        """Read the oldest unpublished rows; the query is the lead's heartbeat, too."""
        now = monotonic()
        self._resting = {topic: until for topic, until in self._resting.items() if until > now}
        statement = OLDEST
        if self._resting:
            statement = statement.where(outbox.c.topic.not_in(sorted(self._resting)))
        for topic, key in self._blocked:
            statement = statement.where(
                sa.not_(sa.and_(outbox.c.topic == topic, outbox.c.key.is_not_distinct_from(key)))
            )
        limit = {"limit": self._settings.relay_batch_max}
        return [Row(*row) for row in await connection.execute(statement, limit)]

    async def _publish(self, producer: AIOKafkaProducer, rows: Sequence[Row]) -> list[Published]:
        """Send rows: partitions side by side, each in id order, stopping at its first failure."""
        by_partition: dict[TopicPartition, list[Row]] = {}
        partitions = {
            topic: await self._partitions(producer, topic) for topic in {row.topic for row in rows}
        }
        for row in rows:
            every = partitions[row.topic]
            if not every:
                continue
            partition = self._partitioner(row.key, every, every)
            by_partition.setdefault(TopicPartition(row.topic, partition), []).append(row)
        sent = await asyncio.gather(
            *(self._send(producer, tp, mine) for tp, mine in by_partition.items())
        )
        return [one for part in sent for one in part]

    async def _partitions(self, producer: AIOKafkaProducer, topic: str) -> list[int]:
        """Return a topic's partitions; none, and a rest, where the broker does not know it."""
        try:
            async with asyncio.timeout(client.CALL_TIMEOUT_S):
                return sorted(await producer.partitions_for(topic))
        except (TimeoutError, client.KafkaError) as error:
            self._resting[topic] = monotonic() + TOPIC_REST_S
            metrics.relay_failed_total.labels(self._service.name, topic).inc()
            logger.warning("relay_topic_unknown", topic=topic, error=repr(error))
            return []

    async def _send(
        self, producer: AIOKafkaProducer, tp: TopicPartition, rows: Sequence[Row]
    ) -> list[Published]:
        """Send one partition's rows batch by batch; what follows a failure waits (order)."""
        published: list[Published] = []
        for chunk in _chunks(rows):
            try:
                first = await self._send_batch(producer, tp, chunk)
            except (MessageSizeTooLargeError, RecordTooLargeError):
                if len(chunk) == 1:
                    self._block(chunk[0])
                    return published
                for row in chunk:
                    alone = await self._send(producer, tp, [row])
                    published += alone
                    if not alone:
                        return published
            except (TimeoutError, client.KafkaError, OSError) as error:
                metrics.relay_failed_total.labels(self._service.name, tp.topic).inc()
                logger.warning("relay_send_failed", topic=tp.topic, error=repr(error))
                return published
            else:
                published += [
                    Published(row.id, tp.partition, first + place)
                    for place, row in enumerate(chunk)
                ]
        metrics.relay_published_total.labels(self._service.name, tp.topic).inc(len(published))
        return published

    async def _send_batch(
        self, producer: AIOKafkaProducer, tp: TopicPartition, rows: Sequence[Row]
    ) -> int:
        """Send rows as one Kafka batch; return the offset of the first."""
        builder = producer.create_batch()
        for row in rows:
            headers = [(name, value.encode()) for name, value in (row.headers or {}).items()]
            added = builder.append(timestamp=None, key=row.key, value=row.value, headers=headers)
            if added is None:
                message = f"outbox row {row.id} does not fit the batch that was cut for it"
                raise RuntimeError(message)
        builder.close()
        causes = (row.headers.get(telemetry.HEADER) for row in rows if row.headers)
        with telemetry.batch("send", tp.topic, causes, count=len(rows)):
            async with asyncio.timeout(SEND_TIMEOUT_S):
                acknowledged = await producer.send_batch(builder, tp.topic, partition=tp.partition)
                return int((await acknowledged).offset)

    def _block(self, row: Row) -> None:
        """Leave a key out that the broker refuses for its size; a person has to look."""
        self._blocked.add((row.topic, row.key))
        metrics.relay_failed_total.labels(self._service.name, row.topic).inc()
        logger.error("relay_key_blocked", topic=row.topic, outbox_id=row.id, bytes=row.size())

    async def _gauge(self, connection: AsyncConnection, rows: Sequence[Row]) -> None:
        """Every few seconds: how many rows wait, and how long the oldest has."""
        now = asyncio.get_running_loop().time()
        if now - self._gauged_at < GAUGE_EVERY_S:
            return
        self._gauged_at = now
        count, age_s = 0, 0.0
        if rows:
            age = sa.func.extract("epoch", sa.func.now() - sa.func.min(outbox.c.created_at))
            waiting = sa.select(sa.func.count(), age).where(outbox.c.published_at.is_(None))
            count, age_s = (await connection.execute(waiting)).one()
        metrics.outbox_unpublished.labels(self._service.name).set(count)
        metrics.outbox_age_seconds.labels(self._service.name).set(float(age_s or 0))


async def _pause(stop: asyncio.Event, seconds: float) -> bool:
    """Wait, but not beyond ``stop``; return whether it is set."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return False
    return True


def _chunks(rows: Sequence[Row]) -> list[list[Row]]:
    """Cut rows into batches below Kafka's limit, in order."""
    chunks: list[list[Row]] = []
    size = BATCH_BYTES
    for row in rows:
        if size + row.size() > BATCH_BYTES:
            chunks.append([])
            size = 0
        chunks[-1].append(row)
        size += row.size()
    return chunks


async def _keep_alive(connection: AsyncConnection, sending: "asyncio.Task[object]") -> None:
    """Keep the session, and with it the lead, while a slow broker makes us wait."""
    try:
        while not (await asyncio.wait({sending}, timeout=HEARTBEAT_S))[0]:
            await connection.execute(sa.text("SELECT 1"))
    except BaseException:
        sending.cancel()
        raise


async def _mark(connection: AsyncConnection, published: Sequence[Published]) -> None:
    """Mark what the broker acknowledged, with where it went, in one statement."""
    if not published:
        return
    columns = {
        "id": [one.id for one in published],
        "partition": [one.partition for one in published],
        "kafka_offset": [one.offset for one in published],
    }
    await connection.execute(MARK, SENT.values(columns))


async def republish(tx: Tx, *, since: datetime, topic: str | None = None) -> int:
    """Publish again what was written since ``since`` (within the outbox's retention).

    For a topic that was lost or recreated; consumers' inboxes drop what they have. Returns rows.
    """
    statement = outbox.update().where(
        outbox.c.created_at >= since, outbox.c.published_at.is_not(None)
    )
    if topic is not None:
        statement = statement.where(outbox.c.topic == topic)
    result = await tx.execute(statement.values(published_at=None))
    return result.rowcount
