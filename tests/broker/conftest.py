"""A running consumer or relay of the tests' own service, on a topic of its own."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
import sqlalchemy as sa
from aiokafka.admin import NewTopic

from deploy.local.kafka import LocalKafka
from shared.clock import SystemClock
from shared.contracts.envelope import Event
from shared.contracts.topics import TOPICS
from shared.db import Database, Tx, run_unit
from shared.kafka import client, offsets
from shared.kafka.consumer import Consumer
from shared.service import Context, Service
from shared.settings import ServiceSettings
from tests.broker import tally
from tests.conftest import MakeDatabase

PARTITIONS = 4
DEADLINE_S = 30.0


@dataclass
class Bench:
    """One topic, one database, and the service between them."""

    topic: str
    kafka: LocalKafka
    db: Database
    settings: ServiceSettings

    @property
    def service(self) -> Service:
        return tally.service(self.topic, self.settings)

    @property
    def context(self) -> Context:
        return Context(self.db, SystemClock(), self.settings)

    async def produce(
        self, records: Sequence[tuple[str | None, bytes | None]], partition: int | None = None
    ) -> None:
        async with client.producer(self.kafka.bootstrap, "test") as producer:
            for key, value in records:
                await producer.send_and_wait(
                    self.topic, value, key=key.encode() if key else None, partition=partition
                )

    async def produce_events(self, *events: Event, partition: int | None = None) -> None:
        await self.produce(
            [(event.subject, event.model_dump_json().encode()) for event in events], partition
        )

    @asynccontextmanager
    async def consuming(self, context: Context | None = None) -> AsyncGenerator[Consumer, None]:
        """Run a consumer inside the block; its error, if any, is raised at the end."""
        stop = asyncio.Event()
        consumer = Consumer(self.service, context or self.context)
        running = asyncio.ensure_future(consumer.run(stop))
        try:
            yield consumer
        finally:
            stop.set()
            await running

    async def totals(self) -> dict[str, int]:
        async def read(tx: Tx) -> dict[str, int]:
            rows = await tx.execute(sa.select(tally.tally.c.member_id, tally.tally.c.total_minor))
            return {row.member_id: row.total_minor for row in rows}

        return await run_unit(self.db, read)

    async def trail(self, member: UUID) -> list[str]:
        async with self.db.transaction() as tx:
            found = await tx.scalar(
                sa.select(tally.tally.c.trail).where(tally.tally.c.member_id == str(member))
            )
        return str(found or "").split()

    async def scalar(self, sql: str) -> int:
        async with self.db.transaction() as tx:
            return await tx.scalar(sa.text(sql)) or 0

    async def reaches(self, wanted: dict[str, int]) -> None:
        await until(lambda: self._is(wanted))

    async def _is(self, wanted: dict[str, int]) -> bool:
        return await self.totals() == wanted


async def until(holds: Callable[[], Awaitable[bool]], deadline_s: float = DEADLINE_S) -> None:
    """Poll until ``holds``; fails at the deadline."""
    async with asyncio.timeout(deadline_s):
        while not await holds():
            await asyncio.sleep(0.05)


async def create_topic(kafka: LocalKafka, name: str) -> None:
    async with client.admin(kafka.bootstrap) as admin:
        await admin.create_topics([NewTopic(name, PARTITIONS, 1)])


async def delete_topic(kafka: LocalKafka, name: str) -> None:
    async with client.admin(kafka.bootstrap) as admin:
        await admin.delete_topics([name])


@pytest.fixture
def topic() -> Iterator[str]:
    name = f"purchases-{uuid4().hex[:8]}"
    TOPICS[name] = replace(TOPICS["purchases"], name=name)
    yield name
    del TOPICS[name]


@pytest_asyncio.fixture
async def bench(
    kafka: LocalKafka, make_database: MakeDatabase, topic: str
) -> AsyncGenerator[Bench, None]:
    db = await make_database(tally.migrations_only())
    settings = ServiceSettings(
        database_url="postgresql://unused",
        kafka_bootstrap_servers=kafka.bootstrap,
        consumer_batch_max=50,
        consumer_session_timeout_ms=6_000,
    ).model_copy(update={"kafka_bootstrap_servers": kafka.bootstrap})
    await create_topic(kafka, topic)
    async with db.transaction() as tx:
        await offsets.seed(tx, {topic: PARTITIONS})
    async with AsyncExitStack():
        yield Bench(topic, kafka, db, settings)
    await delete_topic(kafka, topic)
