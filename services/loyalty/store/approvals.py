"""Approvals: which receipts wait for the staff, and what was decided."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from services.loyalty.domain.approvals import Decision, Waiting
from services.loyalty.store.tables import METADATA, receipt
from shared.db import Tx

approval = sa.Table(
    "approval",
    METADATA,
    sa.Column("receipt_id", sa.Uuid, primary_key=True),
    sa.Column("member_id", sa.Uuid, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("points", sa.BigInteger, nullable=False),
    sa.Column("decided_by", sa.Text, nullable=False),
    sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("verdict IN ('approved', 'rejected')", name="approval_verdict"),
)
"""What was decided on receipts that waited; append-only. The row of ``receipt`` repeats it."""
sa.Index("approval_member", approval.c.member_id)

_PLACE = sa.tuple_(receipt.c.occurred_at, receipt.c.receipt_id)


async def load(tx: Tx, receipt_id: UUID) -> Decision | None:
    """Return what was decided on a receipt; lock its row to keep that so."""
    columns = [approval.c[field.name] for field in fields(Decision)]
    rows = await tx.execute(sa.select(*columns).where(approval.c.receipt_id == receipt_id))
    row = rows.one_or_none()
    return Decision(*row) if row else None


async def append(tx: Tx, decision: Decision) -> None:
    """Insert one."""
    await tx.execute(approval.insert().values(asdict(decision)))


async def list_waiting(
    tx: Tx, *, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[Waiting]:
    """Return the receipts that wait, the earliest sale first, from behind ``after``."""
    statement = (
        sa.select(
            receipt.c.receipt_id,
            receipt.c.member_id,
            receipt.c.posted,
            receipt.c.occurred_at,
            receipt.c.store_id,
        )
        .where(receipt.c.approval == sa.literal_column("'waiting'"))
        .order_by(receipt.c.occurred_at, receipt.c.receipt_id)
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(sa.tuple_(*after) < _PLACE)
    return [Waiting(*row) for row in await tx.execute(statement)]
