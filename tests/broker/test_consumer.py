"""The consumer loop on real Kafka and Postgres: once, in order, and never past a poison."""

import asyncio
from uuid import uuid4

import pytest
import sqlalchemy as sa
from aiokafka.admin import RecordsToDelete

from shared.contracts.topics import TOPICS
from shared.db.plumbing import consumer_offset
from shared.errors import Refused
from shared.kafka import client, deadletters, offsets, topics
from shared.kafka.client import TopicPartition
from shared.kafka.consumer import Consumer, HandlerBug
from shared.kafka.offsets import Stopped
from tests.broker.conftest import Bench, create_topic, delete_topic, until
from tests.broker.purchases import purchase
from tests.broker.tally import Healed

pytestmark = pytest.mark.kafka


async def test_each_event_is_applied_once_though_it_comes_twice(bench: Bench) -> None:
    ann, ben = uuid4(), uuid4()
    events = [purchase(ann, n) for n in range(120)] + [purchase(ben, n, 7) for n in range(3)]
    await bench.produce_events(*events)
    await bench.produce_events(*events[::-1])
    async with bench.consuming():
        await bench.reaches({str(ann): 12_000, str(ben): 21})
        await until(lambda: _at_end(bench, 246))
    assert await bench.totals() == {str(ann): 12_000, str(ben): 21}
    assert await bench.scalar("SELECT count(*) FROM outbox") == 123
    assert await bench.scalar("SELECT count(*) FROM inbox") == 123


async def test_events_of_a_member_are_applied_in_order(bench: Bench) -> None:
    ann = uuid4()
    await bench.produce_events(*(purchase(ann, n, 1) for n in range(300)))
    async with bench.consuming():
        await bench.reaches({str(ann): 300})
    assert await bench.trail(ann) == [str(n) for n in range(300)]


async def test_the_whole_topic_replayed_changes_nothing(bench: Bench) -> None:
    ann = uuid4()
    await bench.produce_events(*(purchase(ann, n) for n in range(60)))
    async with bench.consuming():
        await bench.reaches({str(ann): 6_000})
    async with bench.db.transaction() as tx:
        await offsets.reset(tx, bench.topic, None, 0)
    async with bench.consuming():
        await until(lambda: _at_end(bench, 60))
    assert await bench.totals() == {str(ann): 6_000}
    assert await bench.scalar("SELECT count(*) FROM outbox") == 60


async def test_bytes_that_do_not_parse_are_set_aside_with_what_follows_of_their_key(
    bench: Bench,
) -> None:
    ann, ben = uuid4(), uuid4()
    await bench.produce_events(purchase(ann, 1), partition=0)
    await bench.produce([(str(ann), b'{"type": "purchase.recorded.v9"}')], partition=0)
    await bench.produce_events(purchase(ann, 2), purchase(ben, 1), partition=0)
    async with bench.consuming():
        await bench.reaches({str(ann): 100, str(ben): 100})
        await until(lambda: _at_end(bench, 4))
    async with bench.db.transaction() as tx:
        letters = await deadletters.list_letters(tx)
    by_offset = {one.kafka_offset: one for one in letters}
    assert [by_offset[n].state for n in (1, 2)] == ["dead", "parked"]
    assert by_offset[1].value == b'{"type": "purchase.recorded.v9"}'
    assert await bench.scalar("SELECT count(*) FROM outbox WHERE topic LIKE '%.dlq'") == 1

    with pytest.raises(Refused):
        await deadletters.replay(bench.db, bench.service, by_offset[1].id, bench.context)
    await deadletters.drop(bench.db, by_offset[1].id)
    assert await deadletters.replay(bench.db, bench.service, by_offset[2].id, bench.context) == 1
    assert await bench.totals() == {str(ann): 200, str(ben): 100}
    assert await bench.scalar("SELECT count(*) FROM parked_key") == 0


@pytest.mark.parametrize("does", ["poison", "null"])
async def test_one_bad_event_in_a_batch_parks_its_key_and_stops_nobody_else(
    bench: Bench, does: str
) -> None:
    members = [uuid4() for _ in range(8)]
    bad = members[3]
    events = [purchase(m, n, does=does if (m, n) == (bad, 2) else "ok")
              for n in range(5) for m in members]  # fmt: skip
    await bench.produce_events(*events, partition=1)
    async with bench.consuming():
        await bench.reaches({str(m): 200 if m == bad else 500 for m in members})
        await until(lambda: _at_end(bench, 40))
        await bench.produce_events(purchase(bad, 5), partition=1)
        await until(lambda: _at_end(bench, 41))
    assert await bench.trail(bad) == ["0", "1"]
    assert await bench.scalar("SELECT count(*) FROM dead_letter WHERE state = 'parked'") == 3
    assert await bench.scalar("SELECT count(*) FROM consumer_attempt") == 0


