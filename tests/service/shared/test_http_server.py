"""Limits and drain behind a real uvicorn, on real sockets."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from shared.db import Database
from shared.http.middleware import Limits
from tests.service.shared.conftest import TILL, bearer, limited, served

ROOT = Path(__file__).parents[3]
PROGRAM = """
import asyncio, signal, socket, sys
from fastapi import FastAPI
from shared.http import server
from shared.http.app import create_api
from tests.service.shared import guestbook
from tests.service.shared.test_auth import open_nowhere

async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    app = create_api(guestbook.service(), guestbook.context(open_nowhere()))
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    await server.serve_on(app, listener, stop=stop, drain_s=0.5)

server.run_loop(main())
"""


@asynccontextmanager
async def connection(url: str) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a bare connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    try:
        yield reader, writer
    finally:
        writer.close()


async def answer_to(url: str, sent: bytes) -> bytes:
    """Send bytes as they are; return everything until the server closes."""
    async with connection(url) as (reader, writer), asyncio.timeout(10):
        writer.write(sent)
        return await reader.read(2_000)


async def test_a_write_through_uvicorn_is_committed_before_its_answer(api: FastAPI) -> None:
    async with served(api) as (url, _), httpx.AsyncClient(base_url=url) as client:
        headers = bearer(TILL) | {"Idempotency-Key": "a"}
        answer = await client.post("/v1/notes", json={"text": "a"}, headers=headers)
    assert answer.status_code == 201
    assert "server" not in answer.headers


async def test_an_announced_body_that_is_too_large_is_refused_unread(api: FastAPI) -> None:
    head = (
        b"POST /v1/echo HTTP/1.1\r\nHost: x\r\n"
        b"Content-Length: 209715200\r\nExpect: 100-continue\r\n\r\n"
    )
    async with served(api) as (url, _):
        answer = await answer_to(url, head)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in answer


async def test_an_unannounced_body_that_is_too_large_gets_its_answer(api: FastAPI) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b" " * 100_000

    async with served(api) as (url, _), httpx.AsyncClient(base_url=url) as client:
        answer = await client.post("/v1/echo", content=chunks())
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_an_endless_body_is_cut(api: FastAPI) -> None:
    sent = 0

    async def flood(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"POST /v1/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        while sent < 200 * 1024 * 1024:
            writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
            sent += 0x10000
            await writer.drain()

    async with served(api) as (url, _), connection(url) as (_, writer):
        with pytest.raises(OSError, match=r"reset|Broken|lost"):
            await flood(writer)
    # What was read before the answer, and what the kernel's buffers on both sides took.
    assert sent < 32 * 1024 * 1024


async def test_a_slow_body_is_cut(db: Database) -> None:
    app = limited(db, Limits(body_timeout_s=0.4))
    head = b"POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    began = time.monotonic()
    async with served(app) as (url, _), connection(url) as (reader, writer):
        writer.write(head)

        async def trickle() -> None:
            while not writer.is_closing():
                writer.write(b" ")
                await asyncio.sleep(0.05)

        trickling = asyncio.create_task(trickle())
        async with asyncio.timeout(5):
            answer = await reader.read(1_000)
        trickling.cancel()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /health/live HTTP/1.1\r\n"
        + b"".join(b"H%d: x\r\n" % i for i in range(10_000))
        + b"\r\n",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"\x16\x03\x01 this is not HTTP\r\n\r\n",
    ],
)
async def test_oversized_headers_and_noise_are_refused(api: FastAPI, sent: bytes) -> None:
    async with served(api) as (url, _):
        answer = await answer_to(url, sent)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in answer


async def test_a_connection_survives_a_refusal(api: FastAPI) -> None:
    async with served(api) as (url, _), httpx.AsyncClient(base_url=url) as client:
        assert (await client.post("/v1/echo", content=b"{")).status_code == 422
        assert (await client.post("/v1/echo", content=b'{"text":"a"}')).status_code == 200


async def test_at_the_end_requests_in_flight_finish_and_readiness_goes_first(
    api: FastAPI,
) -> None:
    async with served(api, drain_s=0.6) as (url, stop), httpx.AsyncClient(base_url=url) as client:
        slow = asyncio.create_task(client.get("/v1/slow?seconds=1.2"))
        await asyncio.sleep(0.1)
        stop.set()
        await asyncio.sleep(0.1)
        ready = await client.get("/health/ready")
        during = await client.post("/v1/echo", content=b'{"text":"a"}')
        finished = await slow
    assert (ready.status_code, ready.json()["missing"]) == (503, "draining")
    assert (during.status_code, during.headers["Connection"]) == (200, "close")
    assert finished.status_code == 200
    async with httpx.AsyncClient(base_url=url) as late:
        with pytest.raises(httpx.ConnectError):
            await late.get("/health/live")


@pytest.mark.timeout(240)  # a whole interpreter starts, on a machine that may be busy
async def test_sigterm_ends_the_process_with_0_after_the_last_answer() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(200):
            port = int(await process.stdout.readline())
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
                slow = asyncio.create_task(client.get("/v1/slow?seconds=1"))
                await asyncio.sleep(0.2)
                process.send_signal(signal.SIGTERM)
                finished = await slow
            code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
    assert finished.status_code == 200
    assert code == 0
