"""Holds and captures over HTTP: on many members, on one, and on one who has spent for years."""

import asyncio
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import perf_counter
from uuid import UUID

from rich.console import Console
from rich.table import Table

from bench import load, workload
from bench.infra import Infra, publish
from bench.latency import enrol, percentile, wait_for_rows
from bench.shipped import Shipped, Started, shipped
from shared import ids
from shared.contracts.purchases import PurchaseRecorded, Receipt, ReceiptLine

AT_ONCE = 32
"""Tills that ask at the same time."""
EARNED_MINOR = 100_000
POINTS = 10
POINTS_MINOR = 100
"""What a sale is worth that earns ``POINTS`` by the rules that are measured."""
SALES = 5
"""Of each member, on days of their own: so many lots to draw from."""
SETTLE_S = 300.0


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    members: int = 10_000
    pairs: int = 5_000
    """Holds, each with its capture, spread over all members."""
    hot_pairs: int = 500
    """On the one member whom everybody asks for."""
    history: int = 2_000
    """Lots of another one, and spends that have used them up, before the same is measured there."""


@dataclass(slots=True)
class Times:
    """How long each answer took."""

    hold_s: list[float] = field(default_factory=list[float])
    capture_s: list[float] = field(default_factory=list[float])
    seconds: float = 0.0
    cpu_s: float = 0.0
    """Of loyalty's api."""


async def run(infra: Infra, console: Console, size: Size | None = None) -> dict[str, float]:
    """Print the table and return the figures."""
    size = size or Size()
    async with shipped(infra) as running:
        await running.service("ingest", "api", "relay", "consumer")
        loyalty = await running.service("loyalty", "api", "consumer", "relay")
        console.print(f"Enrolling {size.members:,} members, with {SALES} sales each …")
        pool = load.Pool(loyalty["api"].port)
        members = await enrol(running, pool, set(range(size.members)))
        pool.close()
        began = datetime.now(UTC) - timedelta(days=SALES)
        days = [began + timedelta(days=number) for number in range(SALES)]
        sales = (_sale(one, at) for at in days for one in members.values())
        await _earn(running, sales, lots=len(members) * SALES)
        rng = random.Random(1)
        everybody = rng.choices(list(members.items()), k=size.pairs)
        many = await _spend(running, loyalty["api"], everybody)
        hot = await _spend(running, loyalty["api"], [(0, members[0])] * size.hot_pairs)
        console.print(f"Letting one member earn and spend {size.history:,} times …")
        # Earlier, so that it is what is spent first; so seldom that no day reaches the cap.
        times = [began - timedelta(days=1, minutes=5 * number) for number in range(size.history)]
        sales = (_sale(members[1], at, POINTS_MINOR) for at in times)
        await _earn(running, sales, lots=len(members) * SALES + size.history)
        await _spend(running, loyalty["api"], [(1, members[1])] * size.history)
        old = await _spend(running, loyalty["api"], [(1, members[1])] * size.hot_pairs)
    measured = {
        f"{size.members:,} members": many,
        "one member": hot,
        f"one, after {size.history:,}": old,
    }
    return _report(measured, console)


async def _earn(running: Shipped, sales: Iterable[PurchaseRecorded], *, lots: int) -> None:
    """Let members earn, by the topic, and wait until there are so many lots altogether."""
    records = (
        (str(sale.data.member_id).encode(), sale.model_dump_json().encode()) for sale in sales
    )
    await publish(running.infra.kafka.bootstrap, "purchases", records)
    await wait_for_rows(running.infra, "loyalty", "lot", lots, within_s=SETTLE_S)


def _sale(member_id: UUID, at: datetime, amount_minor: int = EARNED_MINOR) -> PurchaseRecorded:
    day, store, till = at.date(), "bench", "bench-01"
    receipt_no = f"{member_id}-{at:%H%M%S}"
    receipt_id = ids.receipt_id(store, till, day, receipt_no)
    line = ReceiptLine(line_no=1, sku="1", quantity_milli=1_000, amount_minor=amount_minor)
    receipt = Receipt(
        receipt_id=receipt_id,
        revision=1,
        store_id=store,
        terminal_id=till,
        receipt_no=receipt_no,
        business_date=day,
        member_id=member_id,
        currency="USD",
        occurred_at=at,
        received_at=at,
        lines=(line,),
        total_minor=amount_minor,
        sold_total_minor=amount_minor,
    )
    return PurchaseRecorded(
        id=ids.receipt_event_id(receipt_id, "purchase.recorded.v1", 1),
        source="perennial/ingest",
        time=at,
        subject=str(member_id),
        data=receipt,
    )


async def _spend(running: Shipped, api: Started, members: Sequence[tuple[int, UUID]]) -> Times:
    """Hold and capture once for each, ``AT_ONCE`` at any time."""
    times, waiting = Times(), iter(members)
    started, used = perf_counter(), api.cpu_s()
    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(_till(running.variables["APP_KEY"], api.port, waiting, times))
    times.seconds = perf_counter() - started
    times.cpu_s = api.cpu_s() - used
    return times


async def _till(key: str, port: int, waiting: Iterator[tuple[int, UUID]], times: Times) -> None:
    connection = await load.connect(port)
    try:
        for household, member_id in waiting:
            card = {"card": workload.card(household)}
            body = {"member_id": str(member_id), "points": POINTS, "identified_by": card}
            begun = perf_counter()
            answer = await connection.send(_post("/v1/holds", key, body), expected=201)
            held = perf_counter()
            hold_id = json.loads(answer.body)["hold_id"]
            await connection.send(_post(f"/v1/holds/{hold_id}:capture", key, {}), expected=200)
            times.hold_s.append(held - begun)
            times.capture_s.append(perf_counter() - held)
    finally:
        connection.close()


def _post(path: str, key: str, body: object) -> bytes:
    return load.encode(
        "POST", path, key=key, body=json.dumps(body).encode(), idempotency_key=str(ids.new_id())
    )


def _report(measured: dict[str, Times], console: Console) -> dict[str, float]:
    table = Table(
        "hold + capture on …", "pairs", "pairs/s", "hold p50 ms", "p99 ms", "capture p50 ms",
        "p99 ms", "api CPU ms a pair",
    )  # fmt: skip
    figures: dict[str, float] = {}
    for name, times in measured.items():
        spans = (times.hold_s, times.capture_s)
        shown = [percentile(span, share) * 1_000 for span in spans for share in (50, 99)]
        shown.append(times.cpu_s / len(times.hold_s) * 1_000)
        rate = len(times.hold_s) / times.seconds
        table.add_row(
            name, f"{len(times.hold_s):,}", f"{rate:,.0f}", *(f"{one:,.1f}" for one in shown)
        )
        figures |= {
            f"{name} pairs/s": rate,
            f"{name} hold p99 ms": shown[1],
            f"{name} capture p99 ms": shown[3],
            f"{name} api CPU ms": shown[4],
        }
    console.print(table)
    return figures
