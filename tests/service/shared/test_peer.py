"""Asking another service: an answer in time, or ``Unavailable``."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from time import monotonic

import pytest

from shared.errors import Unavailable
from shared.http.peer import Peer

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"


@asynccontextmanager
async def dripping(every_s: float) -> AsyncGenerator[str]:
    """Serve answers whose body comes byte by byte."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD)
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(every_s)

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def test_an_answer_that_drips_for_ever_is_given_up() -> None:
    async with dripping(0.02) as url:
        peer = Peer("slow", url, answer_s=0.3)
        started = monotonic()
        with pytest.raises(Unavailable, match="slow does not answer"):
            await peer.ask("GET", "/", headers={})
        await peer.close()

    assert monotonic() - started < 5


async def test_nobody_there_is_unavailable() -> None:
    async with dripping(1) as url:
        pass
    peer = Peer("gone", url)
    with pytest.raises(Unavailable, match="gone does not answer"):
        await peer.ask("GET", "/", headers={})
    await peer.close()
