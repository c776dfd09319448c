"""What order of arrival and number of members cost loyalty, and whether memory grows."""

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from rich.console import Console
from rich.table import Table

from bench import loyalty, workload
from bench.contender import Measured
from bench.infra import Infra, infra, publish
from demo.data import Basket

COPIES = 10
CROWD = -1
"""The household that every other basket is of, where half of the traffic is on one member."""
IN_ORDER, AGAIN = "in order", "in order again"


@dataclass(frozen=True)
class Arrival:
    """How the same baskets arrive."""

    shuffled: bool = False
    """Within each week, as from tills that were offline."""
    copies: int = 1
    """Each household's baskets are those of so many members."""
    crowded: bool = False
    """Every other basket is of one and the same member."""


ARRIVALS = {
    IN_ORDER: Arrival(),
    "each week shuffled": Arrival(shuffled=True),
    f"{COPIES} × the members": Arrival(copies=COPIES),
    "half on one member": Arrival(crowded=True),
    # Last as at first, so that a machine that slows down does not flatter us.
    AGAIN: Arrival(),
}


async def run(servers: Infra, events: int, console: Console) -> dict[str, float]:
    """Print the table and return the ratios to the baskets in order, by CPU and by time."""
    measured: dict[str, Measured] = {}
    for name, arrival in ARRIVALS.items():
        console.print(f"Publishing {events:,} real baskets, {name} …")
        if name == IN_ORDER:
            measured[name] = await _measure(servers, events, arrival)
            continue
        # Servers of its own: it would find the events of the others on the topic.
        async with infra() as fresh:
            measured[name] = await _measure(fresh, events, arrival)
    return _report(measured, console)


async def _measure(servers: Infra, events: int, arrival: Arrival) -> Measured:
    environment = await loyalty.prepare(servers)
    environment["LOYALTY_PROGRAMME_FILE"] = loyalty.FULL_PROGRAMME
    await publish(servers.kafka.bootstrap, "purchases", records(events, arrival))
    urls = await servers.database("bench_orders")
    return await loyalty.measure("ours", events, environment, urls)


def records(events: int, arrival: Arrival) -> Iterator[tuple[bytes, bytes]]:
    """Return key and value of real baskets in their order of arrival."""
    numbered = list(enumerate(workload.baskets(events)))
    for number, basket in _shuffled(numbered) if arrival.shuffled else numbered:
        bought = replace(basket, household=CROWD) if arrival.crowded and number % 2 else basket
        made = workload.event(bought, number, copy=number % arrival.copies)
        yield str(made.subject).encode(), made.model_dump_json().encode()


def _shuffled(numbered: list[tuple[int, Basket]]) -> Iterator[tuple[int, Basket]]:
    rng = random.Random(1)
    weeks: dict[tuple[int, int], list[tuple[int, Basket]]] = defaultdict(list)
    for number, basket in numbered:
        weeks[basket.occurred_at.isocalendar()[:2]].append((number, basket))
    for week in weeks.values():
        rng.shuffle(week)
        yield from week


def _report(measured: dict[str, Measured], console: Console) -> dict[str, float]:
    table = Table("baskets arrive …", "events/s", "CPU µs/event", "RSS MB at half", "at the end")
    for name, one in measured.items():
        table.add_row(
            name,
            f"{one.per_second:,.0f}",
            f"{one.cpu_us:,.0f}",
            f"{one.half_rss_mb:,.0f}",
            f"{one.end_rss_mb:,.0f}",
        )
    console.print(table)
    both = [measured[name] for name in (IN_ORDER, AGAIN)]
    seconds = sum(1 / one.per_second for one in both) / len(both)
    cpu_us = sum(one.cpu_us for one in both) / len(both)
    ratios: dict[str, float] = {}
    for name, one in measured.items():
        if name not in {IN_ORDER, AGAIN}:
            ratios[f"{name}, time"] = 1 / one.per_second / seconds
            ratios[f"{name}, CPU"] = one.cpu_us / cpu_us
    for name, ratio in ratios.items():
        console.print(f"{name}: {ratio:.2f} of the baskets in order")
    return ratios
