"""Reads for screens and tills, and the sums of the audit."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.loyalty.domain import ladder
from services.loyalty.domain.becoming import ReceiptState
from services.loyalty.domain.programme import Programme
from services.loyalty.store.tables import account, entry, receipt
from shared.db import Tx


@dataclass(frozen=True, slots=True)
class Account:
    """A member's balances, and the time of the newest event in them."""

    available: int = 0
    pending: int = 0
    held: int = 0
    debt: int = 0
    last_event_at: datetime | None = None
    tier: str | None = None
    """As it was announced."""


async def load_account(tx: Tx, member_id: UUID) -> Account:
    """Return a member's balances; nothing of anything for one without an account."""
    columns = (account.c[field.name] for field in fields(Account))
    row = (
        await tx.execute(sa.select(*columns).where(account.c.member_id == member_id))
    ).one_or_none()
    return Account(*row) if row else Account()


async def list_entries(
    tx: Tx, member_id: UUID, *, before: int | None, limit: int
) -> "Sequence[sa.Row[Any]]":
    """Return a member's entries, newest first, from below version ``before``."""
    statement = sa.select(entry).where(entry.c.member_id == member_id)
    if before is not None:
        statement = statement.where(entry.c.version < before)
    rows = await tx.execute(statement.order_by(entry.c.version.desc()).limit(limit))
    return rows.all()


_RECEIPT = [
    receipt.c[name]
    for name in (
        "member_id", "revision", "posted", "qualifying_minor", "desired", "occurred_at",
        "begins_at", "approval", "programme_version", "returns",
    )
]  # fmt: skip


async def load_receipt(tx: Tx, receipt_id: UUID, programme: Programme) -> ReceiptState | None:
    """Return a receipt as it stands, without locking it; None where nobody knows it."""
    statement = sa.select(*_RECEIPT).where(receipt.c.receipt_id == receipt_id)
    row = (await tx.execute(statement)).one_or_none()
    if row is None:
        return None
    return ReceiptState(
        member_id=row.member_id,
        revision=row.revision,
        posted=row.posted,
        qualifying_minor=row.qualifying_minor,
        desired=row.desired,
        occurred_at=row.occurred_at,
        begins_at=row.begins_at,
        version=programme.by_name.get(row.programme_version),
        returns=ladder.read_returns(row.returns) if row.returns else (),
        approval=row.approval,
    )


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What adding up the whole ledger showed; every ``wrong_…`` must be 0."""

    causes: int
    entries: int
    wrong_hashes: int
    """Entries that do not follow from the one before: changed, dropped or put in between."""
    wrong_merges: int
    """Points that merges took from one member and gave to no other, or the other way round."""
    wrong_stock: int
    """Rewards whose stock counts more or fewer pieces as taken than holds have one."""
    wrong_approvals: int
    """Receipts that say something else than the staff decided on them, or that it decided."""
    accounts: int
    available: int
    """Points that members can spend, all together."""
    pending: int
    held: int
    debt: int
    wrong_balances: int
    """Members of whom an account differs from the sum of its entries."""
    wrong_heads: int
    """Members whose account has another version or hash than their last entry."""
    wrong_lots: int
    """Members whose lots do not add up to what is available and pending."""
    wrong_receipts: int
    """Members who have something else than was posted for their receipts, opening lots, awards
    and adjustments and came with members who were merged into them, less what they spent, hold
    and let end, and what went to another member so, but for what the programme bears."""

    @property
    def ok(self) -> bool:
        """Whether the books close."""
        return not (
            self.wrong_hashes
            or self.wrong_merges
            or self.wrong_balances
            or self.wrong_heads
            or self.wrong_lots
            or self.wrong_receipts
            or self.wrong_stock
            or self.wrong_approvals
        )


AUDIT_TIMEOUT_MS = 1_800_000
"""For one pass over a ledger of years; the job holds no locks meanwhile."""

_LINKED = r"""(
    SELECT *, lag(hash, 1, ''::bytea) OVER chain AS before, row_number() OVER chain AS place
    FROM entry WINDOW chain AS (PARTITION BY member_id ORDER BY version)
) AS linked"""
_BREAKS = r"""(hash <> sha256(before || convert_to(concat(
    member_id, '|', version, '|', cause_id, '|', from_account, '|', to_account, '|',
    points, '|', available_after, '|', receipt_id, '|', programme_version, '|',
    (extract(epoch FROM occurred_at) * 1000000)::bigint, '|', explain
), 'UTF8')) OR version <> place)"""

AUDIT_ENTRIES = sa.text(f"""
    SELECT count(DISTINCT cause_id), count(*), count(*) FILTER (WHERE {_BREAKS}),
        abs(coalesce(sum(points) FILTER (WHERE to_account = 'merged'), 0)
            - coalesce(sum(points) FILTER (WHERE from_account = 'merged'), 0))::bigint
    FROM {_LINKED}
""")  # noqa: S608  constants

BROKEN = sa.text(f"""
    SELECT member_id, min(version) FROM (
        SELECT member_id, version FROM {_LINKED} WHERE {_BREAKS}
        UNION ALL
        SELECT member_id, greatest(account.version, head.version)
        FROM account FULL JOIN (
            SELECT DISTINCT ON (member_id) member_id, version, hash
            FROM entry ORDER BY member_id, version DESC
        ) AS head USING (member_id)
        WHERE coalesce(head.version, 0) <> coalesce(account.version, 0)
            OR coalesce(head.hash, '') <> coalesce(account.hash, '')
    ) AS found GROUP BY member_id ORDER BY member_id LIMIT :limit
