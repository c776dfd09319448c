"""``perennial``: the command for those who build tills."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console

from perennial_client.check import kit, report
from perennial_client.check.kit import Finding, Rule
from perennial_client.check.rules import all_rules
from perennial_client.check.till import DEADLINE_S, Till

UNKNOWN_RULE = 2

app = typer.Typer(
    name="perennial",
    help="Tools for tills that talk to Perennial.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)

Url = Annotated[str, typer.Option(envvar="PERENNIAL_URL", help="Where ingest answers.")]
Key = Annotated[str, typer.Option(envvar="PERENNIAL_KEY", help="The terminal's key.")]
Store = Annotated[str, typer.Option(envvar="PERENNIAL_STORE", help="The key's store.")]
Terminal = Annotated[str, typer.Option(envvar="PERENNIAL_TERMINAL", help="The key's terminal.")]
Card = Annotated[str | None, typer.Option(help="Card of an enrolled member, to try a claim.")]
Wait = Annotated[float, typer.Option(min=0, help="Seconds for an event to be processed.")]
Only = Annotated[list[str] | None, typer.Option(help="Only this rule or group; may repeat.")]
Into = Annotated[Path | None, typer.Option(help="Write them into this Markdown document.")]
Check = Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if it is stale.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.callback()
def _main() -> None:
    """Keep the commands' names, however few they are."""


@app.command("rules")
def list_rules(*, into: Into = None, check: Check = False) -> None:
    """List every rule of the conformance kit."""
    rules = all_rules()
    if into is None:
        for one in rules:
            sys.stdout.write(f"{one.id:<28} {one.sentence}\n")
        return
    before = into.read_text(encoding="utf-8")
    after = report.put_into(before, rules)
    if before != after and check:
        Console(stderr=True).print(f"{into} is stale: run 'make guide'")
        raise typer.Exit(1)
    into.write_text(after, encoding="utf-8")


@app.command("till-check")
def till_check(  # noqa: PLR0913  each is an option of the command
    *,
    url: Url,
    key: Key,
    store: Store,
    terminal: Terminal,
    card: Card = None,
    wait: Wait = 30.0,
    only: Only = None,
    as_json: AsJson = False,
) -> None:
    """Play a till's day against a server, and tell which rules it keeps.

    Records some hundred sales of a few units under numbers of their own, so it may run again and
    again; use a test store. Exits 1 if a rule is broken.
    """
    chosen = _chosen(only)
    console = Console(stderr=as_json)
    console.print(f"Playing a day at [bold]{url}[/] as store {store}, terminal {terminal}.")
    till = {"url": url.rstrip("/"), "store_id": store, "terminal_id": terminal}
    findings, run = asyncio.run(_play(console, chosen, key=key, card=card, wait_s=wait, **till))
    if as_json:
        sys.stdout.write(report.as_json(findings, {**till, "run": run}) + "\n")
    else:
        report.summary(console, findings)
        console.print(f"Receipts of this run begin with tc-{run}-.")
    if any(one.outcome == "fail" for one in findings):
        raise typer.Exit(1)


def _chosen(only: Sequence[str] | None) -> list[Rule]:
    rules = all_rules()
    if not only:
        return rules
    unknown = set(only) - {one.id for one in rules} - {one.group for one in rules}
    if unknown:
        Console(stderr=True).print(f"There is no rule {', '.join(sorted(unknown))}.")
        raise typer.Exit(UNKNOWN_RULE)
    return [one for one in rules if {one.id, one.group} & set(only)]


async def _play(
    console: Console, rules: Sequence[Rule], **till: object
) -> tuple[list[Finding], str]:
    async with httpx.AsyncClient(timeout=DEADLINE_S) as http:
        playing = Till(http, **till)  # pyright: ignore[reportArgumentType]
        findings: list[Finding] = []
        async for finding in kit.play(playing, rules):
            report.show(console, finding)
            findings.append(finding)
        return findings, playing.run
