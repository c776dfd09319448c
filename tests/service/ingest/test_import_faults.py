"""Imports that fail in the middle: uploads cut off, processes killed, rows of no use."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from services.ingest import app
from services.ingest.api.imports import KINDS, RECEIPTS
from services.ingest.context import IngestContext
from services.ingest.store import tables
from shared.db import Database, Tx
from shared.db.plumbing import outbox
from shared.http import server
from shared.http.app import create_api
from shared.imports import Outcome, working
from shared.imports.tables import import_row, import_run
from tests.service.ingest.conftest import ADMIN, IDENTITY_KEY
from tests.service.ingest.importing import (
    NDJSON,
    apply,
    count,
    counts,
    problems,
    receipts_ndjson,
    report,
    send,
)

CHECKOUT = Path(__file__).parents[3]


async def test_an_upload_that_broke_off_applies_nothing(
    client: httpx.AsyncClient, context: IngestContext
) -> None:
    rows = b"sku,name\n" + b"".join(b"%d,x\n" % number for number in range(1_500))
    async with serving(context) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"POST /v1/imports/products HTTP/1.1\r\nHost: ingest\r\nContent-Type: text/csv\r\n"
            b"Authorization: Bearer %b\r\nContent-Length: 1000000\r\n\r\n" % ADMIN.encode()
        )
        writer.write(rows)
        await writer.drain()
        await until(lambda: state_is(context.db, "receiving", rows_read=1_000))
        writer.close()
        await until(lambda: state_is(context.db, "incomplete", rows_read=1_000))
    await working.job(lambda: KINDS).run(context)

    assert await count(context.db, tables.product) == await count(context.db, import_row) == 0


async def _our_fault(_: Tx) -> None:
    raise RuntimeError


async def _of_its_data(tx: Tx) -> None:
    await tx.execute(sa.text("SELECT 1 / 0"))


@pytest.mark.parametrize(
    ("fails", "code"), [(_our_fault, "internal_error"), (_of_its_data, "unstorable")]
)
async def test_one_row_that_can_not_be_applied_leaves_its_neighbours_alone(
    client: httpx.AsyncClient,
    context: IngestContext,
    fails: Callable[[Tx], Awaitable[None]],
    code: str,
) -> None:
    begun = await send(client, "receipts", receipts_ndjson(range(60)), media_type=NDJSON)

    async def spoilt(tx: Tx, rows: Sequence[Any], given: Any) -> Sequence[Outcome]:
        outcomes = await RECEIPTS.apply(tx, rows, given)
        if any(row.receipt_no == "000030" for row in rows):
            await fails(tx)
        return outcomes

    await working.work(context, {"receipts": replace(RECEIPTS, apply=spoilt)}, for_s=30)

    assert await problems(client, begun) == [(31, None, code)]
    assert counts(await report(client, begun)) == (60, 59, 1, 59, 0, 0)
    assert await count(context.db, tables.receipt) == 59


@pytest.mark.faults
@pytest.mark.timeout(180)
async def test_jobs_killed_in_the_middle_of_an_import_leave_no_row_twice_or_undone(
    client: httpx.AsyncClient, context: IngestContext
) -> None:
    rows = 12_000
    begun = await send(client, "receipts", receipts_ndjson(range(rows)), media_type=NDJSON)
    killed_at: list[int] = []
    while len(killed_at) < 3:
        applied = (await report(client, begun))["rows_applied"]
        with jobs_process(context.db) as process:

            async def moved(since: int = applied) -> bool:
                return (await report(client, begun))["rows_applied"] > since

            await until(moved)
            process.send_signal(signal.SIGKILL)
            process.wait()
        killed_at.append((await report(client, begun))["rows_applied"])
    await apply(context)

    done = await report(client, begun)
    assert killed_at[-1] < rows, "every kill must come in the middle"
    assert counts(done) == (rows, rows, 0, rows, 0, 0)
    assert await count(context.db, tables.receipt) == await announced(context.db) == rows
    assert await count(context.db, import_row) == 0


async def announced(db: Database) -> int:
    """Count events about purchases; the jobs process tells of its heartbeat as well."""
    async with db.transaction() as tx:
        about = sa.select(sa.func.count()).where(outbox.c.topic == "purchases")
        return await tx.scalar(about) or 0


@contextmanager
def jobs_process(db: Database) -> "Generator[subprocess.Popen[bytes]]":
    """Run the jobs of ingest as a process of its own."""
    url = db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    process = subprocess.Popen(
        [sys.executable, "-m", "services.ingest", "jobs"],
        cwd=CHECKOUT,
        env=os.environ | {"INGEST_DATABASE_URL": url, "IDENTITY_KEY": IDENTITY_KEY},
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@asynccontextmanager
async def serving(context: IngestContext) -> AsyncGenerator[int]:
    """Serve ingest on a port of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = asyncio.Event()
    api = create_api(app.service(), context)
    task = asyncio.create_task(server.serve_on(api, listener, stop=stop, drain_s=0))
    try:
        yield listener.getsockname()[1]
    finally:
        stop.set()
        await task


async def until(claim: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await claim():
            await asyncio.sleep(0.01)


async def state_is(db: Database, state: str, *, rows_read: int) -> bool:
    async with db.transaction() as tx:
        found = (await tx.execute(sa.select(import_run.c.state, import_run.c.rows_read))).all()
    return [tuple(row) for row in found] == [(state, rows_read)]
