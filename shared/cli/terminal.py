"""Running a command's work, and printing what it found."""

import asyncio
import json
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from shared.errors import PerennialError, Unavailable
from shared.kafka.offsets import Stopped
from shared.processes import EXIT_UNAVAILABLE

T = TypeVar("T")


def complete(work: Coroutine[Any, Any, T]) -> T:
    """Run one command's work; a known error is one sentence and an exit code."""
    try:
        return asyncio.run(work)
    except Unavailable as error:
        Console(stderr=True).print(f"[red]{error.detail}[/red]")
        raise typer.Exit(EXIT_UNAVAILABLE) from error
    except (PerennialError, Stopped) as error:
        Console(stderr=True).print(f"[red]{error}[/red]")
        raise typer.Exit(1) from error


def show_rows(rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """Print rows as a table, or as JSON for other programs."""
    console = Console()
    if as_json:
        console.out(json.dumps(rows, default=str, indent=2), highlight=False)
        return
    table = Table(*(rows[0] if rows else ["nothing"]))
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    console.print(table)


def say(sentence: str) -> None:
    """Print one sentence."""
    Console().print(sentence)
