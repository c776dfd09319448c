"""From topic to committed balances: ours, the peer and the limit, on the same records."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE

from rich.console import Console
from rich.table import Table

from bench import workload
from bench.contender import Measured
from bench.infra import Infra, publish
from shared.kafka import topics
from shared.settings import ServiceSettings

PROGRAMME = "deploy/programme/demo.yaml"
TWELVE_RULES = "ours by twelve rules"
"""The same by ``bench/programme.yaml``: twelve rules, two of them conditions, tiers and caps."""

PEER_SHARE = 25
"""The peer reads one event in so many: it is that much slower, and a rate is a rate."""


async def run(infra: Infra, events: int, console: Console) -> dict[str, float]:
    """Print the table and return the ratios."""
    environment = await prepare(infra)
    console.print(f"Publishing {events:,} real baskets …")
    await publish(infra.kafka.bootstrap, "purchases", workload.records(events))
    measured: dict[str, Measured] = {}
    # The limit before and after, so that a machine that slows down does not flatter us.
    for name, share in (
        ("limit", 1),
        ("marks", 1),
        ("ours", 1),
        (TWELVE_RULES, 1),
        ("peer", PEER_SHARE),
        ("limit again", 1),
        ("marks again", 1),
    ):
        contender = name.split()[0]
        runtime, owner = await infra.database(f"bench_{contender}_{len(measured)}")
        environment["LOYALTY_PROGRAMME_FILE"] = (
            "bench/programme.yaml" if name == TWELVE_RULES else PROGRAMME
        )
        measured[name] = await measure(contender, events // share, environment, (runtime, owner))
    return _report(measured, console)


async def prepare(infra: Infra) -> dict[str, str]:
    """Make the topics; return the variables of the processes."""
    os.environ["KAFKA_BOOTSTRAP_SERVERS"] = infra.kafka.bootstrap
    settings = ServiceSettings(database_url="postgresql://unused")
    await topics.ensure(settings, "loyalty")
    return os.environ | {
        "KAFKA_BOOTSTRAP_SERVERS": infra.kafka.bootstrap,
        "IDENTITY_KEY": "00" * 32,
    }


async def measure(
    contender: str, events: int, environment: dict[str, str], urls: tuple[str, str]
) -> Measured:
    """Let a contender read the topic into the database of ``urls``, in a process of its own."""
    runtime, owner = urls
    variables = environment | {
        "LOYALTY_DATABASE_URL": runtime,
        "LOYALTY_MIGRATION_DATABASE_URL": owner,
        "BENCH_DATABASE_URL": owner,
    }
    if contender == "ours":
        await _call(["services.loyalty", "migrate"], variables)
    output = await _call(["bench.contender", contender, str(events)], variables)
    return Measured(**json.loads(output.splitlines()[-1]))


async def _call(arguments: list[str], variables: dict[str, str]) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *arguments, env=variables, stdout=PIPE
    )
    output, _ = await process.communicate()
    if process.returncode:
        message = f"{' '.join(arguments)} ended with {process.returncode}"
        raise RuntimeError(message)
    return output.decode()


def _report(measured: dict[str, Measured], console: Console) -> dict[str, float]:
    table = Table("loyalty: topic → committed", "events", "events/s", "CPU µs/event", "RSS MB")
    for name, one in measured.items():
        table.add_row(
            name,
            f"{one.events:,}",
            f"{one.per_second:,.0f}",
            f"{one.cpu_us:,.0f}",
            f"{one.peak_rss_mb:,.0f}",
        )
    console.print(table)
    ours = measured["ours"].per_second
    ratios = {"ours/peer": ours / measured["peer"].per_second}
    for name in ("limit", "marks"):
        both = measured[name].per_second + measured[f"{name} again"].per_second
        ratios[f"ours/{name}"] = ours / (both / 2)
        ratios[f"{TWELVE_RULES}/{name}"] = measured[TWELVE_RULES].per_second / (both / 2)
    for name, ratio in ratios.items():
        console.print(f"{name}: {ratio:.2f}")
    return ratios
