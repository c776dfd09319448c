"""Receipts as profiles know them, and the sums they add up to."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.sql.dml import ReturningInsert

from services.offers.domain.habits import Change, Changes, Key, Line, Receipt
from services.offers.store.tables import Row, member_category, member_product, member_total, receipt
from shared.db import Tx, bulk

_SUMS = ("purchases", "weight", "lines", "discounted_lines", "quantity_milli", "spend_minor")
_INSTANT = sa.DateTime(timezone=True)


_WRITTEN = ("revision", "member_id", "bought_at", "currency", "lines", "offer_ids")
_RECEIPTS = bulk.Rows(
    "r",
    {
        "receipt_id": sa.Uuid(),
        "revision": sa.Integer(),
        "member_id": sa.Uuid(),
        "bought_at": _INSTANT,
        "currency": sa.Text(),
        "lines": sa.Text(),
        # unnest would flatten an array of arrays: the ids travel as one text each.
        "offer_ids": sa.Text(),
    },
)


def _upsert_receipts() -> ReturningInsert[Any]:
    new = _RECEIPTS.c
    source = sa.select(
        new.receipt_id, new.revision, new.member_id, new.bought_at, new.currency,
        sa.cast(new.lines, JSONB), sa.cast(new.offer_ids, ARRAY(sa.Uuid)),
    )  # fmt: skip
    statement = insert(receipt).from_select(["receipt_id", *_WRITTEN], source)
    return statement.on_conflict_do_update(
        index_elements=[receipt.c.receipt_id],
        set_={name: statement.excluded[name] for name in _WRITTEN},
        where=receipt.c.revision < statement.excluded.revision,
    ).returning(
        receipt.c.receipt_id,
        *(sa.literal_column(f"old.{c.name}", c.type).label(f"old_{c.name}") for c in receipt.c),
    )


_UPSERT_RECEIPTS = _upsert_receipts()


async def upsert_receipts(
    tx: Tx, receipts: Iterable[Receipt]
) -> list[tuple[Receipt | None, Receipt]]:
    """Keep the highest revision of each receipt; return (before, now) of those that moved.

    One statement decides and reads the state before (RETURNING old), so two partitions that hold
    two revisions of one receipt (before and after its attribution) cannot both add it. Give each
    receipt once; rows are taken in the order of their ids, which keeps batches from deadlocking.
    """
    by_id = {one.receipt_id: one for one in receipts}
    if not by_id:
        return []
    ordered = [by_id[receipt_id] for receipt_id in sorted(by_id)]
    values = _RECEIPTS.values(
        {
            "receipt_id": [one.receipt_id for one in ordered],
            "revision": [one.revision for one in ordered],
            "member_id": [one.member_id for one in ordered],
            "bought_at": [one.bought_at for one in ordered],
            "currency": [one.currency for one in ordered],
            "lines": [_dump_lines(one.lines) for one in ordered],
            "offer_ids": [_dump_ids(one.offer_ids) for one in ordered],
        }
    )
    found = (await tx.execute(_UPSERT_RECEIPTS, values)).mappings().all()
    return [(_before(row), by_id[row["receipt_id"]]) for row in found]


def _dump_lines(lines: Sequence[Line]) -> str:
    return json.dumps(
        [
            {
                "s": line.sku,
                "c": line.category,
                "q": line.quantity_milli,
                "a": line.amount_minor,
                "d": line.discount_minor,
            }
            for line in lines
        ]
    )


def _dump_ids(ids: Sequence[UUID]) -> str:
    return "{" + ",".join(str(one) for one in ids) + "}"


def _before(row: Row) -> Receipt | None:
    if row["old_receipt_id"] is None:
        return None
    return Receipt(
        receipt_id=row["old_receipt_id"],
        revision=row["old_revision"],
        member_id=row["old_member_id"],
        bought_at=row["old_bought_at"],
        currency=row["old_currency"],
        lines=tuple(
            Line(line["s"], line["c"], line["q"], line["a"], line["d"]) for line in row["old_lines"]
        ),
        offer_ids=tuple(row["old_offer_ids"]),
    )


class _Sums:
    """A table of sums, and the one statement that adds a batch's differences to it."""

    def __init__(self, table: sa.Table) -> None:
        # Rows of products carry the category that the till named.
        named = ["category"] if table is member_product else []
        self._carried = [*_SUMS, "first_at", "last_at", *named]
        names = [*(column.name for column in table.primary_key), *self._carried]
        self._rows = bulk.Rows("c", {name: table.c[name].type for name in names})
        statement = insert(table).from_select(names, sa.select(self._rows.source))
        new = statement.excluded
        updates: dict[str, Any] = {name: table.c[name] + new[name] for name in _SUMS}
        updates["first_at"] = sa.func.least(table.c.first_at, new.first_at)
        updates["last_at"] = sa.func.greatest(table.c.last_at, new.last_at)
        for name in named:
            updates[name] = sa.func.greatest(table.c[name], new[name])
        self._statement = statement.on_conflict_do_update(
            index_elements=list(table.primary_key), set_=updates
        )

    async def add(
        self, tx: Tx, keys: Mapping[str, Sequence[Any]], changes: Sequence[Change]
    ) -> None:
        """Add ``changes``; ``keys`` are the columns of the primary key beside them."""
        if not changes:
            return
        carried = {name: [getattr(change, name) for change in changes] for name in self._carried}
        await tx.execute(self._statement, self._rows.values({**keys, **carried}))


