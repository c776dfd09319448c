"""Uploads take turns, so that a till waits for one piece of one of them and not for all."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Turns:
    """Lets one do some milliseconds of work at a time, and everybody else in between.

    Eight pieces in a row would keep a till waiting at each step of its own request.
    """

    def __init__(self) -> None:
        """Begin with nobody."""
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def take(self) -> AsyncGenerator[None]:
        """Wait for the turn; whoever else is ready goes before the next."""
        async with self._lock:
            yield
            await asyncio.sleep(0)
