"""Ingest: single purchases against a bare route, and batch uploads."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import asyncpg
from rich.console import Console
from rich.table import Table

from bench import load, workload
from bench.infra import Infra
from bench.shipped import STORE, TERMINAL, Shipped, Started, shipped
from deploy.local import ports

AT_ONCE = 64
"""Tills in a hurry at once."""
WARM_UP = 500
BATCH_ROWS = 1_000
UPLOADS = ((1, 1), (1, 2), (2, 2), (2, 4))
"""Processes that answer, and uploads at once to all of them."""
_WARM_UPLOADS = max(processes for processes, _ in UPLOADS)


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    rounds: int = 6
    """Of each server, in turns."""
    requests: int = 2_500
    """In a round."""
    uploads: int = 16
    """Of a thousand purchases, for each of ``UPLOADS``."""

    @property
    def purchases(self) -> int:
        rounds = WARM_UP + self.rounds * self.requests
        return rounds + (_WARM_UPLOADS + self.uploads * len(UPLOADS)) * BATCH_ROWS


@dataclass
class Total:
    """All rounds of one server."""

    requests: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    client_cpu_seconds: float = 0.0

    def add(self, driven: load.Driven, cpu_seconds: float) -> None:
        self.requests += driven.requests
        self.seconds += driven.seconds
        self.cpu_seconds += cpu_seconds
        self.client_cpu_seconds += driven.cpu_seconds

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    @property
    def cpu_us(self) -> float:
        """CPU time of the server per request."""
        return self.cpu_seconds / self.requests * 1e6

    @property
    def client_cpu_us(self) -> float:
        return self.client_cpu_seconds / self.requests * 1e6


async def run(infra: Infra, console: Console, size: Size | None = None) -> dict[str, float]:
    """Print the tables and return the figures."""
    size = size or Size()
    console.print(f"Encoding {size.purchases:,} real baskets …")
    bodies = _bodies(size.purchases)
    first_upload = WARM_UP + size.rounds * size.requests
    async with shipped(infra) as running:
        figures = await _singles(running, bodies[:first_upload], size, console)
        figures |= await _uploads(running, bodies[first_upload:], size, console)
    return figures


def _bodies(count: int) -> list[bytes]:
    return [
        json.dumps(workload.request(basket, number, store=STORE, terminal=TERMINAL)).encode()
        for number, basket in enumerate(workload.baskets(count))
    ]


async def _singles(
    running: Shipped, bodies: list[bytes], size: Size, console: Console
) -> dict[str, float]:
    port = ports.free_port()
    servers = {
        "ours": (await running.service("ingest", "api"))["api"],
        "bare": await running.start(["bench.bare", str(port)], port),
    }
    key = running.variables["TERMINAL_KEY"]
    requests = [load.encode("POST", "/v1/purchases", key=key, body=body) for body in bodies]
    for server in servers.values():
        await load.drive(server.port, requests[:WARM_UP], at_once=AT_ONCE, expected=202)
    totals = {name: Total() for name in servers}
    for number in range(size.rounds):
        start = WARM_UP + number * size.requests
        # In turns and short, so that what else the machine does hits both.
        for name, server in servers.items():
            some = requests[start : start + size.requests]
            await _round(server, some, totals[name])
    await _check_committed(running.infra, len(requests))
    return _report_singles(totals, console)


async def _round(server: Started, requests: list[bytes], total: Total) -> None:
    before = server.cpu_s()
    driven = await load.drive(server.port, requests, at_once=AT_ONCE, expected=202)
    total.add(driven, server.cpu_s() - before)


def _report_singles(totals: Mapping[str, Total], console: Console) -> dict[str, float]:
    table = Table("POST /v1/purchases", "requests", "requests/s", "CPU µs/request", "client's")
    for name, total in totals.items():
        table.add_row(
            name,
            f"{total.requests:,}",
            f"{total.per_second:,.0f}",
            f"{total.cpu_us:,.0f}",
            f"{total.client_cpu_us:,.0f}",
        )
    console.print(table)
    ours, bare = totals["ours"], totals["bare"]
    ratios = {
        "ours/bare requests/s": ours.per_second / bare.per_second,
        # As a rate as well: what a core of each could do.
        "ours/bare per CPU second": bare.cpu_us / ours.cpu_us,
    }
    for name, ratio in ratios.items():
        console.print(f"{name}: {ratio:.2f}")
    return ratios | {"single requests/s": ours.per_second}


async def _uploads(
    running: Shipped, bodies: list[bytes], size: Size, console: Console
) -> dict[str, float]:
    port = ports.free_port()
    another = await running.start(["services.ingest", "api"], port, {"INGEST_PORT": str(port)})
    servers = [running.started[0], another]
    key = running.variables["TERMINAL_KEY"]
    uploads = [
        load.encode(
            "POST",
            "/v1/purchases:batch",
            key=key,
            body=b"[" + b",".join(bodies[start : start + BATCH_ROWS]) + b"]",
        )
        for start in range(0, len(bodies), BATCH_ROWS)
    ]
    before = await _committed(running.infra)
    await _upload(servers, uploads[:_WARM_UPLOADS], at_once=_WARM_UPLOADS)
    table = Table("POST /v1/purchases:batch", "purchases", "purchases/s", "CPU µs/purchase")
    figures: dict[str, float] = {}
    start = _WARM_UPLOADS
    for processes, at_once in UPLOADS:
        some = uploads[start : start + size.uploads]
        total = await _upload(servers[:processes], some, at_once=at_once)
        start += size.uploads
        rate = total.per_second * BATCH_ROWS
        name = f"{at_once} at once, {processes} api"
        table.add_row(
            name,
            f"{total.requests * BATCH_ROWS:,}",
            f"{rate:,.0f}",
            f"{total.cpu_us / BATCH_ROWS:,.0f}",
        )
        figures[f"batch purchases/s, {name}"] = rate
    await _check_committed(running.infra, before + len(bodies))
    console.print(table)
    return figures


async def _upload(servers: Sequence[Started], uploads: Sequence[bytes], *, at_once: int) -> Total:
    """Send the uploads to the servers in equal shares, ``at_once`` at any time."""
    cpu_before = sum(server.cpu_s() for server in servers)
    started = perf_counter()
    shares = [uploads[number :: len(servers)] for number in range(len(servers))]
    await asyncio.gather(
        *(
            load.drive(server.port, share, at_once=at_once // len(servers), expected=207)
            for server, share in zip(servers, shares, strict=True)
        )
    )
    return Total(
        requests=len(uploads),
        seconds=perf_counter() - started,
        cpu_seconds=sum(server.cpu_s() for server in servers) - cpu_before,
    )


async def _check_committed(infra: Infra, wanted: int) -> None:
    """Ask Postgres itself: an answer alone proves nothing."""
    found = await _committed(infra)
    if found != wanted:
        raise load.UnexpectedAnswerError(f"{found:,} receipts are committed, not {wanted:,}")


async def _committed(infra: Infra) -> int:
    connection = await asyncpg.connect(infra.postgres.url("ingest"))
    try:
        return int(await connection.fetchval("SELECT count(*) FROM receipt"))
    finally:
        await connection.close()
