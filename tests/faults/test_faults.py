"""Everything that can die is killed under load; nothing is lost, nothing counts twice.

Short by default; ``make faults`` runs the long form (50 kills, 100,000 events).
"""

import asyncio
import os
import signal
from functools import partial
from random import Random
from uuid import UUID

import pytest
import sqlalchemy as sa

from demo.stack import Clients
from shared.kafka import client
from tests.faults import oracle
from tests.faults.driver import load
from tests.rig import LONG, Extra, Rig, until

pytestmark = [
    pytest.mark.faults,
    pytest.mark.kafka,
    pytest.mark.timeout(5_400 if LONG else 420),
]

KILLS = 50 if LONG else 6
EVENTS = 100_000 if LONG else 300
KINDS = (
    "ingest-api",
    "ingest-relay",
    "ingest-consumer",
    "loyalty-consumer",
    "loyalty-relay",
    "offers-consumer",
    "notify-consumer",
)
SEED = int(os.environ.get("FAULTS_SEED", "20261122"))


async def test_processes_killed_at_random_moments_lose_and_double_nothing(
    rig: Rig, clients: Clients
) -> None:
    random = Random(SEED)
    async with load(rig, clients, "kill") as driver:
        for number in range(KILLS):
            await asyncio.sleep(random.uniform(0.3, 2.0))
            await rig.signal(KINDS[number % len(KINDS)], signal.SIGKILL)
        await driver.until_answered(EVENTS)
    await oracle.holds(clients, driver)


async def test_kafka_killed_and_started_again_is_waited_out(rig: Rig, clients: Clients) -> None:
    async with load(rig, clients, "kafka") as driver:
        await driver.until_answered(50)
        for _ in range(5 if LONG else 1):
            before = await rig.signal("kafka", signal.SIGKILL)
            answered = len(driver.sales)
            await driver.until_answered(answered + 50)  # the tills notice nothing
            await until(partial(_replaced, rig, "kafka", before.pid))
            await rig.ready("kafka")
    await oracle.holds(clients, driver)
    assert driver.retries < len(driver.sales)


async def test_postgres_restarted_at_once_is_waited_out(rig: Rig, clients: Clients) -> None:
    async with load(rig, clients, "postgres") as driver:
        await driver.until_answered(50)
        for _ in range(10 if LONG else 2):
            before = await rig.signal("postgres", signal.SIGQUIT)  # what `-m immediate` sends
            await until(partial(_replaced, rig, "postgres", before.pid))
            await rig.ready("postgres", "ingest-api")
            await driver.until_answered(len(driver.sales) + 30)
    await oracle.holds(clients, driver)


async def test_a_consumer_frozen_in_mid_transaction_is_replaced_and_fenced_when_it_wakes(
    rig: Rig, clients: Clients
) -> None:
    async with load(rig, clients, "frozen") as driver:
        await driver.until_answered(50)
        async with clients.databases["loyalty"].transaction() as tx:
            # The handler has to wait for this lock, with its inbox rows written already.
            await tx.execute(sa.text("LOCK TABLE account IN EXCLUSIVE MODE"))
            await until(partial(_sessions, clients, "wait_event_type = 'Lock'"))
            frozen = await rig.signal("loyalty-consumer", signal.SIGSTOP)
        extra = rig.spawn("loyalty", "consumer")
        try:
            await until(partial(_sessions, clients, "state = 'idle in transaction'"))
            # The server ends that transaction after 5 s; the group gives its partitions to the
            # other after 10 s, which then goes on.
            await until(partial(_no_sessions, clients, "state = 'idle in transaction'"))
            answered = list(driver.sales.values())
            await until(partial(_taken_over, extra, clients, answered))
            os.kill(frozen.pid, signal.SIGCONT)
            await driver.until_answered(len(driver.sales) + 50)
        finally:
            os.kill(frozen.pid, signal.SIGCONT)
            await extra.stop()
    await oracle.holds(clients, driver)
    log = rig.log("loyalty-consumer")
    assert '"partition_paused"' in log or '"fenced"' in log


async def test_a_frozen_relay_loses_the_lead_to_another(rig: Rig, clients: Clients) -> None:
    async with load(rig, clients, "relay") as driver:
        await driver.until_answered(50)
        frozen = await rig.signal("ingest-relay", signal.SIGSTOP)
        extra = rig.spawn("ingest", "relay")
        try:
            # The server ends the frozen session after 15 s; then the other publishes.
            await asyncio.sleep(20)
            answered = list(driver.sales.values())
            await until(partial(_taken_over, extra, clients, answered))
            os.kill(frozen.pid, signal.SIGCONT)
            await driver.until_answered(len(driver.sales) + 50)
        finally:
            os.kill(frozen.pid, signal.SIGCONT)
            await extra.stop()
    await oracle.holds(clients, driver)


async def test_the_whole_topic_replayed_changes_nothing(rig: Rig, clients: Clients) -> None:
    async with load(rig, clients, "replay") as driver:
        await driver.until_answered(100)
    await oracle.holds(clients, driver)
    before = await oracle.books(clients)
    for service in ("loyalty", "offers"):
        rig.operate(service, "offsets", "reset", "purchases", "--to", "0")
    async with load(rig, clients, "again") as driver:
        await driver.until_answered(50)
    await oracle.holds(clients, driver)
    after = await oracle.books(clients)
    assert {member: after[member] for member in before} == before


async def test_poison_is_set_aside_while_the_tills_go_on(rig: Rig, clients: Clients) -> None:
    kinds = [b"not json", b"{}", b"\xff\xfe", b"[" * 10_000, b'{"type":"purchase.recorded.v2"}']
    async with load(rig, clients, "poison") as driver:
        await driver.until_answered(50)
        async with client.producer(rig.env["KAFKA_BOOTSTRAP_SERVERS"], "test") as producer:
            for kind in kinds:
                await producer.send_and_wait("purchases", kind, key=f"poison-{kind[:4]!r}".encode())
        await driver.until_answered(len(driver.sales) + 50)
    await until(lambda: oracle.letters(clients, "loyalty", len(kinds)))
    await oracle.holds(clients, driver, dead_letters=len(kinds))
    admin = dict(rig.stack.key("admin"))
    for service in ("loyalty", "offers"):
        first, *others = await oracle.open_letters(clients, service)
        rig.operate(service, "dead-letters", "drop", str(first))
        for letter in others:
            path = f"/v1/dead-letters/{letter}:drop"
            answer = await clients.http[service].post(path, headers=admin)
            assert answer.status_code == 204, answer.text
        assert await oracle.letters(clients, service, 0)


async def _replaced(rig: Rig, part: str, pid: int) -> bool:
    now = rig.identity(part)
    return now is not None and now.pid != pid and now.alive


async def _sessions(clients: Clients, condition: str) -> bool:
    """Whether a session of loyalty's consumer is in that state."""
    async with clients.databases["loyalty"].transaction() as tx:
        found = await tx.scalar(
            sa.text(
                "SELECT count(*) FROM pg_stat_activity"
                f" WHERE application_name = 'loyalty-consumer' AND {condition}"
                " AND state_change < now() - interval '0.2 s'"
            )
        )
    return bool(found)


async def _no_sessions(clients: Clients, condition: str) -> bool:
    return not await _sessions(clients, f"{condition} AND state_change < now() - interval '2 s'")


async def _taken_over(extra: Extra, clients: Clients, receipts: list[UUID]) -> bool:
    extra.keep()
    return await oracle.applied(clients, "loyalty", receipts)
