"""Stores and products; a version grows only when something really changed."""

from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from services.ingest.store import tables
from shared.contracts.catalogue import ProductState, StoreState
from shared.db import Tx, bulk

store = tables.store
product = tables.product

_STORE_FIELDS = ("name", "time_zone", "address", "country")
_PRODUCT_FIELDS = ("name", "category", "brand", "cost_minor", "currency")


def _differs(
    table: sa.Table, insert: postgresql.Insert, fields: Sequence[str]
) -> "sa.ColumnElement[bool]":
    return sa.or_(*(table.c[name].is_distinct_from(insert.excluded[name]) for name in fields))


async def upsert_store(tx: Tx, new: StoreState, country: str | None) -> int | None:
    """Store a shop; return its new version, or None where nothing changed."""
    insert = postgresql.insert(store).values(
        store_id=new.store_id,
        version=1,
        name=new.name,
        time_zone=new.time_zone,
        address=new.address,
        country=country,
    )
    statement = insert.on_conflict_do_update(
        index_elements=[store.c.store_id],
        set_={name: insert.excluded[name] for name in _STORE_FIELDS}
        | {"version": store.c.version + 1},
        where=_differs(store, insert, _STORE_FIELDS),
    ).returning(store.c.version)
    return (await tx.execute(statement)).scalar_one_or_none()


async def load_country(tx: Tx, store_id: str) -> str | None:
    """Return a shop's country, if it is known."""
    return await tx.scalar(sa.select(store.c.country).where(store.c.store_id == store_id))


async def load_countries(tx: Tx, store_ids: Collection[str]) -> dict[str, str | None]:
    """Return the country of each shop that is known."""
    if not store_ids:
        return {}
    query = sa.select(store.c.store_id, store.c.country).where(
        store.c.store_id == sa.any_(bulk.array(sa.Text(), sorted(store_ids)))
    )
    return {row.store_id: row.country for row in await tx.execute(query)}


async def upsert_products(tx: Tx, new: Collection[ProductState]) -> dict[str, int]:
    """Store articles; return the new versions of those that changed.

    Rows are taken in the order of their SKUs, so that two uploads can not deadlock.
    """
    rows = sorted(new, key=lambda one: one.sku)
    values = bulk.unnest(
        "new",
        {
            "sku": (sa.Text(), [one.sku for one in rows]),
            "name": (sa.Text(), [one.name for one in rows]),
            "category": (sa.Text(), [one.category for one in rows]),
            "brand": (sa.Text(), [one.brand for one in rows]),
            "cost_minor": (sa.BigInteger(), [one.cost_minor for one in rows]),
            "currency": (sa.Text(), [one.currency for one in rows]),
        },
    )
    columns = ["sku", *_PRODUCT_FIELDS]
    insert = postgresql.insert(product).from_select(
        [*columns, "version"],
        sa.select(*(values.c[name] for name in columns), sa.literal(1, sa.BigInteger)),
    )
    statement = insert.on_conflict_do_update(
        index_elements=[product.c.sku],
        set_={name: insert.excluded[name] for name in _PRODUCT_FIELDS}
        | {"version": product.c.version + 1},
        where=_differs(product, insert, _PRODUCT_FIELDS),
    ).returning(product.c.sku, product.c.version)
    return {row[0]: row[1] for row in await tx.execute(statement)}
