"""Returns: written once; withheld until their sale is known."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from services.ingest.store import tables
from shared.db import Tx, bulk

receipt_return = tables.receipt_return


@dataclass(frozen=True, slots=True)
class StoredReturn:
    """One return; ``facts`` is the JSON of what the till said."""

    return_id: UUID
    sale_id: UUID
    body_sha256: bytes
    store_id: str
    terminal_id: str
    occurred_at: datetime
    received_at: datetime
    facts: str
    state: str
    published_event_id: UUID | None = None
    refusal: str | None = None


_COLUMNS = [receipt_return.c[name] for name in StoredReturn.__dataclass_fields__]


async def insert(tx: Tx, new: StoredReturn) -> bool:
    """Insert a return unless its natural key is taken; return whether it was new."""
    values = {name: getattr(new, name) for name in StoredReturn.__dataclass_fields__}
    statement = postgresql.insert(receipt_return).values(values).on_conflict_do_nothing()
    inserted = await tx.execute(statement.returning(receipt_return.c.return_id))
    return inserted.one_or_none() is not None


async def load(tx: Tx, return_id: UUID) -> StoredReturn | None:
    """Return one return."""
    query = sa.select(*_COLUMNS).where(receipt_return.c.return_id == return_id)
    row = (await tx.execute(query)).one_or_none()
    return StoredReturn(*row) if row else None


# On the path of every purchase, so without the compiler; nearly always it finds nothing.
_WAITING = """
    SELECT return_id FROM receipt_return WHERE state = 'withheld' AND sale_id = ANY($1::uuid[])
"""


async def lock_withheld(tx: Tx, sale_ids: Collection[UUID]) -> list[StoredReturn]:
    """Lock the returns that wait for these sales; in the order in which they happened."""
    connection = await bulk.driver(tx)
    waiting = [record[0] for record in await connection.fetch(_WAITING, list(sale_ids))]
    if not waiting:
        return []
    query = (
        sa.select(*_COLUMNS)
        .where(receipt_return.c.return_id.in_(waiting), receipt_return.c.state == "withheld")
        .order_by(receipt_return.c.occurred_at, receipt_return.c.return_id)
        .with_for_update()
    )
    return [StoredReturn(*row) for row in await tx.execute(query)]


async def settle(
    tx: Tx, return_id: UUID, *, published_event_id: UUID | None, refusal: str | None = None
) -> None:
    """Mark a return applied by an event, or refused with a reason."""
    state = "applied" if refusal is None else "refused"
    await tx.execute(
        receipt_return.update()
        .values(state=state, published_event_id=published_event_id, refusal=refusal)
        .where(receipt_return.c.return_id == return_id)
    )


async def load_stranded(tx: Tx, *, limit: int) -> list[UUID]:
    """Return sales that are here although a return still waits for them."""
    query = (
        sa.select(receipt_return.c.sale_id)
        .distinct()
        .where(
            receipt_return.c.state == "withheld",
            sa.exists().where(tables.receipt.c.receipt_id == receipt_return.c.sale_id),
        )
        .limit(limit)
    )
    return list(await tx.scalars(query))
