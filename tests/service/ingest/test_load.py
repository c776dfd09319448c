"""A real api process under more than it can take: memory, refusals, and what still gets done."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import pytest_asyncio

from bench import load
from deploy.local import ports, processes
from shared import auth
from shared.db import open_database
from tests.service.ingest.conftest import IDENTITY_KEY, TERMINAL, bearer, purchase_body

ROOT = Path(__file__).parents[3]
MIB = 1024 * 1024
UPLOAD_MIB_MAX = 50
"""For 1,000 purchases of 100 lines, 15 MiB of JSON."""
REQUESTS_MAX = 32
TILLS = 160
IMPATIENCE_S = 0.25
"""What a refused till waits in the test, whatever it was told."""
HANG_S = 10.0
MEASURED_S = 3.0


@dataclass(frozen=True)
class Api:
    """A process of ``python -m services.ingest api``."""

    url: str
    pid: int
    port: int

    def cpu_s(self) -> float:
        """Return the processor time that the process has used."""
        times = psutil.Process(self.pid).cpu_times()
        return times.user + times.system

    def peak_bytes(self) -> int:
        """Return the most memory that the process ever had."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise AssertionError


@pytest_asyncio.fixture
async def api(
    make_database_url: Callable[[str], Awaitable[str]], scratch: Path
) -> AsyncIterator[Api]:
    """Start an api process on a fresh database that knows one till."""
    url = await make_database_url("ingest")
    db = open_database(url.replace("://", "+asyncpg://", 1), application_name="tests")
    async with db.transaction() as tx:
        await auth.bootstrap(tx, [auth.Grant(TERMINAL, "terminal", "till", "0042", "0042-03")])
    await db.close()
    port = ports.free_port()
    environ = {
        "INGEST_DATABASE_URL": url,
        "INGEST_PORT": str(port),
        "INGEST_REQUESTS_MAX": str(REQUESTS_MAX),
        # All tills of a test show one key.
        "INGEST_LIMIT_TERMINAL_PER_S": "100000",
        "IDENTITY_KEY": IDENTITY_KEY,
    }
    process = processes.spawn(
        [sys.executable, "-m", "services.ingest", "api"],
        log=scratch / f"api-{port}.log",
        env=os.environ | environ,
    )
    try:
        made = Api(f"http://127.0.0.1:{port}", process.pid, port)
        await _ready(made)
        yield made
    finally:
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, 30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def _ready(api: Api) -> None:
    async with httpx.AsyncClient(base_url=api.url) as client, asyncio.timeout(60):
        while True:
            try:
                if (await client.get("/health/ready")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.05)


def _large_purchase(number: int) -> dict[str, Any]:
    """Return a purchase of 100 lines, about 17 KB."""
    line = {"sku": "1082185", "category": "BANANAS AND PLANTAINS", "description": "Bananas, loose"}
    lines = [
        line | {"line_no": 1 + each, "quantity": "1.12", "unit_price_minor": 99, "amount_minor": 1}
        for each in range(100)
    ]
    return purchase_body(f"{number:06d}", lines=lines, total_minor=100)


async def _upload(client: httpx.AsyncClient, body: bytes, media_type: str) -> list[dict[str, Any]]:
    headers = bearer(TERMINAL) | {"Content-Type": media_type}
    answer = await client.post("/v1/purchases:batch", content=body, headers=headers, timeout=60)
    assert answer.status_code == 207, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_uploads_of_100_000_lines_take_little_memory(api: Api) -> None:
    rows = [[_large_purchase(1_000 * upload + n) for n in range(1_000)] for upload in range(3)]
    arrays = [json.dumps(some).encode() for some in rows]
    lines = b"\n".join(json.dumps(row).encode() for row in rows[0])
    assert min(map(len, arrays)) > 14 * MIB
    async with httpx.AsyncClient(base_url=api.url) as client:
        await _upload(client, json.dumps(rows[0][:100]).encode(), "application/json")
        before = api.peak_bytes()
        outcomes = await asyncio.gather(
            *(_upload(client, body, "application/json") for body in arrays)
        )
        again = await _upload(client, lines, "application/x-ndjson")
        grown = api.peak_bytes() - before
    assert grown < len(arrays) * UPLOAD_MIB_MAX * MIB
    assert [len(results) for results in outcomes] == [1_000] * 3
    assert {row["outcome"] for row in outcomes[1] + outcomes[2]} == {"accepted"}
    assert {row["outcome"] for row in again} == {"replayed"}


async def test_upload_over_the_cap_is_cut_and_nothing_of_it_is_written(api: Api) -> None:
    row = json.dumps(_large_purchase(1)).encode()

    async def too_long() -> AsyncIterator[bytes]:
        yield b"[" + row
        # 900 rows and blanks, half a MiB too much: the bytes are refused, not the rows.
        for _ in range(900):
            yield b"," + b" " * (32 * MIB // 900 - 16 * 1024) + row

    async with httpx.AsyncClient(base_url=api.url, headers=bearer(TERMINAL)) as client:
        answer = await client.post("/v1/purchases:batch", content=too_long(), timeout=60)
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
        single = await client.post("/v1/purchases", content=row)
    assert single.json()["duplicate"] is False


@dataclass
class _Tally:
    """What became of the requests of one run."""

    done: int = 0
    waits_s: list[int] = field(default_factory=list[int])
    others: list[int] = field(default_factory=list[int])
    slowest_s: float = 0.0


async def _tills(api: Api, count: int, prefix: str) -> tuple[_Tally, float]:
    """Let ``count`` tills send as fast as they are answered; return the tally and the rate done.

    The rate is per second of the process's own time: what else the machine does counts for nothing.
    """
    tally = _Tally()
    before_s = api.cpu_s()
    ends_at = time.monotonic() + MEASURED_S

    async def till(number: int) -> None:
        connection = await load.connect(api.port)
        sent = 0
        while (began := time.monotonic()) < ends_at:
            sent += 1
            body = json.dumps(purchase_body(f"{prefix}-{number}-{sent}")).encode()
            request = load.encode("POST", "/v1/purchases", key=TERMINAL, body=body)
            async with asyncio.timeout(HANG_S):
                answer = await connection.ask(request)
            tally.slowest_s = max(tally.slowest_s, time.monotonic() - began)
            if answer.status == 202:
                tally.done += 1
            elif answer.status == 503 and answer.retry_after_s is not None:
                tally.waits_s.append(answer.retry_after_s)
                await asyncio.sleep(IMPATIENCE_S)
            else:
                tally.others.append(answer.status)
        connection.close()

    await asyncio.gather(*(till(number) for number in range(count)))
    return tally, tally.done / (api.cpu_s() - before_s)


async def test_overload_is_refused_and_what_can_be_done_is_done(api: Api) -> None:
    await _tills(api, REQUESTS_MAX // 2, "warm")
    fits, capacity = await _tills(api, REQUESTS_MAX // 2, "fits")
    over, goodput = await _tills(api, TILLS, "over")
    assert not (fits.waits_s)
    assert not (fits.others)
    assert not (over.others)
    assert over.slowest_s < HANG_S
    # It was too much: each was turned away at times, told to wait, and not all for as long.
    assert len(over.waits_s) >= TILLS
    assert min(over.waits_s) >= 1
    assert len(set(over.waits_s)) > 1
    assert goodput >= 0.7 * capacity
    # By the clock too, though what else the machine does hits either.
    assert over.done >= 0.5 * fits.done
