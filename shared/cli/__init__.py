"""The commands of a service: ``python -m services.<name> {api|consumer|relay|jobs|migrate|all}``.

And for operators: ``offsets show|reset``, ``relay republish``, ``dead-letters
list|show|replay|drop``, ``openapi``.
"""

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack

import typer

from shared import log
from shared.cli import operate
from shared.cli.terminal import complete
from shared.http import server
from shared.kafka import offsets, topics
from shared.processes import PROCESSES, open_context, run_process
from shared.service import Service


def run(service: Service, commands: Mapping[str, Callable[..., None]] | None = None) -> None:
    """Build and run the service's command line, with ``commands`` of its own by name."""
    application = typer.Typer(
        name=f"python -m services.{service.name}",
        help=f"The {service.name} service of Perennial.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_show_locals=False,
    )
    for name, (_, summary) in PROCESSES.items():
        if name != "relay":
            application.command(name, help=summary)(_process(service, name))
    relay = operate.relay(service, _process(service, "relay"))
    application.add_typer(relay, name="relay", help=PROCESSES["relay"][1])
    application.add_typer(operate.offsets(service), name="offsets")
    application.add_typer(operate.dead_letters(service), name="dead-letters")

    for name, command in (commands or {}).items():
        application.command(name)(command)

    @application.command("migrate", help="Bring database and topics up to date; safe to repeat.")
    def _migrate() -> None:
        log.configure(service.name, "migrate", service.settings().log_level)
        complete(bring_up_to_date(service))

    @application.command("openapi", help="Print the OpenAPI document.")
    def _openapi() -> None:
        from shared.http import app as http_app  # noqa: PLC0415  as a process that serves

        sys.stdout.write(json.dumps(http_app.openapi(service), indent=2, sort_keys=True) + "\n")

    application()


def _process(service: Service, name: str) -> operate.Command:
    def command() -> None:
        log.configure(service.name, name, service.settings().log_level)
        sys.exit(server.run_loop(run_process(service, name)))

    return command


async def bring_up_to_date(service: Service) -> None:
    """Bring database and topics to what the code expects; safe to repeat and to run twice."""
    from shared.db import migrate  # noqa: PLC0415  Alembic is for this command alone

    settings = service.settings()
    await migrate.upgrade(service, settings)
    await topics.ensure(settings, service.name)
    consumed = sorted(service.handlers)
    counts = await topics.partition_counts(settings.kafka_bootstrap_servers, consumed)
    async with AsyncExitStack() as stack:
        context = await open_context(service, "migrate", stack)
        async with context.db.transaction() as tx:
            await offsets.seed(tx, counts)
        if service.after_migrate is not None:
            await service.after_migrate(context)
