"""The consent ledger: rows are added, never changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.notify.store.tables import consent
from shared.db import Tx, bulk


@dataclass(frozen=True, slots=True)
class ConsentRow:
    """One yes or no, with its evidence."""

    consent_id: UUID
    member_id: UUID
    purpose: str
    channel: str
    decision: Literal["given", "withdrawn"]
    wording_id: str
    wording_version: int
    source: str
    recorded_at: datetime
    decided_at: datetime
    received_at: datetime


LATEST_FIRST = (
    consent.c.decided_at.desc(),
    # Of two at the same instant, the no holds.
    (consent.c.decision == "withdrawn").desc(),
    consent.c.consent_id,
)


async def append_consents(tx: Tx, rows: Sequence[ConsentRow]) -> set[UUID]:
    """Append rows; those that are there already stay as they are. Return the new ids."""
    if not rows:
        return set()
    names = ConsentRow.__slots__
    columns = {name: (consent.c[name].type, [getattr(r, name) for r in rows]) for name in names}
    source = bulk.unnest("n", columns)
    statement = insert(consent).from_select(list(names), sa.select(*source.c))
    added = await tx.scalars(statement.on_conflict_do_nothing().returning(consent.c.consent_id))
    return set(added)


async def load_latest(tx: Tx, member_id: UUID, purpose: str, channel: str) -> sa.RowMapping | None:
    """Return the row that holds for one purpose and channel."""
    rows = await tx.execute(
        sa.select(consent)
        .where(
            consent.c.member_id == member_id,
            consent.c.purpose == purpose,
            consent.c.channel == channel,
        )
        .order_by(*LATEST_FIRST)
        .limit(1)
    )
    return rows.mappings().one_or_none()


async def list_consents(
    tx: Tx, member_id: UUID, *, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[sa.RowMapping]:
    """Return a member's consents and withdrawals, newest first."""
    query = sa.select(consent).where(consent.c.member_id == member_id)
    if after is not None:
        position = sa.tuple_(consent.c.decided_at, consent.c.consent_id)
        query = query.where(position < sa.tuple_(sa.literal(after[0]), sa.literal(after[1])))
    order = (consent.c.decided_at.desc(), consent.c.consent_id.desc())
    return (await tx.execute(query.order_by(*order).limit(limit))).mappings().all()


async def lock_member_choices(tx: Tx, member_id: UUID) -> None:
    """Make changes of one member's consents take turns until the transaction ends."""
    await tx.execute(
        sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(str(member_id), 8058)))
    )
