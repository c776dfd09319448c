"""Running numbers of a till that never came."""

from dataclasses import dataclass

import sqlalchemy as sa

from services.ingest.store import tables
from shared.db import Tx

LOOK_BACK = 100_000
"""Gaps are looked for in so many numbers before the highest: about two months of a busy till."""

STORES_MAX = 10
"""Most stores that are named where a till's id is not unique."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers that are missing, from ``first`` to ``last``."""

    first: int
    last: int


def _numbers(table: sa.Table, terminal_id: str, store_id: str) -> "sa.Select[tuple[int]]":
    return sa.select(table.c.terminal_seq.label("seq")).where(
        table.c.terminal_id == terminal_id,
        table.c.store_id == store_id,
        table.c.terminal_seq.is_not(None),
    )


async def list_gaps(
    tx: Tx, terminal_id: str, store_id: str, *, before: int | None, limit: int
) -> list[Gap]:
    """Return gaps below the number ``before``, the newest first.

    Receipts, returns, voids and amendments count alike: a till has one row of numbers.
    """
    numbers = sa.union_all(
        *(
            _numbers(table, terminal_id, store_id)
            for table in (tables.receipt, tables.receipt_change)
        )
    ).subquery("numbers")
    highest = sa.select(sa.func.max(numbers.c.seq)).scalar_subquery()
    recent = (
        sa.select(
            numbers.c.seq,
            sa.func.lag(numbers.c.seq).over(order_by=numbers.c.seq).label("previous"),
        )
        .where(numbers.c.seq >= highest - LOOK_BACK)
        .subquery("recent")
    )
    query = (
        sa.select(recent.c.previous + 1, recent.c.seq - 1)
        .where(recent.c.seq > recent.c.previous + 1)
        .order_by(recent.c.seq.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(recent.c.seq <= before)
    return [Gap(*row) for row in await tx.execute(query)]


async def load_stores(tx: Tx, terminal_id: str) -> list[str]:
    """Return the stores in which a till of this id has sent running numbers."""
    of_till = sa.select(tables.receipt.c.store_id).where(
        tables.receipt.c.terminal_id == terminal_id, tables.receipt.c.terminal_seq.is_not(None)
    )
    # From store to store by the index, however many receipts each has.
    found: list[str] = []
    while len(found) < STORES_MAX:
        query = of_till.order_by(tables.receipt.c.store_id).limit(1)
        if found:
            query = query.where(tables.receipt.c.store_id > found[-1])
        store_id: str | None = await tx.scalar(query)
        if store_id is None:
            break
        found.append(store_id)
    return found
