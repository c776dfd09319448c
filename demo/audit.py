"""The audit: what the driver was told against what Postgres holds, by plain SQL.

It asks the services nothing. Each finding is a claim with the number that has to come out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import sqlalchemy as sa

from shared.db import Database, Tx
from shared.db.retry import run_unit

Databases = Mapping[str, Database]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the audit."""

    claim: str
    expected: int
    found: int

    @property
    def holds(self) -> bool:
        """Whether the claim is true."""
        return self.expected == self.found


@dataclass(frozen=True, slots=True)
class Driver:
    """What the driver was answered: receipts and returns by event id, and the money in them."""

    planned: int
    """Calls that the plan had: sales and returns."""
    sales: Mapping[UUID, UUID]
    """Event id → receipt id."""
    returns: frozenset[UUID]
    """Event ids."""
    net_minor: int
    """Sum of the sales less what was returned."""


@dataclass(frozen=True, slots=True)
class Owned:
    """A receipt that belongs to a member, at its current revision."""

    receipt_id: UUID
    member_id: UUID
    revision: int


async def run(databases: Databases, driver: Driver) -> list[Finding]:
    """Return all findings; the audit has passed if all hold."""
    found = await run_unit(databases["ingest"], partial(_recorded, driver=driver))
    owned = await run_unit(databases["ingest"], _owned)
    for service in ("loyalty", "offers"):
        differ = len(owned ^ await run_unit(databases[service], _owned))
        found.append(Finding(f"Receipts on which {service} and ingest differ", 0, differ))
    found += await run_unit(databases["loyalty"], _books)
    open_letters = "SELECT count(*) FROM dead_letter WHERE closed_at IS NULL"
    unpublished = "SELECT count(*) FROM outbox WHERE published_at IS NULL"
    found.append(await _anywhere(databases, "Dead letters in any service", open_letters))
    found.append(await _anywhere(databases, "Events that were never published", unpublished))
    return found


def mails(*, sent: int, caught: int, to_others: int) -> list[Finding]:
    """Return what the mail catcher says; ``to_others`` counts addresses that never agreed."""
    return [
        Finding("E-mails sent, and caught", sent, caught),
        Finding("E-mail addresses that had not agreed", 0, to_others),
    ]


async def _count(tx: Tx, query: str, **values: object) -> int:
    result: int | None = await tx.scalar(sa.text(query), values)
    return int(result or 0)


async def _recorded(tx: Tx, driver: Driver) -> list[Finding]:
    """Lost, double, changed: every yes that the driver was given against ingest's rows."""
    told = list(driver.sales)
    answered = len(told) + len(driver.returns)
    rows = await tx.execute(
        sa.text("SELECT event_id, receipt_id FROM receipt WHERE event_id = ANY(:told)"),
        {"told": told},
    )
    stored = {(row[0], row[1]) for row in rows}
    lost = len(driver.sales.items() - stored)
    twice = await _count(
        tx,
        """
        SELECT count(*) FROM (
            SELECT 1 FROM receipt
            GROUP BY store_id, terminal_id, recorded::json->>'business_date',
                recorded::json->>'receipt_no'
            HAVING count(*) > 1
        ) AS twice
        """,
    )
    returned = await _count(
        tx,
        "SELECT count(*) FROM receipt_change WHERE change_id = ANY(:told) AND state = 'applied'",
        told=list(driver.returns),
    )
    money = await _count(
        tx,
        "SELECT sum((coalesce(state, recorded)::json->>'total_minor')::bigint)"
        " FROM receipt WHERE event_id = ANY(:told)",
        told=told,
    )
    return [
        Finding("Receipts and returns that got a yes", driver.planned, answered),
        Finding("Receipts of these that are lost", 0, lost),
        Finding("Receipts recorded twice", 0, twice),
        Finding("Returns of these that were applied", len(driver.returns), returned),
        Finding("Cents in these receipts, net of returns", driver.net_minor, money),
    ]


async def _owned(tx: Tx) -> set[Owned]:
    rows = await tx.execute(
        sa.text("SELECT receipt_id, member_id, revision FROM receipt WHERE member_id IS NOT NULL")
    )
    return {Owned(*row) for row in rows}


async def _books(tx: Tx) -> list[Finding]:
    """Double entry: what went in somewhere came out somewhere else, to the point."""
    unbalanced = await _count(
        tx,
        "SELECT count(*) FROM (SELECT 1 FROM entry_leg GROUP BY cause_id"
        " HAVING sum(points) <> 0) AS unbalanced",
    )
    adrift = await _count(
        tx,
        """
        SELECT count(*) FROM account FULL JOIN (
            SELECT member_id, sum(points) AS points
            FROM entry_leg WHERE account = 'available' GROUP BY member_id
        ) AS booked USING (member_id)
        WHERE coalesce(account.available, 0) <> coalesce(booked.points, 0)
        """,
    )
    programme = await _count(tx, "SELECT sum(points) FROM entry_leg WHERE account = 'issued'")
    members = await _count(tx, "SELECT sum(available) FROM account")
    misbooked = await _count(
        tx,
        """
        SELECT count(*) FROM receipt FULL JOIN (
            SELECT receipt_id,
                sum(CASE to_account WHEN 'available' THEN points ELSE -points END) AS points
            FROM entry WHERE receipt_id IS NOT NULL GROUP BY receipt_id
        ) AS booked USING (receipt_id)
        WHERE coalesce(receipt.posted, 0) <> coalesce(booked.points, 0)
        """,
    )
    return [
        Finding("Ledger events that do not sum to zero", 0, unbalanced),
        Finding("Balances that are not their entries' sum", 0, adrift),
        Finding("Programme's plus members' points", 0, programme + members),
        Finding("Receipts booked at other than their worth", 0, misbooked),
    ]


async def _anywhere(databases: Databases, claim: str, query: str) -> Finding:
    """Count in every database; the claim names those that have any."""
    counts: dict[str, int] = {}
    for service, database in databases.items():
        counts[service] = await run_unit(database, partial(_count, query=query))
    where = ", ".join(f"{service} {count}" for service, count in counts.items() if count)
    return Finding(f"{claim}: {where}" if where else claim, 0, sum(counts.values()))
