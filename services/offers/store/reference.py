"""Copies of what other services own: members, products, stores. A lower version never wins."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.offers.store import tables
from shared.db import Tx, bulk


async def upsert_members(tx: Tx, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the state of members (``member_id, version, status``)."""
    await _upsert_versions(tx, tables.member, rows)


async def upsert_products(tx: Tx, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the state of products."""
    await _upsert_versions(tx, tables.product, rows)


async def upsert_stores(tx: Tx, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the state of stores."""
    await _upsert_versions(tx, tables.store, rows)


async def _upsert_versions(tx: Tx, table: sa.Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write full states, in the order of their keys; of several versions the highest."""
    (key,) = table.primary_key.columns
    newest: dict[Any, Mapping[str, Any]] = {}
    for row in rows:
        known = newest.get(row[key.name])
        if known is None or known["version"] < row["version"]:
            newest[row[key.name]] = row
    if not newest:
        return
    ordered = [newest[one] for one in sorted(newest)]
    source = bulk.unnest(
        "n",
        {column.name: (column.type, [row[column.name] for row in ordered]) for column in table.c},
    )
    statement = insert(table).from_select([column.name for column in table.c], sa.select(*source.c))
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=[key],
            set_={c.name: statement.excluded[c.name] for c in table.c if c is not key},
            where=table.c.version < statement.excluded.version,
        )
    )


async def load_costs(tx: Tx, skus: Sequence[str], *, currency: str) -> dict[str, int]:
    """Return the known costs of one sales unit in ``currency``."""
    found = await tx.execute(
        sa.select(tables.product.c.sku, tables.product.c.cost_minor).where(
            tables.product.c.sku == sa.any_(bulk.array(sa.Text(), skus)),
            tables.product.c.cost_minor.is_not(None),
            tables.product.c.currency == currency,
        )
    )
    return {row.sku: row.cost_minor for row in found}


async def load_categories(tx: Tx, skus: Sequence[str]) -> dict[str, str]:
    """Return the catalogue's categories of products."""
    found = await tx.execute(
        sa.select(tables.product.c.sku, tables.product.c.category).where(
            tables.product.c.sku == sa.any_(bulk.array(sa.Text(), skus)),
            tables.product.c.category.is_not(None),
        )
    )
    return {row.sku: row.category for row in found}


async def load_member_status(tx: Tx, member_id: UUID) -> str | None:
    """Return a member's status; None where the member is not known (yet)."""
    status: str | None = await tx.scalar(
        sa.select(tables.member.c.status).where(tables.member.c.member_id == member_id)
    )
    return status
