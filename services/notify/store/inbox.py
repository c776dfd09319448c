"""What members and staff read back: single messages, and the in-app inbox."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from services.notify.store.tables import message
from shared.db import Tx

_IN_INBOX = sa.and_(message.c.channel == "inbox", message.c.state == "sent")


async def load_message(tx: Tx, message_id: UUID) -> sa.RowMapping | None:
    """Return a message."""
    rows = await tx.execute(sa.select(message).where(message.c.message_id == message_id))
    return rows.mappings().one_or_none()


async def list_inbox(
    tx: Tx, member_id: UUID, *, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[sa.RowMapping]:
    """Return a member's inbox, newest first."""
    query = sa.select(message).where(message.c.member_id == member_id, _IN_INBOX)
    if after is not None:
        position = sa.tuple_(message.c.closed_at, message.c.message_id)
        query = query.where(position < sa.tuple_(sa.literal(after[0]), sa.literal(after[1])))
    order = (message.c.closed_at.desc(), message.c.message_id.desc())
    return (await tx.execute(query.order_by(*order).limit(limit))).mappings().all()


async def mark_read(tx: Tx, message_id: UUID, *, now: datetime) -> datetime | None:
    """Note when an inbox message was first read; None where there is no such message."""
    found: datetime | None = await tx.scalar(
        message.update()
        .values(read_at=sa.func.coalesce(message.c.read_at, now))
        .where(message.c.message_id == message_id, _IN_INBOX)
        .returning(message.c.read_at)
    )
    return found
