"""Receipts: written once, compared with for ever."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.ingest.store import reviews, tables
from shared.db import Tx, bulk

receipt = tables.receipt


@dataclass(frozen=True, slots=True)
class CurrentReceipt:
    """A receipt's net state (JSON) and whose it is."""

    receipt_id: UUID
    revision: int
    member_id: UUID | None
    identified_by: str | None
    identifier_hmac: bytes | None
    state: str


@dataclass(frozen=True, slots=True)
class NewReceipt:
    """One row to insert, at revision 1; the fields are the columns, in order."""

    receipt_id: UUID
    event_id: UUID
    body_sha256: bytes
    store_id: str
    terminal_id: str
    terminal_seq: int | None
    occurred_at: datetime
    received_at: datetime
    identified_by: str | None
    identifier_hmac: bytes | None
    claim_sha256: bytes | None
    member_id: UUID | None
    recorded: str

    @property
    def current(self) -> CurrentReceipt:
        """Return the net state that the receipt begins with."""
        return CurrentReceipt(
            self.receipt_id,
            1,
            self.member_id,
            self.identified_by,
            self.identifier_hmac,
            self.recorded,
        )


@dataclass(frozen=True, slots=True)
class KnownReceipt:
    """What a repeat is compared with."""

    receipt_id: UUID
    event_id: UUID
    body_sha256: bytes
    has_claim: bool


@dataclass(frozen=True, slots=True)
class Recorded:
    """The body of a receipt as it was first recorded, for naming what differs."""

    state: str
    occurred_at: datetime
    terminal_seq: int | None
    identified_by: str | None
    identifier_hmac: bytes | None


@dataclass(frozen=True, slots=True)
class Claimable:
    """A receipt that was given a claim token."""

    receipt_id: UUID
    store_id: str
    terminal_id: str
    received_at: datetime


# Plain SQL on the driver's connection: this is the path of every purchase, and compiling a
# statement with thirteen arrays costs more than running it.
_INSERT = """
    INSERT INTO receipt (receipt_id, event_id, body_sha256, store_id, terminal_id, terminal_seq,
        occurred_at, received_at, identified_by, identifier_hmac, claim_sha256, member_id,
        recorded, revision)
    SELECT *, 1 FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::text[], $5::text[],
        $6::bigint[], $7::timestamptz[], $8::timestamptz[], $9::text[], $10::bytea[],
        $11::bytea[], $12::uuid[], $13::text[])
    ON CONFLICT DO NOTHING
    RETURNING receipt_id, EXISTS (
        SELECT FROM receipt_change WHERE sale_id = receipt_id AND state = 'withheld')
"""
_LOAD_KNOWN = """
    SELECT receipt_id, event_id, body_sha256, claim_sha256 IS NOT NULL AS has_claim
    FROM receipt WHERE receipt_id = ANY($1::uuid[])
"""


def _values(row: NewReceipt) -> tuple[Any, ...]:
    return (
        row.receipt_id,
        row.event_id,
        row.body_sha256,
        row.store_id,
        row.terminal_id,
        row.terminal_seq,
        row.occurred_at,
        row.received_at,
        row.identified_by,
        row.identifier_hmac,
        row.claim_sha256,
        row.member_id,
        row.recorded,
    )


async def insert_receipts(tx: Tx, rows: Sequence[NewReceipt]) -> dict[UUID, bool]:
    """Insert what is new and return its ids, each with whether a change waits for it.

    What is there already stays as it is.

    ``rows`` must be sorted by ``receipt_id``: two uploads of one file then wait for each other
    in the same order and can not deadlock.
    """
    connection = await bulk.driver(tx)
    columns = list(zip(*map(_values, rows), strict=True))
    return {record[0]: record[1] for record in await connection.fetch(_INSERT, *columns)}


async def load_known(tx: Tx, receipt_ids: Collection[UUID]) -> dict[UUID, KnownReceipt]:
    """Return what is needed to answer a repeat, by receipt."""
    connection = await bulk.driver(tx)
    records = await connection.fetch(_LOAD_KNOWN, list(receipt_ids))
    return {record[0]: KnownReceipt(*record) for record in records}


async def load_recorded(tx: Tx, receipt_ids: Collection[UUID]) -> dict[UUID, Recorded]:
    """Return the first bodies of receipts."""
    query = sa.select(
        receipt.c.receipt_id,
        receipt.c.recorded,
        receipt.c.occurred_at,
        receipt.c.terminal_seq,
        receipt.c.identified_by,
        receipt.c.identifier_hmac,
    ).where(receipt.c.receipt_id == sa.any_(sa.cast(list(receipt_ids), sa.ARRAY(sa.Uuid))))
    return {row[0]: Recorded(*row[1:]) for row in await tx.execute(query)}


_CURRENT = sa.select(
    receipt.c.receipt_id,
    receipt.c.revision,
    receipt.c.member_id,
    receipt.c.identified_by,
    receipt.c.identifier_hmac,
    sa.func.coalesce(receipt.c.state, receipt.c.recorded),
)


async def lock_receipts(tx: Tx, receipt_ids: Collection[UUID]) -> dict[UUID, CurrentReceipt]:
    """Lock receipts in the order of their ids and return their net states.

    One that is to be reviewed is not there yet.
    """
    query = (
        _CURRENT.where(receipt.c.receipt_id.in_(receipt_ids), reviews.is_clear(receipt))
        .order_by(receipt.c.receipt_id)
        .with_for_update()
    )
    return {row[0]: CurrentReceipt(*row) for row in await tx.execute(query)}


async def lock_unmatched(
    tx: Tx, hmacs: Collection[str], *, since: datetime, limit: int
) -> list[CurrentReceipt]:
    """Lock receipts of ``hmacs`` that have no member and arrived after ``since``."""
    query = (
        _CURRENT.where(
            receipt.c.identifier_hmac.in_([bytes.fromhex(one) for one in hmacs]),
            receipt.c.member_id.is_(None),
            receipt.c.received_at >= since,
            reviews.is_clear(receipt),
        )
        .order_by(receipt.c.receipt_id)
        .limit(limit)
        .with_for_update()
    )
    return [CurrentReceipt(*row) for row in await tx.execute(query)]


async def load_claimable(tx: Tx, claim_sha256: bytes) -> Claimable | None:
    """Return the receipt whose claim token has this hash."""
    query = sa.select(
        receipt.c.receipt_id, receipt.c.store_id, receipt.c.terminal_id, receipt.c.received_at
    ).where(receipt.c.claim_sha256 == claim_sha256)
    row = (await tx.execute(query)).one_or_none()
    return Claimable(*row) if row else None


async def update_states(tx: Tx, current: Sequence[CurrentReceipt]) -> None:
    """Store new net states; the rows are locked or were inserted in this transaction."""
    if not current:
        return
    new = bulk.unnest(
        "new",
        {
            "receipt_id": (sa.Uuid(), [one.receipt_id for one in current]),
            "revision": (sa.Integer(), [one.revision for one in current]),
            "member_id": (sa.Uuid(), [one.member_id for one in current]),
            "state": (sa.Text(), [one.state for one in current]),
        },
    )
    await tx.execute(
        receipt.update()
        .values(revision=new.c.revision, member_id=new.c.member_id, state=new.c.state)
        .where(receipt.c.receipt_id == new.c.receipt_id)
    )
