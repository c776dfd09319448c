"""From topic to committed balances: ours, the peer and the limit, on the same records."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping, Sequence
from statistics import median

from rich.console import Console
from rich.table import Table

from bench import workload
from bench.contender import Measured
from bench.infra import Infra, publish
from shared.kafka import topics
from shared.settings import ServiceSettings

PROGRAMME = "deploy/programme/demo.yaml"
FULL_PROGRAMME = "bench/programme.yaml"
TWELVE_RULES = "ours by twelve rules"
"""The same by ``FULL_PROGRAMME``: twelve rules, two of them conditions, tiers and caps."""
CONTENDERS = ("limit", "marks", "ours", TWELVE_RULES, "peer")
RATIOS = (
    ("ours", "peer"),
    ("ours", "limit"),
    (TWELVE_RULES, "limit"),
    ("ours", "marks"),
    (TWELVE_RULES, "marks"),
)

PEER_SHARE = 25
"""The peer reads one event in so many: it is that much slower, and a rate is a rate."""


ROUNDS = 3
"""Each measures all contenders; the second in the opposite order, so that a machine that becomes
slower, or faster, flatters nobody."""


async def run(infra: Infra, events: int, console: Console) -> dict[str, float]:
    """Print the table and return the ratios."""
    environment = await prepare(infra)
    console.print(f"Publishing {events:,} real baskets …")
    await publish(infra.kafka.bootstrap, "purchases", workload.records(events))
    rounds: list[dict[str, Measured]] = []
    for number in range(ROUNDS):
        found: dict[str, Measured] = {}
        for name in CONTENDERS[:: -1 if number % 2 else 1]:
            contender = name.split()[0]
            runtime, owner = await infra.database(f"bench_{contender}_{number}_{len(found)}")
            variables = environment | {
                "LOYALTY_PROGRAMME_FILE": FULL_PROGRAMME if name == TWELVE_RULES else PROGRAMME
            }
            share = PEER_SHARE if name == "peer" else 1
            found[name] = await measure(contender, events // share, variables, (runtime, owner))
        rounds.append(found)
    return _report(rounds, console)


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


def _report(rounds: Sequence[Mapping[str, Measured]], console: Console) -> dict[str, float]:
    table = Table("loyalty: topic → committed", "events", "events/s", "CPU µs/event", "RSS MB")
    for name in CONTENDERS:
        of_name = [found[name] for found in rounds]
        table.add_row(
            name,
            f"{of_name[0].events:,}",
            f"{median(one.per_second for one in of_name):,.0f}",
            f"{median(one.cpu_us for one in of_name):,.0f}",
            f"{max(one.peak_rss_mb for one in of_name):,.0f}",
        )
    console.print(table)
    ratios: dict[str, float] = {}
    for name, other in RATIOS:
        each = [found[name].per_second / found[other].per_second for found in rounds]
        ratio = ratios[f"{name}/{other}"] = median(each)
        console.print(f"{name}/{other}: {ratio:.2f} ({min(each):.2f} to {max(each):.2f})")
    return ratios
