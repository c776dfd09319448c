"""Reads for screens and tills, and the sums of the audit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.loyalty.store.tables import (
    AVAILABLE,
    account,
    entry,
    lot,
    qualifying_spend,
    receipt,
)
from shared.db import Tx


async def load_account(tx: Tx, member_id: UUID) -> tuple[int, datetime | None]:
    """Return the points available and the time of the newest event in them."""
    row = (
        await tx.execute(
            sa.select(account.c.balance, account.c.last_event_at).where(
                account.c.member_id == member_id, account.c.kind == AVAILABLE
            )
        )
    ).one_or_none()
    return (row.balance, row.last_event_at) if row else (0, None)


async def load_spend(tx: Tx, member_id: UUID) -> dict[int, int]:
    """Return a member's qualifying net spend by year."""
    rows = await tx.execute(
        sa.select(qualifying_spend.c.year, qualifying_spend.c.amount_minor).where(
            qualifying_spend.c.member_id == member_id
        )
    )
    return {row.year: row.amount_minor for row in rows}


async def list_entries(
    tx: Tx, member_id: UUID, *, before: int | None, limit: int
) -> "Sequence[sa.Row[Any]]":
    """Return a member's entries, newest first, from below account version ``before``."""
    statement = sa.select(entry).where(entry.c.member_id == member_id, entry.c.account == AVAILABLE)
    if before is not None:
        statement = statement.where(entry.c.account_version < before)
    rows = await tx.execute(statement.order_by(entry.c.account_version.desc()).limit(limit))
    return rows.all()


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What adding up the whole ledger showed; every ``wrong_…`` must be 0."""

    causes: int
    entries: int
    points_issued: int
    accounts: int
    wrong_sums: int
    """Causes whose entries do not sum to zero."""
    wrong_balances: int
    """Accounts that differ from the sum of their entries."""
    wrong_chains: int
    """Accounts whose versions have a gap, or whose last balance is not the account's."""
    wrong_lots: int
    """Members whose lots do not add up to what they have."""
    wrong_receipts: int
    """Members for whose receipts something else was posted than they have."""

    @property
    def ok(self) -> bool:
        """Whether the books close."""
        return not (
            self.wrong_sums
            or self.wrong_balances
            or self.wrong_chains
            or self.wrong_lots
            or self.wrong_receipts
        )


async def audit(tx: Tx) -> AuditReport:
    """Add up everything; one pass over each table, in one snapshot if ``tx`` has one."""
    by_cause = (
        sa.select(sa.func.sum(entry.c.points).label("total"), sa.func.count().label("entries"))
        .group_by(entry.c.cause_id)
        .subquery()
    )
    causes = (
        await tx.execute(
            sa.select(
                sa.func.count(),
                sa.func.coalesce(sa.func.sum(by_cause.c.entries), 0),
                sa.func.count().filter(by_cause.c.total != 0),
            ).select_from(by_cause)
        )
    ).one()
    balances = await _accounts(tx)
    issued = await tx.scalar(
        sa.select(sa.func.coalesce(sa.func.sum(entry.c.points), 0)).where(
            entry.c.account == AVAILABLE
        )
    )
    return AuditReport(
        causes=causes[0],
        entries=int(causes[1]),
        wrong_sums=causes[2],
        points_issued=int(issued or 0),
        accounts=balances[0],
        wrong_balances=balances[1],
        wrong_chains=balances[2],
        wrong_lots=balances[3],
        wrong_receipts=balances[4],
    )


async def _accounts(tx: Tx) -> list[int]:
    """Return how many accounts there are, and how many are wrong in each of four ways."""
    entries = (
        sa.select(
            entry.c.member_id,
            sa.func.sum(entry.c.points).label("points"),
            sa.func.count().label("entries"),
            sa.func.max(entry.c.account_version).label("version"),
        )
        .where(entry.c.account == AVAILABLE)
        .group_by(entry.c.member_id)
        .subquery()
    )
    lots = _sum_by_member(lot.c.member_id, lot.c.remaining)
    receipts = _sum_by_member(receipt.c.member_id, receipt.c.posted)
    members = account.outerjoin(entries, entries.c.member_id == account.c.member_id)
    members = members.outerjoin(lots, lots.c.member_id == account.c.member_id)
    members = members.outerjoin(receipts, receipts.c.member_id == account.c.member_id)
    orphans = sa.select(sa.func.count()).where(
        ~sa.exists().where(account.c.member_id == entries.c.member_id, account.c.kind == AVAILABLE)
    )

    def differs(points: "sa.ColumnElement[Any]") -> "sa.ColumnElement[Any]":
        return sa.func.count().filter(sa.func.coalesce(points, 0) != account.c.balance)

    versions = sa.func.coalesce(entries.c.version, 0)
    row = (
        await tx.execute(
            sa.select(
                sa.func.count(),
                differs(entries.c.points) + orphans.select_from(entries).scalar_subquery(),
                sa.func.count().filter(
                    sa.or_(
                        versions != account.c.version,
                        sa.func.coalesce(entries.c.entries, 0) != account.c.version,
                    )
                ),
                differs(lots.c.points),
                differs(receipts.c.points),
            )
            .select_from(members)
            .where(account.c.kind == AVAILABLE)
        )
    ).one()
    return [int(number) for number in row]


def _sum_by_member(member_id: "sa.Column[Any]", points: "sa.Column[Any]") -> "sa.Subquery":
    return (
        sa.select(member_id.label("member_id"), sa.func.sum(points).label("points"))
        .where(member_id.is_not(None))
        .group_by(member_id)
        .subquery()
    )