""")  # noqa: S608  constants

AUDIT_ACCOUNTS = sa.text("""
    WITH booked AS (
        SELECT member_id,
            coalesce(sum(points) FILTER (WHERE account = 'available'), 0) AS available,
            coalesce(sum(points) FILTER (WHERE account = 'pending'), 0) AS pending,
            coalesce(sum(points) FILTER (WHERE account = 'held'), 0) AS held,
            -coalesce(sum(points) FILTER (WHERE account = 'debt'), 0) AS debt,
            -coalesce(sum(points) FILTER (WHERE account = 'loss'), 0) AS lost
        FROM entry_leg WHERE member_id IS NOT NULL GROUP BY member_id
    ), head AS (
        SELECT DISTINCT ON (member_id) member_id, version, hash, available_after
        FROM entry ORDER BY member_id, version DESC
    ), lots AS (
        SELECT member_id, sum(remaining) FILTER (WHERE active) AS available,
            sum(remaining) FILTER (WHERE NOT active) AS pending, sum(expired + passed) AS gone
        FROM lot GROUP BY member_id
    ), brought AS (
        SELECT member_id, sum(points) AS points FROM (
            SELECT member_id, posted AS points FROM receipt WHERE member_id IS NOT NULL
            UNION ALL
            SELECT member_id, points FROM opening_lot
            UNION ALL
            SELECT member_id, points FROM adjustment WHERE state = 'posted' AND points > 0
            UNION ALL
            SELECT member_id, points FROM award
            UNION ALL
            SELECT into_id, passed FROM merge JOIN lot USING (member_id) WHERE undone_at IS NULL
            UNION ALL
            -- A debt that passed is a spend of the merge's id.
            SELECT merge.member_id, taken FROM merge JOIN spend ON spend_id = merge_id
        ) AS facts GROUP BY member_id
    ), taken AS (
        SELECT member_id, sum(taken) AS points, sum(taken) FILTER (WHERE state = 'held') AS held
        FROM spend GROUP BY member_id
    )
    SELECT count(account.member_id), coalesce(sum(account.available), 0)::bigint,
        coalesce(sum(account.pending), 0)::bigint, coalesce(sum(account.held), 0)::bigint,
        coalesce(sum(account.debt), 0)::bigint,
        count(*) FILTER (WHERE coalesce(booked.available, 0) <> coalesce(account.available, 0)
            OR coalesce(booked.pending, 0) <> coalesce(account.pending, 0)
            OR coalesce(booked.held, 0) <> coalesce(account.held, 0)
            OR coalesce(booked.debt, 0) <> coalesce(account.debt, 0)
            OR coalesce(booked.lost, 0) <> coalesce(account.lost, 0)
            OR coalesce(head.available_after, 0) <> coalesce(account.available, 0)
            OR coalesce(taken.held, 0) <> coalesce(account.held, 0)),
        count(*) FILTER (WHERE coalesce(head.version, 0) <> coalesce(account.version, 0)
            OR coalesce(head.hash, '') <> coalesce(account.hash, '')),
        count(*) FILTER (WHERE coalesce(lots.available, 0) <> coalesce(account.available, 0)
            OR coalesce(lots.pending, 0) <> coalesce(account.pending, 0)),
        count(*) FILTER (WHERE coalesce(brought.points, 0)
            - coalesce(taken.points, 0) - coalesce(lots.gone, 0) + coalesce(account.lost, 0)
            <> coalesce(account.available, 0) + coalesce(account.pending, 0)
            - coalesce(account.debt, 0))
    FROM account
    FULL JOIN booked USING (member_id)
    FULL JOIN head USING (member_id)
    FULL JOIN lots USING (member_id)
    FULL JOIN brought USING (member_id)
    FULL JOIN taken USING (member_id)
""")


AUDIT_STOCK = sa.text("""
    WITH granted AS (
        SELECT reward_id, count(*) AS taken FROM spend
        WHERE reward_id IS NOT NULL AND taken > 0 GROUP BY reward_id
    )
    SELECT count(*) FROM reward_stock FULL JOIN granted USING (reward_id)
    WHERE coalesce(reward_stock.taken, 0) <> coalesce(granted.taken, 0)
""")


AUDIT_APPROVALS = sa.text("""
    SELECT count(*) FROM approval
    FULL JOIN (
        SELECT receipt_id, approval, approved_at FROM receipt
        WHERE approval IN ('approved', 'rejected')
    ) AS said USING (receipt_id)
    WHERE verdict IS DISTINCT FROM said.approval
        OR approved_at IS DISTINCT FROM CASE verdict WHEN 'approved' THEN decided_at END
""")


async def audit(tx: Tx) -> AuditReport:
    """Add up everything: entries against one another, and accounts against the rest."""
    await tx.execute(sa.text(f"SET LOCAL statement_timeout = {AUDIT_TIMEOUT_MS}"))
    causes, entries, wrong_hashes, wrong_merges = (await tx.execute(AUDIT_ENTRIES)).one()
    wrong_stock = await tx.scalar(AUDIT_STOCK) or 0
    wrong_approvals = await tx.scalar(AUDIT_APPROVALS) or 0
    accounts = (await tx.execute(AUDIT_ACCOUNTS)).one()
    return AuditReport(
        causes, entries, wrong_hashes, wrong_merges, wrong_stock, wrong_approvals, *accounts
    )


async def list_broken(tx: Tx, limit: int) -> list[tuple[UUID, int]]:
    """Return members whose chain does not hold, and the first entry at which it breaks.

    It is the one after the last that there is where an end was cut off.
    """
    await tx.execute(sa.text(f"SET LOCAL statement_timeout = {AUDIT_TIMEOUT_MS}"))
    rows = await tx.execute(BROKEN, {"limit": limit})
    return [(member_id, version) for member_id, version in rows]
