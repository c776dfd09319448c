"""What the commands show."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from deploy.local.layout import API_KEYS, SERVICES, Layout

COLOURS = {"ready": "green", "starting": "yellow", "unready": "yellow", "backoff": "yellow"}


def show_infra(console: Console, layout: Layout, values: Mapping[str, str]) -> None:
    """Show where Kafka and the mails are; the databases' URLs are too long for a table."""
    where = _table("", "where")
    where.add_row("Kafka", values["KAFKA_BOOTSTRAP_SERVERS"])
    where.add_row("mail", str(layout.mail))
    where.add_row("logs", str(layout.log))
    console.print(where)
    console.print(f"Database URLs and keys are in {layout.env}.", soft_wrap=True)


def show_up(console: Console, layout: Layout, values: Mapping[str, str]) -> None:
    """Show where everything is and with which keys."""
    where = _table("", "where")
    for service in SERVICES:
        url = values[f"{service.upper()}_URL"]
        where.add_row(service, f"{url}/docs")
    where.add_row("Kafka", values["KAFKA_BOOTSTRAP_SERVERS"])
    where.add_row("mail", str(layout.mail))
    where.add_row("logs", str(layout.log))
    secrets = _table("role", "API key (Authorization: Bearer …)")
    for name in API_KEYS:
        secrets.add_row(name.removesuffix("_KEY").lower(), values[name])
    console.print(where)
    console.print(secrets)
    console.print(
        f"The terminal key is for till {values['TERMINAL_ID']} of store "
        f"{values['TERMINAL_STORE_ID']}. All of this is in {layout.env}.",
        soft_wrap=True,
    )


def show_parts(console: Console, state: Mapping[str, Any]) -> None:
    """Show each part's state, and loudly what stopped on purpose."""
    table = _table("part", "state", "pid", "restarts", "url")
    for row in state["parts"]:
        colour = COLOURS.get(row["state"], "red")
        pid = str(row["pid"] or "")
        shown = f"[{colour}]{row['state']}[/]"
        table.add_row(row["name"], shown, pid, str(row["restarts"]), row["url"])
    console.print(table)
    show_troubles(console, state)


def show_troubles(console: Console, state: Mapping[str, Any]) -> None:
    """Say what is wrong with which part, if anything."""
    for row in state["parts"]:
        if row["state"] == "stopped":
            console.print(
                f"[bold red]{row['name']} has stopped on purpose and will not be started again: "
                f"a person must look.[/] See {row['log']}",
                soft_wrap=True,
            )
        elif row["detail"]:
            console.print(f"{row['name']}: {row['detail']}", soft_wrap=True)


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
