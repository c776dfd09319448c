"""Forgetting what need not be kept: published outbox rows, old inbox ids, old answers."""

from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa

from shared.db import outbox
from shared.db.engine import Tx
from shared.db.plumbing import idempotency, inbox
from shared.db.retry import run_unit
from shared.service import Context, Job

INBOX_RETENTION = timedelta(days=28 + 7)
"""Longest topic retention plus a week: a record that can still come is still known."""
IDEMPOTENCY_RETENTION = timedelta(days=8)
CHUNK = 5_000
"""Rows a transaction deletes at most: locks stay short."""


async def _purge_inbox(tx: Tx, *, before: datetime) -> int:
    old = (
        sa.select(inbox.c.event_id)
        .where(inbox.c.received_at < before, inbox.c.state != "parked")
        .limit(CHUNK)
    )
    return (await tx.execute(inbox.delete().where(inbox.c.event_id.in_(old)))).rowcount


async def _purge_answers(tx: Tx, *, before: datetime) -> int:
    old = (
        sa.select(idempotency.c.scope, idempotency.c.key)
        .where(idempotency.c.created_at < before)
        .limit(CHUNK)
    )
    key = sa.tuple_(idempotency.c.scope, idempotency.c.key)
    return (await tx.execute(idempotency.delete().where(key.in_(old)))).rowcount


_RETENTIONS = (
    (partial(outbox.purge, limit=CHUNK), outbox.PUBLISHED_RETENTION),
    (_purge_inbox, INBOX_RETENTION),
    (_purge_answers, IDEMPOTENCY_RETENTION),
)


async def purge(context: Context) -> int:
    """Delete what is past its retention, chunk by chunk; return how many rows went."""
    now = context.clock.now()
    total = 0
    for purge_chunk, retention in _RETENTIONS:
        step = partial(purge_chunk, before=now - retention)
        while gone := await run_unit(context.db, step):
            total += gone
    return total


PURGE = Job("purge", every_s=3_600, run=purge)
