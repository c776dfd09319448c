"""The storm: every till was offline for a day and uploads it at once, while others go on selling.

Each event is a real basket of a member. A till sends its batches one after another, backs off when
it is told to, and now and then sends a batch again as if its answer had been lost. At the end the
driver's own log is held against Postgres: of ingest, and of loyalty, which applied the events.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import asyncpg
from rich.console import Console
from rich.table import Table

from bench import latency, load, workload
from bench.infra import Infra
from bench.shipped import STORE, Shipped, shipped
from demo.data import Basket

BATCH_ROWS = 500
BACK_OFF_MAX = 16
"""Times what ``Retry-After`` says."""
APPLY_S = 900.0
_TERMINAL, _NUMBER = "@terminal", "@number"


@dataclass(frozen=True)
class Size:
    """How much comes down."""

    terminals: int = 200
    hours: float = 8.0
    every_s: int = 20
    """Between two events of a terminal, while it was offline."""
    live_per_s: int = 20
    """Single purchases a second, from other terminals, from start to end."""
    again_one_in: int = 10
    """Of the batches, these are sent twice."""
    households: int = 500
    weeks: int = 26
    """Whose baskets they are; they come again with other receipt numbers."""

    @property
    def per_terminal(self) -> int:
        return int(self.hours * 3_600 / self.every_s)


@dataclass
class Log:
    """What the tills were told."""

    outcomes: Counter[str] = field(default_factory=Counter[str])
    accepted: set[str] = field(default_factory=set[str])
    refused: int = 0
    live_s: list[float] = field(default_factory=list[float])
    live_refused: int = 0


class LostOrDoubledError(RuntimeError):
    """Postgres does not hold what the tills were told."""


async def run(infra: Infra, console: Console, size: Size | None = None) -> dict[str, float]:
    """Print the figures and return them; raises ``LostOrDoubledError``."""
    size = size or Size()
    baskets = workload.sample(households=size.households, weeks=size.weeks)
    async with shipped(infra) as running:
        ingest = await running.service("ingest", "api", "relay", "consumer")
        loyalty = await running.service("loyalty", "api", "consumer", "relay")
        console.print("Enrolling the members …")
        desk = load.Pool(loyalty["api"].port)
        await latency.enrol(running, desk, {basket.household for basket in baskets})
        desk.close()
        storm = Storm(size, baskets, ingest["api"].port, running.variables["APP_KEY"])
        cpu_before = ingest["api"].cpu_s()
        seconds = await storm.rage()
        cpu_s = ingest["api"].cpu_s() - cpu_before
        applied_s = await _check(running, storm.log)
    return _report(console, storm, seconds=seconds, applied_s=applied_s, cpu_s=cpu_s)


class Storm:
    """The tills."""

    def __init__(self, size: Size, baskets: Sequence[Basket], port: int, key: str) -> None:
        self.size = size
        self.log = Log()
        self._is_over = False
        # Encoded once and filled in later: a driver that encodes while it measures measures itself.
        self._forms = [
            json.dumps(
                workload.request(basket, 0, store=STORE, terminal=_TERMINAL)
                | {"receipt_no": _NUMBER}
            ).encode()
            for basket in baskets
        ]
        self._port = port
        self._key = key

    async def rage(self) -> float:
        """Upload everything while live traffic goes on; return how long that took."""
        started = perf_counter()
        live = asyncio.create_task(self._sell())
        async with asyncio.TaskGroup() as group:
            for terminal in range(self.size.terminals):
                group.create_task(self._come_back(terminal))
        seconds = perf_counter() - started
        # What is under way is waited for: the check must find neither more nor less.
        self._is_over = True
        await live
        return seconds

    async def _come_back(self, terminal: int) -> None:
        pool = load.Pool(self._port)
        for number, body in enumerate(self._batches(terminal)):
            request = load.encode("POST", "/v1/purchases:batch", key=self._key, body=body)
            await self._upload(pool, request)
            if (terminal + number) % self.size.again_one_in == 0:
                await self._upload(pool, request)
        pool.close()

    def _batches(self, terminal: int) -> Iterator[bytes]:
        first = terminal * self.size.per_terminal
        end = first + self.size.per_terminal
        for start in range(first, end, BATCH_ROWS):
            numbers = range(start, min(start + BATCH_ROWS, end))
            yield b"[" + b",".join(self._body(one, f"storm-{terminal}") for one in numbers) + b"]"

    def _body(self, number: int, terminal: str) -> bytes:
        form = self._forms[number % len(self._forms)]
        return form.replace(_TERMINAL.encode(), terminal.encode()).replace(
            _NUMBER.encode(), str(number).encode()
        )

    async def _upload(self, pool: load.Pool, request: bytes) -> None:
        attempt = 0
        while True:
            answer = await pool.ask(request)
            if answer.status == 207:
                break
            if answer.retry_after_s is None:
                raise load.UnexpectedAnswerError(f"{answer.status} {answer.body[:500]!r}")
            self.log.refused += 1
            most_s = answer.retry_after_s * min(2**attempt, BACK_OFF_MAX)
            await asyncio.sleep(random.uniform(answer.retry_after_s, most_s))
            attempt += 1
        for row in json.loads(answer.body)["results"]:
            self.log.outcomes[row["outcome"]] += 1
            if row["outcome"] in {"accepted", "replayed"}:
                self.log.accepted.add(row["event_id"])

    async def _sell(self) -> None:
        """Send one purchase after another when it is due, however the answers are."""
        pool = load.Pool(self._port)
        first = self.size.terminals * self.size.per_terminal
        started, number = perf_counter(), 0
        async with asyncio.TaskGroup() as group:
            while not self._is_over:
                due = started + number / self.size.live_per_s
                await asyncio.sleep(max(0.0, due - perf_counter()))
                group.create_task(self._sell_one(pool, first + number, due))
                number += 1

    async def _sell_one(self, pool: load.Pool, number: int, due: float) -> None:
        body = self._body(number, f"live-{number % 7}")
        request = load.encode("POST", "/v1/purchases", key=self._key, body=body)
        while (answer := await pool.ask(request)).status != 202:
            if answer.retry_after_s is None:
                raise load.UnexpectedAnswerError(f"{answer.status} {answer.body[:500]!r}")
            self.log.live_refused += 1
            await asyncio.sleep(answer.retry_after_s)
        self.log.live_s.append(perf_counter() - due)
        self.log.accepted.add(json.loads(answer.body)["event_id"])


async def _check(running: Shipped, log: Log) -> float:
    """Hold the log against both databases; return how long loyalty needed after the storm."""
    started = perf_counter()
    ingest = await asyncpg.connect(running.infra.postgres.url("ingest"))
    loyalty = await asyncpg.connect(running.infra.postgres.url("loyalty"))
    try:
        rows = await ingest.fetch("SELECT receipt_id, event_id::text FROM receipt")
        if missing := log.accepted - {row[1] for row in rows}:
            raise LostOrDoubledError(f"{len(missing):,} accepted receipts are not there")
        events = "SELECT event_id::text FROM outbox WHERE topic = 'purchases'"
        announced = Counter(row[0] for row in await ingest.fetch(events))
        if announced != Counter(row[1] for row in rows):
            raise LostOrDoubledError("not every receipt was announced exactly once")
        receipts = {row[0] for row in rows}
        await latency.wait_for_rows(
            running.infra, "loyalty", "receipt", len(receipts), within_s=APPLY_S
        )
        if {row[0] for row in await loyalty.fetch("SELECT receipt_id FROM receipt")} != receipts:
            raise LostOrDoubledError("loyalty has applied other receipts")
    finally:
        await ingest.close()
        await loyalty.close()
    return perf_counter() - started


def _report(
    console: Console, storm: Storm, *, seconds: float, applied_s: float, cpu_s: float
) -> dict[str, float]:
    log = storm.log
    rows = log.outcomes.total()
    p50, p99 = (latency.percentile(log.live_s, share) * 1_000 for share in (50, 99))
    figures = {
        "events": float(log.outcomes["accepted"]),
        "replayed": float(log.outcomes["replayed"]),
        "seconds": seconds,
        "purchases/s": rows / seconds,
        "uploads refused": float(log.refused),
        "live purchases": float(len(log.live_s)),
        "live p50 ms": p50,
        "live p99 ms": p99,
        "live slowest ms": max(log.live_s) * 1_000,
        "live refused": float(log.live_refused),
        "api CPU s": cpu_s,
        "loyalty done after s": applied_s,
    }
    table = Table("storm", f"{storm.size.terminals} tills")
    for name, figure in figures.items():
        table.add_row(name, f"{figure:,.1f}" if figure % 1 else f"{figure:,.0f}")
    console.print(table)
    return figures
