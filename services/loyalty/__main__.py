"""``python -m services.loyalty``; ``verify`` and ``recount-tiers`` are commands of its own."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import typer

from services.loyalty.app import service
from services.loyalty.handlers import audit, tiers
from services.loyalty.settings import LoyaltySettings, programme
from shared.cli import run
from shared.cli.terminal import complete, say, show_rows
from shared.clock import SystemClock
from shared.db import Tx, open_database, run_unit

T = TypeVar("T")


def verify() -> None:
    """Do all hashes again and add up all books; ends with 1, and says where, if one is wrong."""
    found = complete(_in_one(audit.verify, "verify"))
    rows = [
        {"ledger": ledger, "check": check, "wrong": wrong} for ledger, check, wrong in found.checks
    ]
    show_rows(rows, as_json=False)
    entries = (
        f"{found.points.entries} entries of points and {found.gift_money.entries} of gift money"
    )
    if found.ok:
        say(f"The books close: {entries}.")
        return
    for one in found.breaks:
        say(f"The chain of {one.of} {one.owner_id} breaks at entry {one.entry}.")
    say(f"The books do not close: {entries}.")
    raise typer.Exit(1)


def recount_tiers() -> None:
    """Add up all receipts by the measure and window of the programme's file; safe to repeat."""
    settings = service().settings()
    assert isinstance(settings, LoyaltySettings)
    ladder = programme.load(settings.programme_file).ladder
    many = complete(
        _in_one(lambda tx: tiers.recount(tx, ladder, SystemClock().now()), "recount-tiers")
    )
    say(f"Counted again; the tiers of {many} members will be reviewed.")


async def _in_one(work: Callable[[Tx], Awaitable[T]], name: str) -> T:
    """Do a command's work in one transaction."""
    db = open_database(service().settings().database_url, application_name=name, pool_size=1)
    try:
        return await run_unit(db, work)
    finally:
        await db.close()


if __name__ == "__main__":
    run(service(), commands={"verify": verify, "recount-tiers": recount_tiers})
