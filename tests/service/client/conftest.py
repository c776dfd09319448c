"""Ingest on real Postgres behind a real uvicorn, and a line to it that can be cut."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa
from starlette.types import ASGIApp, Receive, Scope, Send

from perennial_client import AuthenticatedClient, Patience, Sender, Spool
from services.ingest import app
from services.ingest.settings import IngestSettings
from services.ingest.store import tables
from shared import auth
from shared.clock import SystemClock
from shared.db import Database
from shared.db.plumbing import outbox
from shared.http.app import create_api
from tests.conftest import MakeDatabase
from tests.service.client.line import Line
from tests.service.ingest.conftest import IDENTITY_KEY, FakePositions
from tests.service.shared.conftest import served

STORE, TERMINAL = "0042", "0042-03"
QUICK = Patience(first_pause_s=0.01, longest_pause_s=0.05, idle_s=0.01)


@dataclass
class Weather:
    """What stands between the till and ingest, answering in its place while it is bad."""

    app: ASGIApp
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    seen: list[tuple[str, bytes]] = field(default_factory=list)
    """Path and body of each request that ``answers`` took."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self.answers:
            await self.app(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.seen.append((scope["path"], body))
        status, headers, content = self.answers.pop(0)
        head = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": content})


@dataclass
class Shop:
    """One running ingest, and how to reach it."""

    db: Database
    key: str
    admin_key: str
    app_key: str
    line: Line
    weather: Weather

    @property
    def url(self) -> str:
        return self.line.url

    async def receipts(self) -> dict[str, int]:
        """Return receipt number → how many events tell of its sale, kept in as many receipts."""
        async with self.db.transaction() as tx:
            values = await tx.scalars(
                sa.select(outbox.c.value).where(outbox.c.topic == "purchases")
            )
            events = [json.loads(value) for value in values]
            kept = await tx.scalar(sa.select(sa.func.count()).select_from(tables.receipt))
        sold = [one for one in events if one["type"] == "purchase.recorded.v1"]
        assert kept == len({one["data"]["receipt_id"] for one in sold})
        return Counter(one["data"]["receipt_no"] for one in sold)


@pytest_asyncio.fixture
async def shop(make_database: MakeDatabase) -> AsyncIterator[Shop]:
    """A fresh ingest, its terminal's key, and the line to it."""
    db = await make_database(app.service())
    settings = IngestSettings.model_validate(
        {"database_url": "postgresql://unused", "IDENTITY_KEY": IDENTITY_KEY}
    )
    keys = [auth.new_key() for _ in range(3)]
    grants = [
        auth.Grant(keys[0], "terminal", "till", STORE, TERMINAL),
        auth.Grant(keys[1], "admin", "admin"),
        auth.Grant(keys[2], "app", "app"),
    ]
    async with db.transaction() as tx:
        await auth.bootstrap(tx, grants)
    context = app.make_context(settings, db, clock=SystemClock(), positions=FakePositions())
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(context.purchases)
        api = create_api(app.service(), context)
        weather = Weather(api.build_middleware_stack())
        api.middleware_stack = weather
        url, _ = await stack.enter_async_context(served(api))
        line = await stack.enter_async_context(Line(int(url.rpartition(":")[2])))
        yield Shop(db, *keys, line, weather)


@dataclass
class Till:
    """A till of the shop with its spool."""

    shop: Shop
    path: Path

    def spool(self) -> Spool:
        return Spool(self.path, store_id=STORE, terminal_id=TERMINAL)

    def sender(self, spool: Spool, patience: Patience = QUICK, **settings: Any) -> Sender:
        client = AuthenticatedClient(self.shop.url, settings.pop("key", self.shop.key))
        return Sender(spool, client, patience=patience, **settings)


@pytest.fixture
def till(shop: Shop, tmp_path: Path) -> Till:
    """The terminal that the shop's key is for."""
    return Till(shop, tmp_path / "till.db")


async def within(seconds: float, work: Any) -> Any:
    """Await with a deadline."""
    async with asyncio.timeout(seconds):
        return await work
