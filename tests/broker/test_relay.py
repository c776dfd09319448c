"""The relay on real Kafka and Postgres: everything, in order per key, by one leader at a time."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from shared.contracts.topics import TOPICS
from shared.db import outbox
from shared.db.outbox import Outgoing
from shared.kafka import client, relay
from shared.kafka.client import TopicPartition
from shared.kafka.relay import Relay
from tests.broker.conftest import PARTITIONS, Bench, until
from tests.broker.purchases import purchase

pytestmark = pytest.mark.kafka


@asynccontextmanager
async def relaying(bench: Bench) -> AsyncGenerator[Relay, None]:
    stop = asyncio.Event()
    publisher = Relay(bench.service, bench.context)
    running = asyncio.ensure_future(publisher.run(stop))
    try:
        yield publisher
    finally:
        stop.set()
        await running


async def write(bench: Bench, member: UUID, numbers: range, amount_minor: int = 100) -> None:
    events = [purchase(member, n, amount_minor) for n in numbers]
    async with bench.db.transaction() as tx:
        await outbox.append(tx, [Outgoing(bench.topic, str(member), event) for event in events])


async def published(bench: Bench) -> bool:
    return await bench.scalar("SELECT count(*) FROM outbox WHERE published_at IS NULL") == 0


async def records(bench: Bench) -> list[tuple[str, str]]:
    """Return (member, receipt number) of every record, each partition in its order."""
    found: list[tuple[str, str]] = []
    every = [TopicPartition(bench.topic, n) for n in range(PARTITIONS)]
    async with client.probe(bench.kafka.bootstrap) as probe:
        ends = await probe.end_offsets(every)
        probe.assign(every)
        for tp in every:
            probe.seek(tp, 0)
        while len(found) < sum(ends.values()):
            for batch in (await probe.getmany(timeout_ms=500)).values():
                for record in batch:
                    assert record.value is not None
                    event = TOPICS[bench.topic].parse(record.value)
                    found.append((str(event.subject), event.data.receipt_no))  # pyright: ignore[reportAttributeAccessIssue]
    return found


async def test_the_outbox_is_published_in_order_per_key_with_its_positions(bench: Bench) -> None:
    members = [uuid4() for _ in range(10)]
    for start in (0, 50):
        for member in members:
            await write(bench, member, range(start, start + 50))
    async with relaying(bench):
        await until(lambda: published(bench))
    found = await records(bench)
    for member in members:
        mine = [number for who, number in found if who == str(member)]
        assert mine == [str(n) for n in range(100)]
    distinct = "SELECT count(DISTINCT (partition, kafka_offset)) FROM outbox"
    assert await bench.scalar(distinct) == 1_000


async def test_two_relays_have_one_leader_and_the_other_takes_over(bench: Bench) -> None:
    ann = uuid4()
    async with relaying(bench) as second_opened_later:
        await until(lambda: _is_ready(second_opened_later))
        async with relaying(bench) as standby:
            await until(lambda: _is_ready(standby))
            await write(bench, ann, range(50))
            await until(lambda: published(bench))
    assert await bench.scalar("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
    async with relaying(bench):
        await write(bench, ann, range(50, 60))
        await until(lambda: published(bench))
    assert [number for _, number in await records(bench)] == [str(n) for n in range(60)]


async def test_a_relay_whose_session_is_killed_leads_again_and_loses_nothing(bench: Bench) -> None:
    ann = uuid4()
    async with relaying(bench):
        for start in range(0, 60, 20):
            await write(bench, ann, range(start, start + 20))
            async with bench.db.transaction() as tx:
                await tx.execute(
                    sa.text(
                        "SELECT pg_terminate_backend(pid) FROM pg_locks "
                        "WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
                    )
                )
        await until(lambda: published(bench))
    first_seen = list(dict.fromkeys(number for _, number in await records(bench)))
    assert first_seen == [str(n) for n in range(60)]


async def test_rows_bigger_than_a_batch_are_cut_in_order(bench: Bench) -> None:
    ann = uuid4()
    async with bench.db.transaction() as tx:
        await outbox.append(
            tx,
            [
                Outgoing(bench.topic, str(ann), purchase(ann, n, does="x" * 400_000))
                for n in range(9)
            ],
        )
    async with relaying(bench):
        await until(lambda: published(bench))
    assert [number for _, number in await records(bench)] == [str(n) for n in range(9)]


async def test_a_row_the_broker_refuses_blocks_its_key_alone(bench: Bench) -> None:
    ann, ben = uuid4(), uuid4()
    async with bench.db.transaction() as tx:
        huge = purchase(ann, 1, does="x" * 5_000_000)
        await outbox.append(
            tx,
            [
                Outgoing(bench.topic, str(ann), purchase(ann, 0)),
                Outgoing(bench.topic, str(ann), huge),
                Outgoing(bench.topic, str(ann), purchase(ann, 2)),
                Outgoing(bench.topic, str(ben), purchase(ben, 0)),
            ],
        )
    async with relaying(bench):
        await until(lambda: _unpublished(bench, 2))
        await write(bench, ben, range(1, 3))
        await until(lambda: _unpublished(bench, 2))
    found = await records(bench)
    assert [n for who, n in found if who == str(ann)] == ["0"]
    assert [n for who, n in found if who == str(ben)] == ["0", "1", "2"]


async def test_republish_sends_again_what_consumers_have_and_nothing_doubles(bench: Bench) -> None:
    ann = uuid4()
    await write(bench, ann, range(20))
    async with relaying(bench), bench.consuming():
        await bench.reaches({str(ann): 2_000})
        async with bench.db.transaction() as tx:
            since = datetime.now(UTC) - timedelta(hours=1)
            assert await relay.republish(tx, since=since, topic=bench.topic) == 20
        await until(lambda: _republished(bench))
        await write(bench, ann, range(20, 21))
        await bench.reaches({str(ann): 2_100})
    assert len(await records(bench)) == 41


async def _republished(bench: Bench) -> bool:
    unpublished = f"published_at IS NULL AND topic = '{bench.topic}'"
    return await bench.scalar(f"SELECT count(*) FROM outbox WHERE {unpublished}") == 0


async def _is_ready(publisher: Relay) -> bool:
    return publisher.ready


async def _unpublished(bench: Bench, rows: int) -> bool:
    return await bench.scalar("SELECT count(*) FROM outbox WHERE published_at IS NULL") == rows
