"""What happened to sales after them: written once; withheld until the sale is known."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from services.ingest.domain import Change
from services.ingest.store import reviews, tables
from shared.db import Tx, bulk

receipt_change = tables.receipt_change


@dataclass(frozen=True, slots=True)
class StoredChange:
    """A change, and what became of it."""

    change: Change
    state: str
    published_event_id: UUID | None
    refusal: str | None


@dataclass(frozen=True, slots=True)
class History:
    """What of a sale's past decides on its next change."""

    voided: bool = False
    amendment: int = 1
    """The highest correction that counts; 1 is the sale itself."""
    corrected: str | None = None
    """The facts of that correction."""


_CHANGE = tuple(Change.__dataclass_fields__)
_COLUMNS = [receipt_change.c[name] for name in _CHANGE] + [
    receipt_change.c.state,
    receipt_change.c.published_event_id,
    receipt_change.c.refusal,
]


def _stored(row: Any) -> StoredChange:  # noqa: ANN401  a row of _COLUMNS
    fields = tuple(row)
    return StoredChange(Change(*fields[: len(_CHANGE)]), *fields[len(_CHANGE) :])


async def insert(tx: Tx, new: Change, *, state: str) -> bool:
    """Insert a change unless its natural key is taken; return whether it was new."""
    values = {name: getattr(new, name) for name in _CHANGE} | {"state": state}
    statement = postgresql.insert(receipt_change).values(values).on_conflict_do_nothing()
    inserted = await tx.execute(statement.returning(receipt_change.c.change_id))
    return inserted.one_or_none() is not None


async def load(tx: Tx, change_id: UUID) -> StoredChange | None:
    """Return one change."""
    query = sa.select(*_COLUMNS).where(receipt_change.c.change_id == change_id)
    row = (await tx.execute(query)).one_or_none()
    return _stored(row) if row else None


async def load_history(tx: Tx, sale_ids: Collection[UUID]) -> dict[UUID, History]:
    """Return the past of sales that have one; the caller has locked them."""
    query = (
        sa.select(
            receipt_change.c.sale_id,
            receipt_change.c.kind,
            receipt_change.c.amendment,
            receipt_change.c.facts,
        )
        .where(
            receipt_change.c.sale_id.in_(sale_ids),
            receipt_change.c.kind.in_(("void", "amendment")),
            receipt_change.c.state.in_(("applied", "unchanged")),
        )
        .order_by(receipt_change.c.amendment)
    )
    found: dict[UUID, History] = {}
    for sale_id, kind, amendment, facts in await tx.execute(query):
        known = found.get(sale_id, History())
        found[sale_id] = (
            replace(known, voided=True)
            if kind == "void"
            else replace(known, amendment=amendment, corrected=facts)
        )
    return found


# On the path of every purchase, so without the compiler; nearly always it finds nothing.
_WAITING = """
    SELECT change_id FROM receipt_change WHERE state = 'withheld' AND sale_id = ANY($1::uuid[])
"""


async def lock_withheld(tx: Tx, sale_ids: Collection[UUID]) -> list[Change]:
    """Lock the changes that wait for these sales; in the order in which they are applied."""
    connection = await bulk.driver(tx)
    waiting = [record[0] for record in await connection.fetch(_WAITING, list(sale_ids))]
    if not waiting:
        return []
    query = (
        sa.select(*_COLUMNS)
        .where(receipt_change.c.change_id.in_(waiting), receipt_change.c.state == "withheld")
        .order_by(receipt_change.c.change_id)
        .with_for_update()
    )
    found = [_stored(row).change for row in await tx.execute(query)]
    return sorted(found, key=lambda change: change.order)


async def settle(
    tx: Tx,
    change_id: UUID,
    state: str,
    *,
    published_event_id: UUID | None = None,
    refusal: str | None = None,
) -> None:
    """Note what became of a change: the event that told of it, or why there is none."""
    await tx.execute(
        receipt_change.update()
        .values(state=state, published_event_id=published_event_id, refusal=refusal)
        .where(receipt_change.c.change_id == change_id)
    )


async def list_exceptions(
    tx: Tx, *, withheld_before: datetime, after: tuple[datetime, UUID] | None, limit: int
) -> list[StoredChange]:
    """Return changes that were refused, name no sale, or wait for one since too long."""
    at, change_id = receipt_change.c.received_at, receipt_change.c.change_id
    # In the words of the partial index, so that it is used.
    open_ = receipt_change.c.state.in_(("withheld", "refused", "unlinked"))
    long_since = sa.or_(receipt_change.c.state != "withheld", at < withheld_before)
    query = sa.select(*_COLUMNS).where(open_, long_since).order_by(at, change_id).limit(limit)
    if after is not None:
        query = query.where(sa.tuple_(at, change_id) > sa.tuple_(*after))
    return [_stored(row) for row in await tx.execute(query)]


async def load_stranded(tx: Tx, *, limit: int) -> list[UUID]:
    """Return sales that are here although a change still waits for them."""
    query = (
        sa.select(receipt_change.c.sale_id)
        .distinct()
        .where(
            receipt_change.c.state == "withheld",
            sa.exists().where(
                tables.receipt.c.receipt_id == receipt_change.c.sale_id,
                reviews.is_clear(tables.receipt),
            ),
        )
        .limit(limit)
    )
    return list(await tx.scalars(query))
