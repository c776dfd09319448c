"""Group commit: concurrent requests share one transaction.

A commit costs a write to disk however many rows it holds. While nothing is under way the next
request commits at once; while something is, requests gather, and the next commit takes them all.
The work runs in tasks of its own, so a client that hangs up cancels nothing.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

from shared.db import Database, Tx, run_unit
from shared.db.retry import is_data_error
from shared.errors import Malformed, PerennialError, Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")

DRAIN_S = 5.0
ANSWER_GRACE_S = 0.5
"""How much longer than a commit's own deadline a request waits for its answer."""
BULK_WAIT_S = 30.0
"""For all rows of an upload: nobody stands at a till meanwhile, and others may be before it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a group commit takes on."""

    workers: int = 2
    live_workers: int = 1
    """More that take no bulk, so that one is free however many files come at once."""
    rows_max: int = 250
    wait_s: float = 0.005
    deadline_s: float = 4.0
    live_max: int = 5_000
    bulk_max: int = 10_000


class _Waiting(Generic[Item, Result]):
    """One item and the future of its answer (a result, or the error as a value)."""

    __slots__ = ("answer", "item")

    def __init__(self, item: Item, answer: "asyncio.Future[Result | Exception]") -> None:
        self.item = item
        self.answer = answer


_Queue = deque[_Waiting[Any, Any]]


