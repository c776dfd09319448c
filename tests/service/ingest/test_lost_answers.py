"""Fifty answers that never come, between commit and first byte: each effect is there once."""

import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.ingest import app
from services.ingest.context import IngestContext
from services.ingest.settings import IngestSettings
from shared import auth
from shared.clock import FixedClock
from shared.db import Database, open_database
from shared.service import Service
from tests.rig import CHECKOUT
from tests.service.ingest.conftest import (
    APP,
    IDENTITY_KEY,
    NOW,
    FakePositions,
    amendment_body,
    bananas,
    bearer,
    enrol,
    enrolled,
    published,
    purchase_body,
    return_body,
    void_body,
)

RECEIPTS = 10
KILL_EVERY = 7
"""One answer in so many is lost by the death of the process, the others by the network."""
ANSWER_WITHIN_S = 60.0


class Process:
    """The server, started again whenever it was killed; its socket stays, so calls just wait."""

    def __init__(self, url: str) -> None:
        """Listen; serve from the first ``keep`` on."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._environ = os.environ | {"INGEST_DATABASE_URL": url, "IDENTITY_KEY": IDENTITY_KEY}
        self._process: subprocess.Popen[bytes] | None = None
        self.deaths = 0

    def keep(self) -> None:
        """Start it, unless it runs."""
        if self._process is not None and self._process.poll() is None:
            return
        fd = self._listener.fileno()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.service.ingest.lossy", str(fd)],
            env=self._environ,
            cwd=CHECKOUT,
            pass_fds=[fd],
        )

    def bury(self) -> None:
        """Wait for the death that a request asked for."""
        assert self._process is not None
        assert self._process.wait(ANSWER_WITHIN_S) < 0
        self.deaths += 1

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._listener.close()


@pytest_asyncio.fixture
async def url(make_database_url: Callable[[Service | str], Awaitable[str]]) -> str:
    """A fresh database of ingest."""
    return await make_database_url(app.service())


@pytest_asyncio.fixture
async def db(url: str) -> AsyncIterator[Database]:
    """The same, for the test itself."""
    opened = open_database(url.replace("://", "+asyncpg://", 1), application_name="tests")
    yield opened
    await opened.close()


@pytest.fixture
def process(url: str) -> Iterator[Process]:
    """The server."""
    made = Process(url)
    yield made
    made.stop()


async def _prepare(db: Database) -> None:
    """Store a key and a member."""
    told = {"database_url": "postgresql://unused", "IDENTITY_KEY": IDENTITY_KEY}
    context: IngestContext = app.make_context(
        IngestSettings.model_validate(told), db, clock=FixedClock(NOW), positions=FakePositions()
    )
    async with db.transaction() as tx:
        await auth.bootstrap(tx, [auth.Grant(APP, "app", "tests")])
    await enrol(context, enrolled("ann"))


def _story(number: int, token: str | None) -> list[tuple[str, dict[str, Any]]]:
    """Return what happens to one receipt: five writes, each with an event of its own."""
    no = f"r{number}"
    back = return_body(f"R{number}")
    back["original"]["receipt_no"] = no
    corrected = amendment_body(receipt_no=no, member=None, **bananas("2", 198))
    return [
        ("purchases", purchase_body(no, member=None)),
        ("claims", {"claim_token": token, "member": {"card": "ann"}}),
        ("returns", back),
        ("amendments", corrected),
        ("voids", void_body(receipt_no=no)),
    ]


@pytest.mark.timeout(300)
async def test_fifty_answers_lost_between_commit_and_first_byte(
    db: Database, process: Process
) -> None:
    await _prepare(db)
    lost = 0
    async with httpx.AsyncClient(
        base_url=process.url, headers=bearer(APP), timeout=ANSWER_WITHIN_S
    ) as till:
        for number in range(RECEIPTS):
            token: str | None = None
            for step in range(5):
                path, body = _story(number, token)[step]
                fault = "kill" if lost % KILL_EVERY == KILL_EVERY - 1 else "cut"
                process.keep()
                with pytest.raises(httpx.TransportError):
                    await till.post(f"/v1/{path}", json=body, headers={"X-Fault": fault})
                lost += 1
                if fault == "kill":
                    process.bury()
                    process.keep()
                answer = await till.post(f"/v1/{path}", json=body)
                assert (answer.status_code, answer.json()["duplicate"]) == (202, True), answer.text
                token = answer.json().get("claim_token") or token
    assert (lost, process.deaths) == (50, 50 // KILL_EVERY)
    events = [event for _, event in await published(db)]
    assert len({event.id for event in events}) == len(events) == lost
    kinds = Counter((event.type.split(".")[1], event.data.revision) for event in events)
    told = ["recorded", "attributed", "returned", "amended", "voided"]
    assert kinds == {(kind, revision): RECEIPTS for revision, kind in enumerate(told, start=1)}
