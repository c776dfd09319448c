"""Adjustments: what was asked for by hand, and what became of it."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from services.loyalty.domain.adjustments import Adjustment, State
from services.loyalty.store.tables import adjustment
from shared.db import Tx

_SELECT = sa.select(*(adjustment.c[field.name] for field in fields(Adjustment)))


async def load(tx: Tx, adjustment_id: UUID) -> Adjustment | None:
    """Return one; lock its member's account to keep it as it is."""
    rows = await tx.execute(_SELECT.where(adjustment.c.adjustment_id == adjustment_id))
    row = rows.one_or_none()
    return Adjustment(*row) if row else None


async def list_adjustments(
    tx: Tx, state: State | None, *, after: UUID | None, limit: int
) -> Sequence[Adjustment]:
    """Return them in the order in which they were asked for, from behind ``after``."""
    statement = _SELECT.order_by(adjustment.c.adjustment_id).limit(limit)
    if state is not None:
        statement = statement.where(adjustment.c.state == state)
    if after is not None:
        statement = statement.where(adjustment.c.adjustment_id > after)
    return [Adjustment(*row) for row in await tx.execute(statement)]


async def sum_alone(tx: Tx, member_id: UUID, asked_by: str, *, since: datetime) -> int:
    """Return how many points a key has given to, and taken from, a member without a second one."""
    total = await tx.scalar(
        sa.select(sa.func.coalesce(sa.func.sum(sa.func.abs(adjustment.c.points)), 0)).where(
            adjustment.c.member_id == member_id,
            adjustment.c.asked_by == asked_by,
            adjustment.c.state == "posted",
            adjustment.c.decided_by.is_(None),
            adjustment.c.asked_at > since,
        )
    )
    return int(total or 0)


async def append(tx: Tx, new: Adjustment) -> None:
    """Insert one."""
    await tx.execute(adjustment.insert().values(asdict(new)))


async def decide(tx: Tx, decided: Adjustment) -> None:
    """Write what was decided."""
    await tx.execute(
        adjustment.update()
        .values(
            state=decided.state,
            expires_at=decided.expires_at,
            decided_by=decided.decided_by,
            decided_at=decided.decided_at,
        )
        .where(
            adjustment.c.adjustment_id == decided.adjustment_id,
            adjustment.c.state == "pending_approval",
        )
    )


async def erase_notes(tx: Tx, member_id: UUID) -> None:
    """Delete what was written about a member."""
    await tx.execute(
        adjustment.update()
        .values(note=None)
        .where(adjustment.c.member_id == member_id, adjustment.c.note.is_not(None))
    )
