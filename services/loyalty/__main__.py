"""``python -m services.loyalty``; ``recount-tiers`` is for another measure or window of tiers."""

from services.loyalty.app import service
from services.loyalty.handlers import tiers
from services.loyalty.settings import LoyaltySettings, programme
from shared.cli import run
from shared.cli.terminal import complete, say
from shared.clock import SystemClock
from shared.db import open_database, run_unit


def recount_tiers() -> None:
    """Add up all receipts by the measure and window of the programme's file; safe to repeat."""
    say(f"Counted again; the tiers of {complete(_recount())} members will be reviewed.")


async def _recount() -> int:
    settings = service().settings()
    assert isinstance(settings, LoyaltySettings)
    ladder = programme.load(settings.programme_file).ladder
    db = open_database(settings.database_url, application_name="recount-tiers", pool_size=1)
    try:
        return await run_unit(db, lambda tx: tiers.recount(tx, ladder, SystemClock().now()))
    finally:
        await db.close()


if __name__ == "__main__":
    run(service(), commands={"recount-tiers": recount_tiers})
