"""The driver's own log against Postgres: 0 lost, 0 double, balanced books."""

import asyncio
from collections.abc import Sequence
from time import monotonic
from uuid import UUID

import sqlalchemy as sa

from demo import audit
from demo.stack import Clients
from tests.faults.driver import Driver
from tests.rig import until

SETTLE_S = 240.0
QUIET_S = 60.0
DEAD_LETTERS = "Dead letters in "
CONSUMERS = ("loyalty", "offers")
"""Who consumes purchases."""


async def holds(clients: Clients, driver: Driver, *, dead_letters: int = 0) -> None:
    """Wait for quiet, then assert every finding of the audit.

    ``dead_letters``: how many the test itself planted for each consumer of ``purchases``.
    """
    await until(lambda: _settled(clients, driver), SETTLE_S)
    # What notify still sends moves on for a moment; what is lost or double never heals.
    give_up_at = monotonic() + QUIET_S
    while broken := await _broken(clients, driver, dead_letters):
        assert monotonic() < give_up_at, broken
        await asyncio.sleep(0.5)
    assert await _double(clients) == 0


async def _broken(clients: Clients, driver: Driver, dead_letters: int) -> list[audit.Finding]:
    told = audit.Driver(
        planned=len(driver.sales),
        sales=driver.sales,
        returns=frozenset(),
        net_minor=driver.net_minor,
    )
    return [
        finding
        for finding in await audit.run(clients.databases, told)
        if not finding.holds and not _planted(finding, dead_letters)
    ]


def _planted(finding: audit.Finding, dead_letters: int) -> bool:
    expected = dead_letters * len(CONSUMERS)
    return finding.claim.startswith(DEAD_LETTERS) and finding.found == expected


async def applied(clients: Clients, service: str, receipts: list[UUID]) -> bool:
    """Whether ``service`` has each of ``receipts``."""
    query = "SELECT count(*) FROM receipt WHERE receipt_id = ANY(:of)"
    return await _count(clients, service, query, receipts) == len(receipts)


async def letters(clients: Clients, service: str, expected: int) -> bool:
    """Whether ``service`` has that many open dead letters."""
    query = "SELECT count(*) FROM dead_letter WHERE closed_at IS NULL"
    return await _count(clients, service, query) == expected


async def open_letters(clients: Clients, service: str) -> list[UUID]:
    """Return the ids of the open dead letters."""
    async with clients.databases[service].transaction() as tx:
        rows = await tx.execute(sa.text("SELECT id FROM dead_letter WHERE closed_at IS NULL"))
        return [row[0] for row in rows]


async def books(clients: Clients) -> dict[UUID, tuple[int, int]]:
    """Return each member's balance and version: what a replay must not move."""
    async with clients.databases["loyalty"].transaction() as tx:
        rows = await tx.execute(sa.text("SELECT member_id, available, version FROM account"))
        return {row[0]: (row[1], row[2]) for row in rows}


async def _settled(clients: Clients, driver: Driver) -> bool:
    """Whether each answered receipt has reached loyalty and offers, and all is published."""
    receipts = list(driver.sales.values())
    for service in CONSUMERS:
        if not await applied(clients, service, receipts):
            return False
    for service in clients.databases:
        if await _count(clients, service, "SELECT count(*) FROM outbox WHERE published_at IS NULL"):
            return False
    return True


async def _double(clients: Clients) -> int:
    """Count ledger events of one cause and receipt that were posted more than once."""
    return await _count(
        clients,
        "loyalty",
        "SELECT count(*) FROM (SELECT 1 FROM entry"
        " GROUP BY cause_id, member_id, receipt_id HAVING count(*) > 1) AS twice",
    )


async def _count(
    clients: Clients, service: str, query: str, of: Sequence[UUID] | None = None
) -> int:
    async with clients.databases[service].transaction() as tx:
        values = {} if of is None else {"of": list(of)}
        return int(await tx.scalar(sa.text(query), values) or 0)
