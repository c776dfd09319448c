"""Receipts that people decide on, because they came so late."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.ingest.store import tables
from shared.db import Tx, bulk

review = tables.receipt_review
receipt = tables.receipt


@dataclass(frozen=True, slots=True)
class Review:
    """A receipt to be reviewed, as it was recorded (JSON), and what was decided."""

    receipt_id: UUID
    event_id: UUID
    recorded: str
    identifier_hmac: bytes | None
    state: str
    asked_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    note: str | None


def is_clear(receipts: sa.FromClause) -> sa.ColumnElement[bool]:
    """Return the condition that a receipt needs no review, or was accepted by one."""
    return ~sa.exists().where(
        review.c.receipt_id == receipts.c.receipt_id, review.c.state != "accepted"
    )


async def insert_reviews(tx: Tx, received: Mapping[UUID, datetime]) -> None:
    """Ask for a review of receipts that were inserted in this transaction, by when they came."""
    await bulk.copy_rows(
        tx,
        review,
        ("receipt_id", "state", "asked_at"),
        [(receipt_id, "pending", received_at) for receipt_id, received_at in received.items()],
    )


_REVIEW = sa.select(
    review.c.receipt_id,
    receipt.c.event_id,
    receipt.c.recorded,
    receipt.c.identifier_hmac,
    review.c.state,
    review.c.asked_at,
    review.c.decided_at,
    review.c.decided_by,
    review.c.note,
).join(receipt, receipt.c.receipt_id == review.c.receipt_id)


async def load_review(tx: Tx, receipt_id: UUID, *, lock: bool = False) -> Review | None:
    """Return one review; locked, it can be decided on."""
    query = _REVIEW.where(review.c.receipt_id == receipt_id)
    if lock:
        query = query.with_for_update(of=review)
    row = (await tx.execute(query)).one_or_none()
    return Review(*row) if row else None


async def list_reviews(
    tx: Tx, state: str, *, after: tuple[datetime, UUID] | None, limit: int
) -> list[Review]:
    """Return reviews in one state, the longest asked for first."""
    key: tuple[Any, Any] = (review.c.asked_at, review.c.receipt_id)
    query = _REVIEW.where(review.c.state == state).order_by(*key).limit(limit)
    if after is not None:
        query = query.where(sa.tuple_(*key) > sa.tuple_(*after))
    return [Review(*row) for row in await tx.execute(query)]


async def update_review(tx: Tx, decided: Review) -> None:
    """Note the decision on a review that is locked and pending."""
    await tx.execute(
        review.update()
        .values(
            state=decided.state,
            decided_by=decided.decided_by,
            decided_at=decided.decided_at,
            note=decided.note,
        )
        .where(review.c.receipt_id == decided.receipt_id)
    )
