"""Ingest on real Postgres behind a real uvicorn, and a line to it that can be cut."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
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
from services.ingest.context import IngestContext
from services.ingest.settings import IngestSettings
from services.ingest.store import tables
from shared import auth
from shared.clock import Clock, SystemClock
from shared.db import Database
from shared.db.plumbing import outbox
from shared.http.app import create_api
from tests.conftest import MakeDatabase
from tests.service.client.line import Line
from tests.service.ingest.conftest import IDENTITY_KEY, FakePositions
from tests.service.shared.conftest import served

STORE, TERMINAL = "0042", "0042-03"
QUICK = Patience(first_pause_s=0.01, longest_pause_s=0.05, idle_s=0.01)


@dataclass(frozen=True)
class Call:
    """One request as it came; ``whole`` unless its sender hung up before its end."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    whole: bool = True


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


Forward = Callable[[Call], Awaitable[Answer]]
Trick = Callable[[Call, Forward], Awaitable[Answer]]


@dataclass
class Weather:
    """What stands between the till and ingest, and may do to calls and answers what it likes."""

    app: ASGIApp
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    """Given to the next calls, which do not reach ingest."""
    trick: Trick | None = None
    seen: list[tuple[str, bytes]] = field(default_factory=list)
    """Path and body of each request that ``answers`` took."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not (self.answers or self.trick):
            await self.app(scope, receive, send)
            return
        call = await _read(scope, receive)
        if self.answers:
            self.seen.append((call.path, call.body))
            answer = Answer(*self.answers.pop(0))
        else:
            assert self.trick is not None
            answer = await self.trick(call, lambda one: _forward(self.app, scope, one))
        head = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": head})
        await send({"type": "http.response.body", "body": answer.body})


async def _read(scope: Scope, receive: Receive) -> Call:
    body, more, whole = b"", True, True
    while more and whole:
        message = await receive()
        whole = message["type"] == "http.request"
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    return Call(scope["method"], scope["path"], headers, body, whole)


async def _forward(app: ASGIApp, scope: Scope, call: Call) -> Answer:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": call.body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = {**call.headers, "content-length": str(len(call.body))}
    head = [(name.encode(), value.encode()) for name, value in headers.items()]
    await app({**scope, "path": call.path, "headers": head}, receive, send)
    told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    content = b"".join(one.get("body", b"") for one in sent[1:])
    told.pop("content-length", None)
    return Answer(sent[0]["status"], told, content)


@dataclass
class Shop:
    """One running ingest, and how to reach it."""

    db: Database
    key: str
    admin_key: str
    app_key: str
    line: Line
    weather: Weather
    context: IngestContext

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


@pytest.fixture
def clock() -> Clock:
    """The shop's clock; a file whose receipts bear fixed dates gives another one."""
    return SystemClock()


@pytest_asyncio.fixture
async def shop(make_database: MakeDatabase, clock: Clock) -> AsyncIterator[Shop]:
    """A fresh ingest, its terminal's key, and the line to it."""
    db = await make_database(app.service())
    settings = IngestSettings.model_validate(
        {"database_url": "postgresql://unused", "IDENTITY_KEY": IDENTITY_KEY}
    )
    keys = (auth.new_key(), auth.new_key(), auth.new_key())
    grants = [
        auth.Grant(keys[0], "terminal", "till", STORE, TERMINAL),
        auth.Grant(keys[1], "admin", "admin"),
        auth.Grant(keys[2], "app", "app"),
    ]
    async with db.transaction() as tx:
        await auth.bootstrap(tx, grants)
    context = app.make_context(settings, db, clock=clock, positions=FakePositions())
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(context.purchases)
        api = create_api(app.service(), context)
        weather = Weather(api.build_middleware_stack())
        api.middleware_stack = weather
        url, _ = await stack.enter_async_context(served(api))
        line = await stack.enter_async_context(Line(int(url.rpartition(":")[2])))
        yield Shop(db, *keys, line, weather, context)


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
