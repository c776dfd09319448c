"""The guestbook on a fresh database, in process and behind a real uvicorn."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import pytest_asyncio
from fastapi import FastAPI
from starlette.applications import Starlette

from shared import auth
from shared.auth import Grant
from shared.db import Database
from shared.http import server
from shared.http.app import create_api
from shared.http.middleware import Limits
from tests.conftest import MakeDatabase
from tests.service.shared import guestbook

TILL = auth.new_key()


@pytest_asyncio.fixture
async def db(make_database: MakeDatabase) -> Database:
    """Open a database of the guestbook that knows one till."""
    database = await make_database(guestbook.service())
    async with database.transaction() as tx:
        await auth.bootstrap(tx, [Grant(TILL, "terminal", "till", "0042", "0042-01")])
    return database


@pytest_asyncio.fixture
async def api(db: Database) -> FastAPI:
    """Make the guestbook's application."""
    return create_api(guestbook.service(), guestbook.context(db))


def bearer(key: str) -> dict[str, str]:
    """Return the header that shows ``key``."""
    return {"Authorization": f"Bearer {key}"}


@asynccontextmanager
async def in_process(app: Starlette) -> AsyncGenerator[httpx.AsyncClient]:
    """Open a client that calls ``app`` without a socket."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://guestbook") as client:
        yield client


@asynccontextmanager
async def served(
    app: FastAPI, *, drain_s: float = 0.0
) -> AsyncGenerator[tuple[str, asyncio.Event]]:
    """Serve ``app`` by a real uvicorn; give its URL and the event that ends it."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve_on(app, listener, stop=stop, drain_s=drain_s))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", stop
        finally:
            stop.set()


def limited(db: Database, limits: Limits) -> FastAPI:
    """Return the guestbook's application with other limits."""
    return create_api(guestbook.service(), guestbook.context(db), limits=limits)