class GroupCommit(Generic[Item, Result]):
    """Gathers items and flushes them, ``rows_max`` at most, in one transaction each time."""

    def __init__(
        self,
        db: Database,
        flush: Callable[[Tx, Sequence[Item]], Awaitable[Sequence[Result]]],
        limits: Limits,
    ) -> None:
        """``flush`` answers each item, in order; it may run again for the same items."""
        self._db = db
        self._flush = flush
        self._limits = limits
        # Live requests go before bulk uploads: a till's queue must not wait for a night's file.
        self._live: deque[_Waiting[Item, Result]] = deque()
        self._bulk: deque[_Waiting[Item, Result]] = deque()
        self._arrived = asyncio.Event()
        self._live_arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._under_way = 0
        self._workers = asyncio.TaskGroup()
        self._tasks: list[asyncio.Task[None]] = []
        self._open = False

    async def __aenter__(self) -> Self:
        """Start the workers."""
        await self._workers.__aenter__()
        both = (self._live, self._bulk)
        work = [self._work(self._arrived, both) for _ in range(self._limits.workers)]
        live = (self._live,)
        work += [self._work(self._live_arrived, live) for _ in range(self._limits.live_workers)]
        self._tasks = [self._workers.create_task(one) for one in work]
        self._open = True
        return self

    async def __aexit__(self, *_: object) -> None:
        """Turn new items away, commit what is queued, and end."""
        self._open = False
        try:
            async with asyncio.timeout(DRAIN_S):
                await self._idle.wait()
        except TimeoutError:
            # Nobody got an answer for what is left, so it will be sent again.
            pass
        for task in self._tasks:
            task.cancel()
        await self._workers.__aexit__(None, None, None)

    async def submit(self, item: Item) -> Result:
        """Return the item's result once it is committed; raises what became of it instead."""
        wait_s = self._limits.deadline_s + ANSWER_GRACE_S
        (answer,) = await self._answers([item], self._live, self._limits.live_max, wait_s=wait_s)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def submit_bulk(self, items: Sequence[Item]) -> list[Result | PerennialError]:
        """Return each item's result or refusal, once all are committed.

        Raises ``Unavailable`` as soon as one could not be: the upload is to be sent again.
        """
        answers = await self._answers(items, self._bulk, self._limits.bulk_max, wait_s=BULK_WAIT_S)
        results: list[Result | PerennialError] = []
        for answer in answers:
            if isinstance(answer, Exception) and not isinstance(answer, PerennialError):
                raise answer
            results.append(answer)
        return results

    async def _answers(
        self,
        items: Sequence[Item],
        queue: "deque[_Waiting[Item, Result]]",
        room: int,
        *,
        wait_s: float,
    ) -> "list[Result | Exception]":
        if not self._open:
            raise Unavailable("draining", "This process is ending; send it again.")
        if len(queue) + len(items) > room:
            raise Unavailable("overloaded", "Too many purchases are waiting; send it again.")
        loop = asyncio.get_running_loop()
        waiting: list[_Waiting[Item, Result]] = [
            _Waiting(item, loop.create_future()) for item in items
        ]
        queue.extend(waiting)
        self._arrived.set()
        if queue is self._live:
            self._live_arrived.set()
        self._idle.clear()
        # A bare timer: asyncio.timeout, which cancels the task, costs several times as much.
        timer = loop.call_later(wait_s, _give_up, waiting)
        answers: list[Result | Exception] = []
        try:
            for one in waiting:
                answer = await one.answer
                if isinstance(answer, Unavailable):
                    raise answer
                answers.append(answer)
            return answers
        finally:
            timer.cancel()
            for one in waiting:
                # What nobody waits for any more need not be written.
                one.answer.cancel()

    async def _work(self, arrived: asyncio.Event, queues: "Sequence[_Queue]") -> None:
        while True:
            await arrived.wait()
            if self._under_way and sum(map(len, queues)) < self._limits.rows_max:
                await asyncio.sleep(self._limits.wait_s)
            batch = self._take(queues)
            self._under_way += 1
            try:
                await self._commit(batch)
            finally:
                self._under_way -= 1
                if not (self._under_way or self._live or self._bulk):
                    self._idle.set()

    def _take(self, queues: "Sequence[_Queue]") -> "list[_Waiting[Item, Result]]":
        batch: list[_Waiting[Item, Result]] = []
        for queue in queues:
            while queue and len(batch) < self._limits.rows_max:
                one = queue.popleft()
                if not one.answer.done():
                    batch.append(one)
        if not self._live:
            self._live_arrived.clear()
            if not self._bulk:
                self._arrived.clear()
        return batch

    async def _commit(self, batch: "Sequence[_Waiting[Item, Result]]") -> None:
        if not batch:
            return
        try:
            answers = await self._write([one.item for one in batch])
        except Unavailable as error:
            self._answer(batch, [error] * len(batch))
        except Exception as error:  # noqa: BLE001  it is handed to the one request it belongs to
            if len(batch) == 1:
                self._answer(batch, [_refusal(error)])
                return
            # One bad row must not fail its neighbours: halve until it stands alone.
            middle = len(batch) // 2
            await self._commit(batch[:middle])
            await self._commit(batch[middle:])
        else:
            self._answer(batch, answers)

    async def _write(self, items: Sequence[Item]) -> Sequence[Result]:
        async def unit(tx: Tx) -> Sequence[Result]:
            return await self._flush(tx, items)

        try:
            async with asyncio.timeout(self._limits.deadline_s):
                return await run_unit(self._db, unit)
        except TimeoutError as error:
            raise _unknown() from error

    @staticmethod
    def _answer(
        batch: "Sequence[_Waiting[Item, Result]]", answers: "Sequence[Result | Exception]"
    ) -> None:
        for one, answer in zip(batch, answers, strict=True):
            if not one.answer.done():
                one.answer.set_result(answer)


def _give_up(waiting: "Sequence[_Waiting[Any, Any]]") -> None:
    for one in waiting:
        if not one.answer.done():
            one.answer.set_result(_unknown())


def _refusal(error: Exception) -> Exception:
    if is_data_error(error):
        return Malformed("unstorable", "A value of this purchase can not be stored.")
    return error


def _unknown() -> Unavailable:
    # A commit that was given up may have happened all the same; repeating it is harmless.
    return Unavailable("commit_unknown", "The database did not answer in time; send it again.")
