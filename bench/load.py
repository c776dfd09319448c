"""A load generator that costs little: requests encoded beforehand, answers hardly looked at.

An HTTP client that does everything would need more time per request than the server under it.
"""

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import cast

HOST = "127.0.0.1"
CUTS_MAX = 20
_END_OF_HEAD = b"\r\n\r\n"
_RETRY_AFTER = re.compile(rb"\r\nretry-after: *(\d+)\r\n", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class Driven:
    """What a run took; CPU is the generator's own."""

    requests: int
    seconds: float
    cpu_seconds: float


class UnexpectedAnswerError(RuntimeError):
    """The server did not do what was measured, so the figures would mean nothing."""


class Connection(asyncio.Protocol):
    """One keep-alive connection; one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._received = bytearray()
        self._head = 0
        self._whole: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._whole is None and not self._find_length():
            return
        if self._whole is None or len(self._received) < self._whole:
            return
        status = int(self._received[9:12])
        wait = _RETRY_AFTER.search(self._received, 0, self._head) if status >= 429 else None
        body = bytes(self._received[self._head :])
        answer = Answer(status, body, int(wait[1]) if wait else None)
        self._received.clear()
        self._whole = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)

    def _find_length(self) -> bool:
        end = self._received.find(_END_OF_HEAD)
        if end < 0:
            return False
        found = _LENGTH.search(self._received, 0, end + 2)
        self._head = end + len(_END_OF_HEAD)
        self._whole = self._head + (int(found[1]) if found else 0)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the server hung up"))

    async def send(self, request: bytes, *, expected: int) -> Answer:
        """Return the answer; raises ``UnexpectedAnswerError`` for another status."""
        answer = await self.ask(request)
        if answer.status != expected:
            raise UnexpectedAnswerError(f"{answer.status} {answer.body[:500]!r}")
        return answer

    async def ask(self, request: bytes) -> Answer:
        """Return the answer, whatever its status."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError("the server hung up")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def encode(
    method: str, path: str, *, key: str = "", body: bytes = b"", idempotency_key: str = ""
) -> bytes:
    """Return the bytes of a request."""
    head = f"{method} {path} HTTP/1.1\r\nhost: {HOST}\r\nauthorization: Bearer {key}\r\n"
    if idempotency_key:
        head += f"idempotency-key: {idempotency_key}\r\n"
    if body:
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


async def connect(port: int) -> Connection:
    _, connection = await asyncio.get_running_loop().create_connection(Connection, HOST, port)
    return connection


async def drive(port: int, requests: Sequence[bytes], *, at_once: int, expected: int) -> Driven:
    """Send all requests, ``at_once`` at any time, each when another has been answered."""
    waiting = iter(requests)
    connections = [await connect(port) for _ in range(at_once)]
    try:
        started, cpu_started = perf_counter(), process_time()
        async with asyncio.TaskGroup() as group:
            for connection in connections:
                group.create_task(_send_all(connection, waiting, expected))
        return Driven(len(requests), perf_counter() - started, process_time() - cpu_started)
    finally:
        for connection in connections:
            connection.close()


async def _send_all(connection: Connection, waiting: Iterator[bytes], expected: int) -> None:
    for request in waiting:
        await connection.send(request, expected=expected)


class Pool:
    """Connections to one port, as many as are needed at once."""

    def __init__(self, port: int) -> None:
        self._port = port
        # The one used last goes first, so that the others may grow old and close.
        self._idle: list[Connection] = []

    async def send(self, request: bytes, *, expected: int) -> Answer:
        """Send on an idle connection, or on a new one."""
        connection = self._idle.pop() if self._idle else await connect(self._port)
        answer = await connection.send(request, expected=expected)
        self._idle.append(connection)
        return answer

    async def ask(self, request: bytes) -> Answer:
        """Send as ``send`` does; return the answer, whatever its status.

        Sends again on another connection where one was cut, as tills do: it may have grown old
        while it waited. Raises ``ConnectionError`` when that happens ``CUTS_MAX`` times.
        """
        cuts = 0
        while True:
            connection = self._idle.pop() if self._idle else await connect(self._port)
            try:
                answer = await connection.ask(request)
            except ConnectionError:
                cuts += 1
                if cuts == CUTS_MAX:
                    raise
            else:
                self._idle.append(connection)
                return answer

    def close(self) -> None:
        for connection in self._idle:
            connection.close()