async def test_replay_drains_a_key_in_order_and_twice_is_once(bench: Bench) -> None:
    ann = uuid4()
    await bench.produce_events(
        *(purchase(ann, n, does="poison" if n == 0 else "ok") for n in range(4)), partition=2
    )
    async with bench.consuming():
        await until(lambda: _at_end(bench, 4))
    healed = Healed(bench.db, bench.context.clock, bench.settings)
    async with bench.db.transaction() as tx:
        letters = await deadletters.list_letters(tx)
    dead = next(one for one in letters if one.state == "dead")
    assert await deadletters.replay(bench.db, bench.service, dead.id, healed) == 4
    assert await deadletters.replay(bench.db, bench.service, dead.id, healed) == 0
    assert await bench.trail(ann) == ["0", "1", "2", "3"]
    async with bench.db.transaction() as tx:
        await offsets.reset(tx, bench.topic, None, 0)
    async with bench.consuming():
        await until(lambda: _at_end(bench, 4))
    assert await bench.totals() == {str(ann): 400}
    assert await bench.scalar("SELECT count(*) FROM dead_letter WHERE closed_at IS NULL") == 0


async def test_a_bug_ends_the_process_three_times_and_is_then_set_aside(bench: Bench) -> None:
    ann, ben = uuid4(), uuid4()
    events = [purchase(ann, 0), purchase(ben, 0, does="bug"), purchase(ann, 1), purchase(ben, 1)]
    await bench.produce_events(*events, partition=0)
    for _ in range(3):
        with pytest.raises(HandlerBug):
            await Consumer(bench.service, bench.context).run(asyncio.Event())
        assert await bench.totals() == {}
    async with bench.consuming():
        await bench.reaches({str(ann): 200})
        await until(lambda: _at_end(bench, 4))
    async with bench.db.transaction() as tx:
        letters = {one.kafka_offset: one for one in await deadletters.list_letters(tx)}
    assert (letters[1].reason, letters[1].state) == ("bug", "dead")
    assert letters[3].state == "parked"


async def test_a_zombie_is_fenced_by_the_offset(bench: Bench) -> None:
    """Another process applies the batch while we are in the middle of it."""
    ann = uuid4()
    await bench.produce_events(*(purchase(ann, n) for n in range(10)), partition=0)
    one, two = bench.service, bench.service
    slow = asyncio.Event()
    go_on = asyncio.Event()
    handler = one.handlers[bench.topic]

    async def stuck(tx: object, events: object, context: object) -> None:
        slow.set()
        await go_on.wait()
        await handler(tx, events, context)  # pyright: ignore[reportArgumentType]

    one.handlers[bench.topic] = stuck  # pyright: ignore[reportIndexIssue]
    stop = asyncio.Event()
    zombie = asyncio.ensure_future(Consumer(one, bench.context).run(stop))
    await slow.wait()
    async with bench.db.transaction() as tx:
        # What the successor's commit leaves behind.
        await tx.execute(
            consumer_offset.update()
            .where(consumer_offset.c.topic == bench.topic, consumer_offset.c.partition == 0)
            .values(next_offset=5)
        )
    go_on.set()
    one.handlers[bench.topic] = two.handlers[bench.topic]  # pyright: ignore[reportIndexIssue]
    await bench.reaches({str(ann): 500})
    await until(lambda: _at_end(bench, 10))
    stop.set()
    await zombie
    assert await bench.trail(ann) == [str(n) for n in range(5, 10)]


async def test_two_members_share_the_partitions_and_hand_them_over(bench: Bench) -> None:
    members = [uuid4() for _ in range(20)]
    async with bench.consuming():
        await bench.produce_events(*(purchase(m, n, 1) for n in range(10) for m in members))
        async with bench.consuming():
            await bench.produce_events(*(purchase(m, n, 1) for n in range(10, 20) for m in members))
            await bench.reaches({str(m): 20 for m in members})
        await bench.produce_events(*(purchase(m, n, 1) for n in range(20, 25) for m in members))
        await bench.reaches({str(m): 25 for m in members})
    for member in members:
        assert await bench.trail(member) == [str(n) for n in range(25)]


