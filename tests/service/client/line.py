"""A network line between a till and a server: it can be cut, also in the middle of an answer."""

import asyncio
from types import TracebackType
from typing import Self


class Line:
    """Passes bytes both ways while it is whole."""

    def __init__(self, port: int) -> None:
        """Lead to ``port``."""
        self.url = ""
        self.whole = True
        self.answers_lost = 0
        """How many of the next answers are cut off before their first byte."""
        self.swallowed = 0
        self._port = port
        self._pairs: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Cut, and stop listening."""
        self.cut()
        self._server.close()
        await self._server.wait_closed()

    def cut(self) -> None:
        """Break every connection; new ones fail at once."""
        self.whole = False
        for writer in self._pairs:
            writer.transport.abort()

    def mend(self) -> None:
        """Let new connections through."""
        self.whole = True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.whole:
            writer.transport.abort()
            return
        there, onward = await asyncio.open_connection("127.0.0.1", self._port)
        pair = {writer, onward}
        self._pairs |= pair
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(reader, onward))
                group.create_task(self._pass(there, writer, answers=True))
        except* (OSError, EOFError):
            pass
        finally:
            for one in pair:
                one.transport.abort()
            self._pairs -= pair

    async def _pass(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool = False
    ) -> None:
        while part := await source.read(65_536):
            if answers and self.answers_lost:
                self.answers_lost -= 1
                self.swallowed += 1
                raise EOFError
            sink.write(part)
            await sink.drain()
        raise EOFError
