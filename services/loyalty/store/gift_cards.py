"""Cards, holds and entries of gift money: locked, loaded and written set by set."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.loyalty.domain.gift_cards import Book, Card, Entry, Hold
from services.loyalty.store.gift_tables import gift_card, gift_entry, gift_hold, gift_receipt
from shared.db import Tx, bulk

CARD_FIELDS = tuple(field.name for field in fields(Card))
HOLD_FIELDS = tuple(field.name for field in fields(Hold))
ENTRY_COLUMNS = (*Entry._fields, "hash")
Row = sa.RowMapping

_CARD = tuple(gift_card.c[name] for name in CARD_FIELDS)
_CARDS = bulk.Rows("after", {column.name: column.type for column in _CARD})
_FIXED = frozenset({"gift_card_id", "currency", "face_minor"})
UPDATE_CARDS = (
    gift_card.update()
    .values({name: _CARDS.c[name] for name in CARD_FIELDS if name not in _FIXED})
    .where(gift_card.c.gift_card_id == _CARDS.c.gift_card_id)
)

_HOLD = tuple(gift_hold.c[name] for name in HOLD_FIELDS)
_HOLDS = bulk.Rows("after", {column.name: column.type for column in _HOLD})
_WRITTEN = insert(gift_hold).from_select(HOLD_FIELDS, sa.select(*_HOLDS.c))
UPSERT_HOLDS = _WRITTEN.on_conflict_do_update(
    index_elements=["hold_id"],
    set_={name: _WRITTEN.excluded[name] for name in HOLD_FIELDS if name != "hold_id"},
)


async def insert_card(tx: Tx, card: Card, facts: Mapping[str, object]) -> None:
    """Insert a new card; ``facts`` are the columns that no rule looks at."""
    values = {name: getattr(card, name) for name in CARD_FIELDS}
    await tx.execute(gift_card.insert().values(**values, **facts))


async def find_card(tx: Tx, code_hmac: str) -> UUID | None:
    """Return the id of the card with this code."""
    statement = sa.select(gift_card.c.gift_card_id).where(gift_card.c.code_hmac == code_hmac)
    return await tx.scalar(statement)


async def load_card(tx: Tx, gift_card_id: UUID) -> Row | None:
    """Return a card as it is shown, unlocked."""
    statement = sa.select(gift_card).where(gift_card.c.gift_card_id == gift_card_id)
    return (await tx.execute(statement)).mappings().one_or_none()


async def lock_cards(tx: Tx, card_ids: Iterable[UUID]) -> dict[UUID, Card]:
    """Return those cards that exist; locked in the order of their ids."""
    statement = (
        sa.select(*_CARD)
        .where(gift_card.c.gift_card_id == sa.any_(bulk.array(sa.Uuid(), [*card_ids])))
        .order_by(gift_card.c.gift_card_id)
        .with_for_update(key_share=True)
    )
    rows = await tx.execute(statement)
    return {row.gift_card_id: Card(*row) for row in rows}


async def load_hold(tx: Tx, hold_id: UUID) -> Hold | None:
    """Return a hold; it stays as it is only while its card is locked."""
    return (await load_holds(tx, [hold_id])).get(hold_id)


async def load_holds(tx: Tx, hold_ids: Iterable[UUID]) -> dict[UUID, Hold]:
    """Return those holds that exist, likewise."""
    return await _holds(tx, gift_hold.c.hold_id == sa.any_(bulk.array(sa.Uuid(), [*hold_ids])))


async def load_holds_of_receipts(tx: Tx, receipt_ids: Iterable[UUID]) -> dict[UUID, Hold]:
    """Return the holds that those receipts have captured."""
    wanted = bulk.array(sa.Uuid(), [*receipt_ids])
    return await _holds(tx, gift_hold.c.receipt_id == sa.any_(wanted))


async def load_due_holds(
    tx: Tx, now: datetime, *, limit: int, card_id: UUID | None = None
) -> dict[UUID, Hold]:
    """Return open holds whose time is over, the oldest first, of one card or of all."""
    due = (gift_hold.c.state == "open") & (gift_hold.c.expires_at <= now)
    if card_id is not None:
        due &= gift_hold.c.gift_card_id == card_id
    return await _holds(tx, due, limit=limit)


async def count_due_holds(tx: Tx, since: datetime) -> int:
    """Return how many open holds should have ended by ``since``."""
    due = (gift_hold.c.state == "open") & (gift_hold.c.expires_at <= since)
    return await tx.scalar(sa.select(sa.func.count()).select_from(gift_hold).where(due)) or 0


async def _holds(
    tx: Tx, where: "sa.ColumnElement[bool]", *, limit: int | None = None
) -> dict[UUID, Hold]:
    statement = sa.select(*_HOLD).where(where).order_by(gift_hold.c.expires_at).limit(limit)
    return {row.hold_id: Hold(*row) for row in await tx.execute(statement)}


async def list_ended_cards(tx: Tx, now: datetime, *, limit: int) -> list[UUID]:
    """Return cards whose time is over and that are not expired, or have got money since."""
    statement = (
        sa.select(gift_card.c.gift_card_id)
        .where(gift_card.c.expires_at <= now)
        .where(gift_card.c.state.in_(("inactive", "active")) | (gift_card.c.available_minor > 0))
        .order_by(gift_card.c.expires_at)
        .limit(limit)
    )
    return list((await tx.scalars(statement)).all())


async def lock_receipts(tx: Tx, receipt_ids: Collection[UUID]) -> dict[UUID, int]:
    """Return up to which revision holds follow those receipts; locked in the order of the ids."""
    wanted = bulk.array(sa.Uuid(), sorted(receipt_ids))
    rows = sa.select(sa.func.unnest(wanted), sa.literal(0))
    names = ["receipt_id", "revision"]
    await tx.execute(insert(gift_receipt).from_select(names, rows).on_conflict_do_nothing())
    statement = (
        sa.select(gift_receipt)
        .where(gift_receipt.c.receipt_id == sa.any_(wanted))
        .order_by(gift_receipt.c.receipt_id)
        .with_for_update(key_share=True)
    )
    return {row.receipt_id: row.revision for row in await tx.execute(statement)}


async def update_receipts(tx: Tx, revisions: Mapping[UUID, int]) -> None:
    """Let holds follow receipts that ``lock_receipts`` has locked up to these revisions."""
    after = bulk.unnest(
        "after",
        {
            "receipt_id": (sa.Uuid(), [*revisions]),
            "revision": (sa.Integer(), [*revisions.values()]),
        },
    )
    await tx.execute(
        gift_receipt.update()
        .values(revision=after.c.revision)
        .where(gift_receipt.c.receipt_id == after.c.receipt_id)
    )


async def store(tx: Tx, book: Book) -> None:
    """Write what a book has become: its cards, its holds, and the entries that it posted."""
    if book.cards:
        await tx.execute(UPDATE_CARDS, _columns(_CARDS, CARD_FIELDS, book.cards.values()))
    if book.holds:
        await tx.execute(UPSERT_HOLDS, _columns(_HOLDS, HOLD_FIELDS, book.holds.values()))
    if book.entries:
        entries = [(*entry, digest) for entry, digest in book.entries]
        await bulk.copy_rows(tx, gift_entry, ENTRY_COLUMNS, entries)


def _columns(
    rows: bulk.Rows, names: Sequence[str], objects: Iterable[object]
) -> dict[str, Sequence[Any]]:
    written = list(objects)
    return rows.values({name: [getattr(one, name) for one in written] for name in names})


async def list_entries(
    tx: Tx, gift_card_id: UUID, *, before: int | None, limit: int
) -> "Sequence[sa.Row[Any]]":
    """Return a card's entries, newest first, from below version ``before``."""
    statement = sa.select(gift_entry).where(gift_entry.c.gift_card_id == gift_card_id)
    if before is not None:
        statement = statement.where(gift_entry.c.version < before)
    rows = await tx.execute(statement.order_by(gift_entry.c.version.desc()).limit(limit))
    return rows.all()
