"""From a till's POST to the balance that shows its points, at a steady rate."""

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from time import perf_counter
from uuid import UUID

import asyncpg
from rich.console import Console
from rich.table import Table

from bench import load, workload
from bench.infra import Infra
from bench.shipped import STORE, TERMINAL, Shipped, shipped
from demo.data import Basket
from services.loyalty.domain.settle import settle
from services.loyalty.settings import programme

FOLLOWED_ONE_IN = 10
POLL_S = 0.005
GIVE_UP_S = 15.0
SETTLE_S = 60.0
ENROLLING_AT_ONCE = 16
KEY_POLL_S = 0.5
ROWS_POLL_S = 0.1


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    rate: int = 200
    """Purchases a second."""
    seconds: int = 20
    warm_up_s: int = 3
    """At the same rate before it, followed by nobody."""


@dataclass(frozen=True, slots=True)
class Sale:
    """One request; ``points`` where its member is followed, for whom it is the only one."""

    household: int
    request: bytes
    points: int = 0


@dataclass(slots=True)
class Times:
    """From when a request was due, so that a late generator flatters nobody."""

    answered_s: list[float] = field(default_factory=list[float])
    visible_s: list[float] = field(default_factory=list[float])
    last_answer_at: float = 0.0
    rate: float = 0.0


async def run(infra: Infra, console: Console, size: Size | None = None) -> dict[str, float]:
    """Print the figures and return them."""
    size = size or Size()
    async with shipped(infra) as running:
        ingest = await running.service("ingest", "api", "relay", "consumer")
        loyalty = await running.service("loyalty", "api", "consumer", "relay")
        warm_up = size.rate * size.warm_up_s
        sales = _sales(running, warm_up, size.rate * size.seconds)
        console.print(f"Enrolling the members of {len(sales):,} real baskets …")
        pool = load.Pool(loyalty["api"].port)
        members = await enrol(running, pool, {sale.household for sale in sales})
        tills = load.Pool(ingest["api"].port)
        driver = Driver(tills, pool, members, running.variables["APP_KEY"])
        await driver.drive(sales[:warm_up], size.rate)
        times = await driver.drive(sales[warm_up:], size.rate)
        pool.close()
        tills.close()
    return _report(times, size.rate, console)


def _sales(running: Shipped, warm_up: int, count: int) -> list[Sale]:
    """Return the warm-up and the rest, of which every tenth is the only one of its member."""
    path = running.variables["LOYALTY_PROGRAMME_FILE"]
    rules = programme.load(Path(path))
    key = running.variables["TERMINAL_KEY"]
    # More than are needed: members who are followed buy nothing else.
    baskets = workload.baskets(3 * (warm_up + count))
    followed: dict[int, tuple[Basket, int]] = {}
    for number, basket in enumerate(baskets):
        if len(followed) * FOLLOWED_ONE_IN >= count:
            break
        points = settle(workload.event(basket, number).data, rules).points
        if points > 0:
            followed.setdefault(basket.household, (basket, points))
    alone = iter(followed.values())
    others = cycle(basket for basket in baskets if basket.household not in followed)
    sales: list[Sale] = []
    for number in range(warm_up + count):
        is_due = number >= warm_up and number % FOLLOWED_ONE_IN == 0
        basket, points = (next(alone, None) if is_due else None) or (next(others), 0)
        body = json.dumps(workload.request(basket, number, store=STORE, terminal=TERMINAL))
        request = load.encode("POST", "/v1/purchases", key=key, body=body.encode())
        sales.append(Sale(basket.household, request, points))
    return sales


