"""Kafka and Postgres of the bench's own: real ones, with fsync on, in a temporary folder."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder

from deploy.local import provision
from deploy.local.kafka import LocalKafka, start_kafka
from deploy.local.postgres import LocalPostgres, start_postgres

PARTITIONS = 12
BATCH_BYTES = 900_000


@dataclass(frozen=True)
class Infra:
    """The two servers."""

    kafka: LocalKafka
    postgres: LocalPostgres

    async def database(self, service: str) -> tuple[str, str]:
        """Make a fresh database; return the URLs of its runtime and its owner role."""
        roles = provision.new_roles(service)
        admin = self.postgres.url()
        await provision.provision(admin, roles)
        runtime = self.postgres.url(service, role=roles.runtime, password=roles.runtime_password)
        return runtime, self.postgres.url(service, role=roles.owner, password=roles.owner_password)


@asynccontextmanager
async def infra() -> AsyncGenerator[Infra, None]:
    """Start both servers and stop them at the end."""
    with tempfile.TemporaryDirectory(prefix="perennial-bench-", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        # Postgres runs as another user where we are root.
        await asyncio.to_thread(folder.chmod, 0o755)
        kafka = await asyncio.to_thread(start_kafka, folder / "kafka")
        try:
            postgres = await asyncio.to_thread(start_postgres, folder / "postgres")
            try:
                yield Infra(kafka, postgres)
            finally:
                await asyncio.to_thread(postgres.stop)
        finally:
            await asyncio.to_thread(kafka.kill)


async def publish(bootstrap: str, topic: str, records: Iterable[tuple[bytes, bytes]]) -> None:
    """Put records on a topic as the relay would: whole batches, keyed."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        enable_idempotence=False,
        acks="all",
        max_batch_size=1_048_576,
        max_request_size=4_194_304,
    )
    await producer.start()
    try:
        every = sorted(await producer.partitions_for(topic))
        partitioner = DefaultPartitioner()
        builders = {partition: producer.create_batch() for partition in every}
        sizes = dict.fromkeys(every, 0)
        for key, value in records:
            partition = partitioner(key, every, every)
            if sizes[partition] + len(value) > BATCH_BYTES:
                await _send(producer, builders.pop(partition), topic, partition)
                builders[partition], sizes[partition] = producer.create_batch(), 0
            added = builders[partition].append(key=key, value=value, timestamp=None)
            assert added is not None
            sizes[partition] += len(value) + 100
        for partition, builder in builders.items():
            if builder.record_count():
                await _send(producer, builder, topic, partition)
    finally:
        await producer.stop()


async def _send(
    producer: AIOKafkaProducer, builder: BatchBuilder, topic: str, partition: int
) -> None:
    builder.close()
    await (await producer.send_batch(builder, topic, partition=partition))