_MEMBERS, _PRODUCTS, _CATEGORIES = map(_Sums, (member_total, member_product, member_category))


async def upsert_changes(tx: Tx, changes: Changes) -> None:
    """Add the differences of a batch; what lost a purchase gets its times from the receipts."""
    # By the number, which Postgres orders by as well; comparing UUID objects costs ten times more.
    members = sorted(changes.members, key=lambda member_id: member_id.int)
    await _MEMBERS.add(tx, {"member_id": members}, [changes.members[one] for one in members])
    for sums, thing, found in (
        (_PRODUCTS, "sku", changes.products),
        (_CATEGORIES, "category", changes.categories),
    ):
        keys = [
            (member_id, name)
            for member_id in sorted(found, key=lambda one: one.int)
            for name in sorted(found[member_id])
        ]
        columns = {
            "member_id": [member_id for member_id, _ in keys],
            thing: [name for _, name in keys],
        }
        await sums.add(tx, columns, [found[member_id][name] for member_id, name in keys])
    if changes.lost_members:
        await _settle_members(tx, sorted(changes.lost_members))
    if changes.lost_products:
        await _settle(tx, member_product, "sku", sorted(changes.lost_products))
    if changes.lost_categories:
        await _settle(tx, member_category, "category", sorted(changes.lost_categories))


def _key_columns(thing: str, keys: Sequence[Key]) -> dict[str, bulk.Column]:
    return {
        "member_id": (sa.Uuid(), [member_id for member_id, _ in keys]),
        thing: (sa.Text(), [name for _, name in keys]),
    }


async def _settle_members(tx: Tx, member_ids: Sequence[UUID]) -> None:
    """Delete totals without purchases left; read the times of the others from the receipts."""
    lost = bulk.unnest("k", {"member_id": (sa.Uuid(), member_ids)})
    await tx.execute(
        member_total.delete().where(
            member_total.c.member_id.in_(sa.select(lost.c.member_id)),
            member_total.c.purchases <= 0,
        )
    )
    times = (
        sa.select(
            receipt.c.member_id,
            sa.func.min(receipt.c.bought_at).label("first_at"),
            sa.func.max(receipt.c.bought_at).label("last_at"),
        )
        .where(
            receipt.c.member_id.in_(sa.select(lost.c.member_id)),
            sa.func.jsonb_array_length(receipt.c.lines) > 0,
        )
        .group_by(receipt.c.member_id)
        .subquery("t")
    )
    await tx.execute(
        member_total.update()
        .values(first_at=times.c.first_at, last_at=times.c.last_at)
        .where(member_total.c.member_id == times.c.member_id)
    )


async def _settle(tx: Tx, table: sa.Table, thing: str, keys: Sequence[Key]) -> None:
    """As ``_settle_members``, for products or categories."""
    lost = bulk.unnest("k", _key_columns(thing, keys))
    this = sa.and_(table.c.member_id == lost.c.member_id, table.c[thing] == lost.c[thing])
    await tx.execute(table.delete().where(this, table.c.purchases <= 0))
    letter = "s" if thing == "sku" else "c"
    line = (
        sa.func.jsonb_array_elements(receipt.c.lines)
        .table_valued(sa.column("value", JSONB), name="line")
        .render_derived()
        .lateral()
    )
    times = (
        sa.select(
            lost.c.member_id,
            lost.c[thing],
            sa.func.min(receipt.c.bought_at).label("first_at"),
            sa.func.max(receipt.c.bought_at).label("last_at"),
            sa.func.max(line.c.value["c"].astext).label("till_category"),
        )
        .select_from(lost)
        .join(receipt, receipt.c.member_id == lost.c.member_id)
        .join(line, line.c.value[letter].astext == lost.c[thing])
        .group_by(lost.c.member_id, lost.c[thing])
        .subquery("t")
    )
    values: dict[str, Any] = {"first_at": times.c.first_at, "last_at": times.c.last_at}
    if table is member_product:
        values["category"] = times.c.till_category
    await tx.execute(
        table.update()
        .values(values)
        .where(table.c.member_id == times.c.member_id, table.c[thing] == times.c[thing])
    )