async def enrol(running: Shipped, pool: load.Pool, households: set[int]) -> dict[int, UUID]:
    """Enrol by loyalty's API, and wait until ingest knows every card."""
    key = running.variables["APP_KEY"]
    await _wait_for_key(running, pool, key)
    members: dict[int, UUID] = {}
    waiting = iter(sorted(households))

    async def enrol_some() -> None:
        for household in waiting:
            card = workload.card(household)
            body = {
                "external_id": f"household-{household}",
                "identifiers": [{"kind": "card", "value": card}],
            }
            request = load.encode("POST", "/v1/members", key=key, body=json.dumps(body).encode())
            answer = await pool.send(request, expected=201)
            members[household] = UUID(json.loads(answer.body)["member_id"])

    async with asyncio.TaskGroup() as group:
        for _ in range(ENROLLING_AT_ONCE):
            group.create_task(enrol_some())
    # Of each it keeps the card and the member's id; a sale of one it does not know is attributed
    # later, by another event.
    known = "(SELECT DISTINCT member_id FROM member_identifier) AS known"
    await wait_for_rows(running.infra, "ingest", known, len(members))
    return members


async def _wait_for_key(running: Shipped, pool: load.Pool, key: str) -> None:
    """Wait until the key has come to loyalty, which reads its keys every two seconds."""
    await wait_for_rows(running.infra, "loyalty", "credential", 2)
    request = load.encode("GET", "/v1/members:lookup?external_id=nobody", key=key)
    async with asyncio.timeout(SETTLE_S):
        while True:
            try:
                await pool.send(request, expected=404)
            except load.UnexpectedAnswerError:
                await asyncio.sleep(KEY_POLL_S)
            else:
                return


async def wait_for_rows(
    infra: Infra, database: str, table: str, wanted: int, *, within_s: float = SETTLE_S
) -> None:
    connection = await asyncpg.connect(infra.postgres.url(database))
    count = f"SELECT count(*) FROM {table}"  # noqa: S608  a name of ours
    try:
        async with asyncio.timeout(within_s):
            while True:
                if int(await connection.fetchval(count)) >= wanted:
                    return
                await asyncio.sleep(ROWS_POLL_S)
    finally:
        await connection.close()


@dataclass(frozen=True)
class Driver:
    """Sends at a steady rate, whatever the answers do, and follows some to the balance."""

    tills: load.Pool
    desk: load.Pool
    members: Mapping[int, UUID]
    key: str

    async def drive(self, sales: Sequence[Sale], rate: int) -> Times:
        """Send all; return when every answer and every followed balance is there."""
        times = Times()
        started = perf_counter()
        async with asyncio.TaskGroup() as group:
            for number, sale in enumerate(sales):
                due = started + number / rate
                await asyncio.sleep(max(0.0, due - perf_counter()))
                group.create_task(self._sell(sale, due, times))
        times.rate = len(sales) / (times.last_answer_at - started)
        return times

    async def _sell(self, sale: Sale, due: float, times: Times) -> None:
        await self.tills.send(sale.request, expected=202)
        times.last_answer_at = perf_counter()
        times.answered_s.append(times.last_answer_at - due)
        if sale.points:
            await self._follow(sale)
            times.visible_s.append(perf_counter() - due)

    async def _follow(self, sale: Sale) -> None:
        """Look at the balance every 5 ms until it has the points."""
        path = f"/v1/members/{self.members[sale.household]}/balance"
        request = load.encode("GET", path, key=self.key)
        async with asyncio.timeout(GIVE_UP_S):
            while True:
                asked_at = perf_counter()
                answer = await self.desk.send(request, expected=200)
                if json.loads(answer.body)["available"] == sale.points:
                    return
                await asyncio.sleep(max(0.0, asked_at + POLL_S - perf_counter()))


def _report(times: Times, wanted: int, console: Console) -> dict[str, float]:
    table = Table("from POST to …", "purchases", "p50 ms", "p99 ms")
    figures = {"purchases/s": times.rate}
    for name, seconds in (("answer", times.answered_s), ("balance", times.visible_s)):
        p50, p99 = (percentile(seconds, share) * 1_000 for share in (50, 99))
        table.add_row(name, f"{len(seconds):,}", f"{p50:,.1f}", f"{p99:,.1f}")
        figures |= {f"{name} p50 ms": p50, f"{name} p99 ms": p99}
    console.print(table)
    console.print(f"rate reached: {times.rate:.1f} of {wanted} purchases/s")
    return figures


def percentile(values: Sequence[float], percent: int) -> float:
    """Return a value that was measured: no interpolation."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(len(ranked) * percent / 100) - 1)]
