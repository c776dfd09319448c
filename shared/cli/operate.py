"""Commands for operators: offsets, the relay's republish, dead letters."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from shared.cli.terminal import complete, say, show_rows
from shared.contracts.topics import TOPICS
from shared.db import Database, open_database
from shared.kafka import deadletters
from shared.kafka import offsets as positions
from shared.kafka import relay as publisher
from shared.processes import open_context
from shared.service import Service

Command = Callable[[], None]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Closed = Annotated[bool, typer.Option(help="Also those that were replayed or dropped.")]
Since = Annotated[datetime, typer.Option(help="RFC 3339, for example 2026-11-22T08:00:00+00:00.")]


@asynccontextmanager
async def _database(service: Service) -> AsyncGenerator[Database, None]:
    settings = service.settings()
    db = open_database(settings.database_url, application_name="command", pool_size=2)
    try:
        yield db
    finally:
        await db.close()


def offsets(service: Service) -> typer.Typer:
    """Return ``offsets show|reset``."""
    group = typer.Typer(help="Where the consumer stands.", no_args_is_help=True)

    @group.command(help="Show the next offset of every partition, as Postgres has it.")
    def show(*, as_json: AsJson = False) -> None:
        async def work() -> list[dict[str, Any]]:
            async with _database(service) as db, db.transaction() as tx:
                found = await positions.show(tx)
            return [
                {
                    "topic": one.topic,
                    "partition": one.partition,
                    "next_offset": one.next_offset,
                    "cluster_id": one.cluster_id,
                    "last_event_id": one.last_event_id,
                    "attempts": one.attempts,
                }
                for one in sorted(found, key=lambda one: (one.topic, one.partition))
            ]

        show_rows(complete(work()), as_json=as_json)

    @group.command(help="Set offsets by hand (stop the consumer first); the inbox drops re-reads.")
    def reset(topic: str, to: int = 0, partition: int | None = None) -> None:
        async def work() -> int:
            async with _database(service) as db, db.transaction() as tx:
                return await positions.reset(tx, topic, partition, to)

        say(f"{complete(work())} partitions of {topic} set to {to}.")

    return group


def relay(service: Service, run_relay: Command) -> typer.Typer:
    """Return ``relay`` (runs it) with ``relay republish``."""
    group = typer.Typer(invoke_without_command=True)

    @group.callback()
    def run(ctx: typer.Context) -> None:
        if ctx.invoked_subcommand is None:
            run_relay()

    @group.command(help="Publish again what was written since a time; inboxes drop what they have.")
    def republish(since: Since, topic: str | None = None) -> None:
        if topic is not None and topic not in TOPICS:
            message = f"there is no topic {topic}"
            raise typer.BadParameter(message)

        async def work() -> int:
            async with _database(service) as db, db.transaction() as tx:
                return await publisher.republish(tx, since=since.astimezone(), topic=topic)

        say(f"{complete(work())} rows will be published again.")

    return group


def dead_letters(service: Service) -> typer.Typer:
    """Return ``dead-letters list|show|replay|drop``."""
    group = typer.Typer(help="Events that were set aside.", no_args_is_help=True)

    @group.command("list", help="List what is open.")
    def list_(*, limit: int = 50, as_json: AsJson = False, closed: Closed = False) -> None:
        async def work() -> list[dict[str, Any]]:
            async with _database(service) as db, db.transaction() as tx:
                found = await deadletters.list_letters(tx, limit=limit, closed=closed)
            return [one.summary() for one in found]

        show_rows(complete(work()), as_json=as_json)

    @group.command(help="Show one with its original bytes.")
    def show(letter_id: UUID) -> None:
        async def work() -> dict[str, Any]:
            async with _database(service) as db, db.transaction() as tx:
                letter = await deadletters.load(tx, letter_id)
            return letter.summary() | {"value": (letter.value or b"").decode(errors="replace")}

        show_rows([complete(work())], as_json=True)

    _add_ways_out(group, service)
    return group


def _add_ways_out(group: typer.Typer, service: Service) -> None:
    @group.command(help="Apply one and everything parked behind its key, in order.")
    def replay(letter_id: UUID) -> None:
        async def work() -> int:
            async with AsyncExitStack() as stack:
                context = await open_context(service, "replay", stack)
                return await deadletters.replay(context.db, service, letter_id, context)

        say(f"{complete(work())} events applied.")

    @group.command(help="Give one up for good; what waits behind it is replayed next.")
    def drop(letter_id: UUID) -> None:
        async def work() -> None:
            async with _database(service) as db:
                await deadletters.drop(db, letter_id)

        complete(work())
        say("Dropped.")
