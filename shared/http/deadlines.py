"""Ends what takes too long, by one tick for all requests: a timer for each costs 10 µs apiece."""

import asyncio
from typing import Protocol

TICK_S = 0.25
"""How late an end may come."""


class Timed(Protocol):
    """Work of one task that has to end at ``deadline_at``, in the loop's time."""

    deadline_at: float
    expired: bool
    task: "asyncio.Task[object]"


class Deadlines:
    """Cancels the task of whatever is past its deadline, once, and marks it ``expired``."""

    def __init__(self) -> None:
        """Start with nothing to watch."""
        self._watched: set[Timed] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def add(self, work: Timed, loop: asyncio.AbstractEventLoop) -> None:
        """Watch ``work`` until ``discard``."""
        self._watched.add(work)
        if self._loop is not loop:
            self._loop = loop
            loop.call_later(TICK_S, self._tick, loop)

    def discard(self, work: Timed) -> None:
        """Watch it no longer."""
        self._watched.discard(work)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for work in self._watched:
            if work.deadline_at <= now and not work.expired:
                work.expired = True
                work.task.cancel()
        if self._watched:
            loop.call_later(TICK_S, self._tick, loop)
        else:
            self._loop = None