async def test_a_recreated_topic_stops_the_consumer(bench: Bench) -> None:
    ann = uuid4()
    await bench.produce_events(*(purchase(ann, n) for n in range(10)), partition=0)
    async with bench.consuming():
        await bench.reaches({str(ann): 1_000})
    await delete_topic(bench.kafka, bench.topic)
    await until(lambda: _created(bench))
    await bench.produce_events(*(purchase(ann, n) for n in range(100, 115)), partition=0)
    with pytest.raises(Stopped, match="recreated"):
        await Consumer(bench.service, bench.context).run(asyncio.Event())
    assert await bench.totals() == {str(ann): 1_000}


async def test_another_cluster_stops_the_consumer(bench: Bench) -> None:
    async with bench.db.transaction() as tx:
        await tx.execute(consumer_offset.update().values(cluster_id="another"))
    with pytest.raises(Stopped, match="cluster"):
        await Consumer(bench.service, bench.context).run(asyncio.Event())


async def test_a_missing_offset_row_stops_the_consumer(bench: Bench) -> None:
    async with bench.db.transaction() as tx:
        await tx.execute(consumer_offset.delete())
    with pytest.raises(Stopped, match="migrate"):
        await Consumer(bench.service, bench.context).run(asyncio.Event())


async def test_lost_database_connections_are_waited_out(bench: Bench) -> None:
    ann = uuid4()
    async with bench.consuming():
        for start in range(0, 100, 20):
            await bench.produce_events(*(purchase(ann, n, 1) for n in range(start, start + 20)))
            async with bench.db.transaction() as tx:
                await tx.execute(
                    sa.text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE usename = current_user AND datname = current_database() "
                        "AND pid <> pg_backend_pid()"  # not autovacuum's
                    )
                )
        await bench.reaches({str(ann): 100})
    assert await bench.scalar("SELECT count(*) FROM dead_letter") == 0
    assert await bench.trail(ann) == [str(n) for n in range(100)]


async def _at_end(bench: Bench, records: int) -> bool:
    async with bench.db.transaction() as tx:
        total = await tx.scalar(
            sa.select(sa.func.sum(consumer_offset.c.next_offset)).where(
                consumer_offset.c.topic == bench.topic
            )
        )
    return total == records


async def _created(bench: Bench) -> bool:
    """Kafka deletes in the background; the name is free a moment later."""
    await create_topic(bench.kafka, bench.topic)
    counts = await _partitions(bench)
    return counts == 4


async def _partitions(bench: Bench) -> int:
    return (await topics.partition_counts(bench.kafka.bootstrap, [bench.topic])).get(bench.topic, 0)


async def test_records_trimmed_before_they_were_read_stop_the_consumer(bench: Bench) -> None:
    ann = uuid4()
    await bench.produce_events(*(purchase(ann, n) for n in range(10)), partition=0)
    async with client.admin(bench.kafka.bootstrap) as admin:
        await admin.delete_records({TopicPartition(bench.topic, 0): RecordsToDelete(6)})
    with pytest.raises(Stopped, match="trimmed"):
        await Consumer(bench.service, bench.context).run(asyncio.Event())
    assert await bench.totals() == {}


async def test_more_than_twenty_bugs_in_a_row_stop_the_consumer(bench: Bench) -> None:
    events = [purchase(uuid4(), n, does="bug") for n in range(30)]
    await bench.produce_events(*events, partition=0)
    for _ in range(3):
        with pytest.raises(HandlerBug):
            await Consumer(bench.service, bench.context).run(asyncio.Event())
    with pytest.raises(Stopped, match="21 events in a row"):
        await Consumer(bench.service, bench.context).run(asyncio.Event())
    assert await bench.scalar("SELECT count(*) FROM dead_letter") == 20


async def test_a_topic_that_forgets_too_early_is_refused(bench: Bench) -> None:
    with pytest.raises(RuntimeError, match="keeps records"):
        topics._compare(
            "purchases",
            topics.topic_config(TOPICS["purchases"]),
            {"cleanup.policy": "delete", "retention.ms": "3600000"},
        )
    with pytest.raises(RuntimeError, match=r"cleanup\.policy"):
        topics._compare(
            "members",
            topics.topic_config(TOPICS["members"]),
            {"cleanup.policy": "delete", "retention.ms": "-1"},
        )
