"""Lots: points earned together, with one expiry."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from services.loyalty.domain.fold import Lot
from services.loyalty.store.tables import lot
from shared.db import Tx, bulk

COLUMNS = ("member_id", "lot_id", "points", "remaining", "activates_at", "expires_at")


async def append_lots(tx: Tx, lots: Iterable[Lot]) -> None:
    """Append lots of receipts that had none."""
    rows = [
        (new.member_id, new.lot_id, new.points, new.points, new.activates_at, new.expires_at)
        for new in lots
    ]
    if rows:
        await bulk.copy_rows(tx, lot, COLUMNS, rows)


async def update_lots(tx: Tx, lots: Sequence[Lot]) -> None:
    """Bring lots to what their receipts are now worth."""
    if not lots:
        return
    instant = sa.DateTime(timezone=True)
    rows = bulk.unnest(
        "after",
        {
            "member_id": (sa.Uuid(), [changed.member_id for changed in lots]),
            "lot_id": (sa.Uuid(), [changed.lot_id for changed in lots]),
            "points": (sa.BigInteger(), [changed.points for changed in lots]),
            "activates_at": (instant, [changed.activates_at for changed in lots]),
            "expires_at": (instant, [changed.expires_at for changed in lots]),
        },
    )
    await tx.execute(
        lot.update()
        .values(
            points=rows.c.points,
            remaining=lot.c.remaining + rows.c.points - lot.c.points,
            activates_at=rows.c.activates_at,
            expires_at=rows.c.expires_at,
        )
        .where(lot.c.member_id == rows.c.member_id, lot.c.lot_id == rows.c.lot_id)
    )


async def delete_lots(tx: Tx, keys: Sequence[tuple[UUID, UUID]]) -> None:
    """Delete the lots of receipts that are worth nothing any more, or moved to another member."""
    if not keys:
        return
    gone = bulk.unnest(
        "gone",
        {
            "member_id": (sa.Uuid(), [member_id for member_id, _ in keys]),
            "lot_id": (sa.Uuid(), [lot_id for _, lot_id in keys]),
        },
    )
    await tx.execute(
        lot.delete().where(lot.c.member_id == gone.c.member_id, lot.c.lot_id == gone.c.lot_id)
    )


async def list_lots(tx: Tx, member_id: UUID, *, limit: int) -> list[Lot]:
    """Return what is left of a member's lots, the next to expire first."""
    rows = await tx.execute(
        sa.select(lot)
        .where(lot.c.member_id == member_id, lot.c.remaining > 0)
        .order_by(lot.c.expires_at, lot.c.lot_id)
        .limit(limit)
    )
    return [
        Lot(row.member_id, row.lot_id, row.remaining, row.activates_at, row.expires_at)
        for row in rows
    ]


async def next_expiry(tx: Tx, member_id: UUID, after: datetime) -> tuple[datetime, int] | None:
    """Return when a member's next points expire, and how many then."""
    row = (
        await tx.execute(
            sa.select(lot.c.expires_at, sa.func.sum(lot.c.remaining))
            .where(lot.c.member_id == member_id, lot.c.remaining > 0, lot.c.expires_at > after)
            .group_by(lot.c.expires_at)
            .order_by(lot.c.expires_at)
            .limit(1)
        )
    ).one_or_none()
    return (row[0], int(row[1])) if row else None
