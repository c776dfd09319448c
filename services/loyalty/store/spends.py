"""Holds and what became of them."""

from collections.abc import Collection, Iterable
from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from uuid import UUID

import sqlalchemy as sa

from services.loyalty.domain.spending import Spend
from services.loyalty.store.tables import spend
from shared.db import Tx, bulk

COLUMNS = tuple(field.name for field in fields(Spend))
as_row = attrgetter(*COLUMNS)
"""Of a spend, the values of ``COLUMNS``."""
_ROWS = bulk.Rows("after", {name: spend.c[name].type for name in COLUMNS})
_UPDATE = (
    spend.update()
    .values({name: _ROWS.c[name] for name in COLUMNS[1:]})
    .where(spend.c.spend_id == _ROWS.c.spend_id)
)
_SELECT = sa.select(*(spend.c[name] for name in COLUMNS))
LOAD = f"SELECT {', '.join(COLUMNS)} FROM spend WHERE spend_id = $1"  # noqa: S608  constants


async def load_one(tx: Tx, spend_id: UUID) -> Spend | None:
    """Return one that there is; lock its member's account to keep it as it is."""
    row = await (await bulk.driver(tx)).fetchrow(LOAD, spend_id)
    return Spend(*row) if row else None


async def load(tx: Tx, spend_ids: Collection[UUID]) -> dict[UUID, Spend]:
    """Return those that there are; lock their members' accounts to keep them as they are."""
    return await _load(tx, spend.c.spend_id == sa.any_(bulk.array(sa.Uuid(), list(spend_ids))))


async def load_captured(tx: Tx, receipt_ids: Collection[UUID]) -> dict[UUID, Spend]:
    """Return what those purchases captured."""
    return await _load(tx, spend.c.receipt_id == sa.any_(bulk.array(sa.Uuid(), list(receipt_ids))))


async def load_taking(tx: Tx, member_ids: Collection[UUID]) -> dict[UUID, Spend]:
    """Return all that takes something from the lots of those members."""
    ids = bulk.array(sa.Uuid(), list(member_ids))
    return await _load(tx, (spend.c.member_id == sa.any_(ids)) & (spend.c.taken > 0))


async def load_rewards(tx: Tx, member_id: UUID, reward_id: str | None = None) -> list[Spend]:
    """Return what a member has taken of rewards, or of one, and not given back; newest first."""
    wanted = spend.c.reward_id.is_not(None) if reward_id is None else spend.c.reward_id == reward_id
    rows = await tx.execute(
        _SELECT.where(spend.c.member_id == member_id, spend.c.taken > 0, wanted).order_by(
            spend.c.at.desc(), spend.c.spend_id.desc()
        )
    )
    return [Spend(*row) for row in rows]


async def list_over(tx: Tx, now: datetime, *, limit: int) -> list[Spend]:
    """Return open holds whose time is over, the oldest first."""
    rows = await tx.execute(
        _SELECT.where(spend.c.state == "held", spend.c.expires_at <= now)
        .order_by(spend.c.expires_at)
        .limit(limit)
    )
    return [Spend(*row) for row in rows]


async def count_over(tx: Tx, since: datetime) -> int:
    """Return how many open holds should have ended by ``since``."""
    over = (spend.c.state == "held") & (spend.c.expires_at <= since)
    return await tx.scalar(sa.select(sa.func.count()).select_from(spend).where(over)) or 0


async def _load(tx: Tx, condition: "sa.ColumnElement[bool]") -> dict[UUID, Spend]:
    return {row.spend_id: Spend(*row) for row in await tx.execute(_SELECT.where(condition))}


async def write(tx: Tx, new: Iterable[Spend], changed: Iterable[Spend]) -> None:
    """Insert and write over."""
    if rows := [as_row(one) for one in new]:
        await bulk.copy_rows(tx, spend, COLUMNS, rows)
    if rows := [as_row(one) for one in changed]:
        columns = zip(COLUMNS, zip(*rows, strict=True), strict=True)
        await tx.execute(_UPDATE, _ROWS.values({name: list(column) for name, column in columns}))
