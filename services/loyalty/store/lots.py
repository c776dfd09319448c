"""Lots: points earned together, with one end."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.loyalty.domain.lots import Drawn, Lot
from services.loyalty.store.tables import account, lot
from shared.db import Tx, bulk

COLUMNS = ("member_id", "lot_id", "points", "remaining", "activates_at", "expires_at", "active",
           "expired", "passed", "inactive_months")  # fmt: skip
_ROWS = bulk.Rows("after", {name: lot.c[name].type for name in COLUMNS})
_UPDATE = (
    lot.update()
    .values({name: _ROWS.c[name] for name in COLUMNS[2:]})
    .where(lot.c.member_id == _ROWS.c.member_id, lot.c.lot_id == _ROWS.c.lot_id)
)


LOAD_LEFT = f"""
    SELECT {", ".join(COLUMNS)} FROM lot WHERE member_id = $1 AND remaining > 0
"""  # noqa: S608  constants


async def append_lots(tx: Tx, new: Iterable[tuple[Lot, Drawn]]) -> None:
    """Append lots."""
    rows = [as_row(*one) for one in new]
    if rows:
        await bulk.copy_rows(tx, lot, COLUMNS, rows)


async def update_lots(tx: Tx, changed: Iterable[tuple[Lot, Drawn]]) -> None:
    """Write what lots are worth now, and what is left of them."""
    rows = [as_row(*one) for one in changed]
    if rows:
        columns = zip(COLUMNS, zip(*rows, strict=True), strict=True)
        await tx.execute(_UPDATE, _ROWS.values({name: list(column) for name, column in columns}))


def as_row(one: Lot, drawn: Drawn) -> tuple[Any, ...]:
    """Return the values of ``COLUMNS``."""
    return (
        one.member_id,
        one.lot_id,
        one.points,
        drawn.remaining,
        one.activates_at,
        one.expires_at,
        drawn.active,
        drawn.expired,
        drawn.passed,
        one.inactive_months,
    )


def _lot(row: Any) -> Lot:  # noqa: ANN401  a row of ``lot``
    return Lot(
        row.member_id,
        row.lot_id,
        row.points,
        row.activates_at,
        row.expires_at,
        row.inactive_months,
    )


async def load_all(
    tx: Tx, member_ids: Collection[UUID]
) -> dict[UUID, dict[UUID, tuple[Lot, Drawn]]]:
    """Return every lot of those members, whose accounts are locked."""
    found: dict[UUID, dict[UUID, tuple[Lot, Drawn]]] = {one: {} for one in member_ids}
    rows = await tx.execute(
        sa.select(*(lot.c[name] for name in COLUMNS)).where(
            lot.c.member_id == sa.any_(bulk.array(sa.Uuid(), list(member_ids)))
        )
    )
    for row in rows:
        drawn = Drawn(row.active, row.remaining, row.expired, row.passed)
        found[row.member_id][row.lot_id] = _lot(row), drawn
    return found


async def load_left(tx: Tx, member_id: UUID) -> dict[UUID, tuple[Lot, Drawn]]:
    """Return a member's lots with something left; lock the account to keep them as they are."""
    connection = await bulk.driver(tx)
    left: dict[UUID, tuple[Lot, Drawn]] = {}
    for row in await connection.fetch(LOAD_LEFT, member_id):
        _, lot_id, points, remaining, begins, ends, active, expired, passed, months = row
        lot = Lot(member_id, lot_id, points, begins, ends, months)
        left[lot_id] = lot, Drawn(active, remaining, expired, passed)
    return left


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


async def list_lots(tx: Tx, member_id: UUID, *, limit: int) -> list[tuple[Lot, Drawn]]:
    """Return a member's lots with something left, the next to end first."""
    rows = await tx.execute(
        sa.select(lot)
        .where(lot.c.member_id == member_id, lot.c.remaining > 0)
        .order_by(lot.c.expires_at, lot.c.lot_id)
        .limit(limit)
    )
    return [(_lot(row), Drawn(row.active, row.remaining, row.expired, row.passed)) for row in rows]


async def next_expiry(tx: Tx, member_id: UUID, after: datetime) -> tuple[datetime, int] | None:
    """Return when a member's next available points end, and how many then."""
    row = (
        await tx.execute(
            sa.select(lot.c.expires_at, sa.func.sum(lot.c.remaining))
            .where(
                lot.c.member_id == member_id,
                lot.c.active,
                lot.c.remaining > 0,
                lot.c.expires_at > after,
            )
            .group_by(lot.c.expires_at)
            .order_by(lot.c.expires_at)
            .limit(1)
        )
    ).one_or_none()
    return (row[0], int(row[1])) if row else None


async def list_due(tx: Tx, now: datetime, *, limit: int) -> list[UUID]:
    """Return members of whom a lot begins or ends at ``now`` and is not posted so."""
    begins = sa.select(lot.c.member_id).where(
        ~lot.c.active, lot.c.remaining > 0, lot.c.activates_at <= now
    )
    ends = sa.select(lot.c.member_id).where(
        lot.c.active, lot.c.remaining > 0, lot.c.expires_at <= now
    )
    due = sa.union(begins.limit(limit), ends.limit(limit)).subquery()
    return list((await tx.scalars(sa.select(due.c.member_id).limit(limit))).all())


async def list_idle(tx: Tx, now: datetime, *, limit: int) -> Sequence[UUID]:
    """Return members of whom a lot may have ended by inactivity."""
    rows = await tx.scalars(
        sa.select(account.c.member_id).where(account.c.idle_at <= now).limit(limit)
    )
    return rows.all()
