"""Group commit, over a database that is not there."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, cast

import pytest

from services.ingest.groupcommit import GroupCommit, Limits
from shared.db import Database, Tx, open_database
from shared.errors import Malformed, Unavailable


class FakeDatabase(Database):
    """Transactions of nothing."""

    def __init__(self) -> None:
        """Open nothing."""

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Tx, None]:
        """Begin and commit nothing."""
        yield cast("Tx", None)


class Flush:
    """Notes each batch; waits while ``gate`` is closed; refuses negative items."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, _: Tx, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        await self.gate.wait()
        if any(item < 0 for item in items):
            message = "negative"
            raise Malformed("negative", message)
        return [item * 10 for item in items]


def _group(flush: Flush, **limits: Any) -> GroupCommit[int, int]:
    return GroupCommit[int, int](
        FakeDatabase(), flush, Limits(**{"workers": 1, "live_workers": 0} | limits)
    )


async def test_idle_commits_at_once_and_then_takes_all_that_gathered() -> None:
    flush = Flush()
    flush.gate.clear()
    async with _group(flush, wait_s=60.0) as group, asyncio.TaskGroup() as requests:
        tasks = [requests.create_task(group.submit(1))]
        await _until(lambda: flush.batches == [[1]])
        tasks += [requests.create_task(group.submit(n)) for n in range(2, 9)]
        await asyncio.sleep(0)
        flush.gate.set()
    assert flush.batches == [[1], [2, 3, 4, 5, 6, 7, 8]]
    assert [task.result() for task in tasks] == [10, 20, 30, 40, 50, 60, 70, 80]


async def test_tills_go_before_bulk_uploads() -> None:
    flush = Flush()
    flush.gate.clear()
    async with _group(flush, rows_max=3) as group, asyncio.TaskGroup() as requests:
        requests.create_task(group.submit(1))
        await _until(lambda: flush.batches == [[1]])
        requests.create_task(group.submit_bulk([11, 12, 13]))
        await asyncio.sleep(0)
        requests.create_task(group.submit(2))
        await asyncio.sleep(0)
        flush.gate.set()
    assert flush.batches == [[1], [2, 11, 12], [13]]


async def test_a_till_waits_for_no_bulk_under_way() -> None:
    flush = Flush()
    flush.gate.clear()
    async with _group(flush, live_workers=1) as group, asyncio.TaskGroup() as requests:
        requests.create_task(group.submit_bulk([11, 12, 13]))
        await _until(lambda: flush.batches == [[11, 12, 13]])
        requests.create_task(group.submit_bulk([14]))
        await asyncio.sleep(0)
        requests.create_task(group.submit(1))
        await _until(lambda: flush.batches == [[11, 12, 13], [1]])
        flush.gate.set()
    assert flush.batches == [[11, 12, 13], [1], [14]]


async def test_one_bad_item_fails_alone() -> None:
    async with _group(Flush()) as group:
        answers = await group.submit_bulk([1, 2, -3, 4, 5])
    assert [one for one in answers if isinstance(one, int)] == [10, 20, 40, 50]
    assert isinstance(answers[2], Malformed)


async def test_more_than_the_queue_holds_is_turned_away_at_once() -> None:
    flush = Flush()
    flush.gate.clear()
    async with _group(flush, bulk_max=4) as group, asyncio.TaskGroup() as requests:
        requests.create_task(group.submit_bulk([1]))
        await _until(lambda: flush.batches == [[1]])
        requests.create_task(group.submit_bulk([2, 3]))
        await asyncio.sleep(0)
        with pytest.raises(Unavailable, match="overloaded"):
            await group.submit_bulk([4, 5, 6])
        flush.gate.set()


async def test_what_is_queued_is_committed_before_the_end_and_nothing_after() -> None:
    flush = Flush()
    group = _group(flush)
    async with asyncio.TaskGroup() as requests:
        async with group:
            task = requests.create_task(group.submit_bulk([1, 2]))
            await asyncio.sleep(0)
        assert await task == [10, 20]
    with pytest.raises(Unavailable, match="draining"):
        await group.submit(3)


async def test_item_whose_client_hung_up_in_the_queue_is_not_written() -> None:
    flush = Flush()
    flush.gate.clear()
    async with _group(flush) as group, asyncio.TaskGroup() as requests:
        requests.create_task(group.submit(1))
        await _until(lambda: flush.batches == [[1]])
        gone = requests.create_task(group.submit(2))
        requests.create_task(group.submit(3))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        flush.gate.set()
    assert flush.batches == [[1], [3]]


async def test_database_that_refuses_is_unavailable() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        await _unavailable(closed.getsockname()[1])


async def test_database_that_never_answers_is_unavailable_in_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        await _unavailable(silent.getsockname()[1])


async def _unavailable(port: int) -> None:
    db = open_database(f"postgresql+asyncpg://x:x@127.0.0.1:{port}/x", application_name="x")

    async def flush(tx: Tx, items: Sequence[int]) -> Sequence[int]:
        await tx.exec_driver_sql("SELECT 1")
        return items

    started = monotonic()
    async with GroupCommit[int, int](db, flush, Limits(deadline_s=1.0)) as group:
        with pytest.raises(Unavailable):
            await group.submit(1)
    assert monotonic() - started < 5
    await db.close()


async def _until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)
