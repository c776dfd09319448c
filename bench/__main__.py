"""``python -m bench [PART…]``: see ``PARTS``; the first three without an argument."""

import asyncio
import json
import os
import platform
import signal
from typing import Annotated

import typer
from rich.console import Console

from bench import ingest, latency, loyalty, orders, spending, storm
from bench.infra import Infra, infra
from shared.http.server import run_loop

EVENTS = 60_000
PARTS = ("loyalty", "ingest", "latency", "storm", "spending", "orders")
USUAL = PARTS[:3]


def main(
    what: Annotated[list[str] | None, typer.Argument(help=", ".join(PARTS))] = None,
    *,
    events: Annotated[int, typer.Option(help="Events for loyalty and orders.")] = EVENTS,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Measure; every figure is printed with the machine it is of."""
    console = Console(stderr=as_json)
    python = platform.python_version()
    console.print(f"{os.cpu_count()} cores, {platform.machine()}, Python {python}")
    parts = what or list(USUAL)
    if unknown := set(parts).difference(PARTS):
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: not one of {', '.join(PARTS)}")
    figures = {part: run_loop(_run(part, events, console)) for part in parts}
    if as_json:
        print(json.dumps(figures, indent=2))


async def _run(part: str, events: int, console: Console) -> dict[str, float]:
    me = asyncio.current_task()
    assert me is not None
    # As Ctrl-C does: everything that was started ends, and its folders go.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, me.cancel)
    # Servers of its own for each part: none finds the events of another on its topics.
    async with infra() as servers:
        return await _measure(part, servers, events, console)


async def _measure(part: str, servers: Infra, events: int, console: Console) -> dict[str, float]:
    match part:
        case "ingest":
            return await ingest.run(servers, console)
        case "latency":
            return await latency.run(servers, console)
        case "spending":
            return await spending.run(servers, console)
        case "orders":
            return await orders.run(servers, events, console)
        case "storm":
            return await storm.run(servers, console)
        case _:
            return await loyalty.run(servers, events, console)


if __name__ == "__main__":
    typer.run(main)
