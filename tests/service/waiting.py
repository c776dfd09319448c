"""Meeting points for two transactions."""

import asyncio

import sqlalchemy as sa

from shared.db import Database

DEADLINE_S = 10.0
_WAITING = sa.text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


async def until_one_waits(db: Database) -> None:
    """Return once a transaction of this database waits for a lock; fails after ``DEADLINE_S``."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            async with db.transaction() as tx:
                if await tx.scalar(_WAITING):
                    return
            await asyncio.sleep(0.01)
