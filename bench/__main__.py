"""``python -m bench [loyalty|ingest|latency]``: everything without an argument."""

import asyncio
import json
import os
import platform
from typing import Annotated

import typer
from rich.console import Console

from bench import loyalty
from bench.infra import infra

EVENTS = 60_000


def main(
    what: Annotated[list[str] | None, typer.Argument(help="loyalty, ingest, latency")] = None,
    *,
    events: Annotated[int, typer.Option(help="Events for the loyalty part.")] = EVENTS,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Measure; every figure is printed with the machine it is of."""
    console = Console(stderr=as_json)
    python = platform.python_version()
    console.print(f"{os.cpu_count()} cores, {platform.machine()}, Python {python}")
    figures = asyncio.run(_run(what or ["loyalty"], events, console))
    if as_json:
        print(json.dumps(figures, indent=2))


async def _run(what: list[str], events: int, console: Console) -> dict[str, dict[str, float]]:
    figures: dict[str, dict[str, float]] = {}
    async with infra() as servers:
        if "loyalty" in what:
            figures["loyalty"] = await loyalty.run(servers, events, console)
    return figures


if __name__ == "__main__":
    typer.run(main)
