"""The watchdog against a real topic: it sees a stall and a shrunken topic, and nothing else."""

from time import monotonic
from uuid import uuid4

import pytest

from deploy.local import ports
from shared.kafka import watchdog
from shared.kafka.client import TopicPartition
from shared.kafka.offsets import Stopped
from shared.kafka.watchdog import Stalled
from tests.broker.conftest import Bench
from tests.broker.purchases import purchase

pytestmark = pytest.mark.kafka

STALL_S = 60.0


async def look(bench: Bench, next_offset: int, waited_s: float) -> set[TopicPartition]:
    """Ask about partition 0, where the last progress was ``waited_s`` ago."""
    standing = {TopicPartition(bench.topic, 0): (next_offset, monotonic() - waited_s)}
    return await watchdog.check(bench.kafka.bootstrap, "tally", standing, stall_s=STALL_S)


async def test_records_that_wait_without_progress_are_a_stall(bench: Bench) -> None:
    await bench.produce_events(*(purchase(uuid4(), n) for n in range(3)), partition=0)
    with pytest.raises(Stalled, match="2 records wait"):
        await look(bench, 1, STALL_S + 1)


async def test_records_that_have_just_come_are_none(bench: Bench) -> None:
    await bench.produce_events(purchase(uuid4(), 1), partition=0)
    assert await look(bench, 0, STALL_S - 1) == set()


async def test_an_idle_partition_is_never_a_stall(bench: Bench) -> None:
    await bench.produce_events(purchase(uuid4(), 1), partition=0)
    assert await look(bench, 1, 10 * STALL_S) == {TopicPartition(bench.topic, 0)}


async def test_a_topic_shorter_than_our_offset_stops(bench: Bench) -> None:
    await bench.produce_events(purchase(uuid4(), 1), partition=0)
    with pytest.raises(Stopped, match="ends at 1, we are at 7"):
        await look(bench, 7, 0)


async def test_a_broker_that_does_not_answer_is_no_stall(topic: str) -> None:
    nobody = f"{ports.LOOPBACK}:{ports.free_port()}"
    standing = {TopicPartition(topic, 0): (0, monotonic() - 10 * STALL_S)}
    assert await watchdog.check(nobody, "tally", standing, stall_s=STALL_S) == set()
