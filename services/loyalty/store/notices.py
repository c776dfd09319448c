"""Notices of points that are about to end: walked in the order of the ends, recorded once."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.loyalty.domain.notices import Notice
from services.loyalty.store.tables import account, expiry_notice, lot
from shared.db import Tx, bulk

Key = tuple[datetime, UUID]
"""An end and a member: where a walk has come to."""


async def list_dated(tx: Tx, after: Key, until: datetime, *, limit: int) -> list[Notice]:
    """Return points that end together, by end and member, from behind ``after``."""
    key = sa.tuple_(lot.c.expires_at, lot.c.member_id)
    rows = await tx.execute(
        sa.select(lot.c.member_id, lot.c.expires_at, sa.func.sum(lot.c.remaining))
        .where(lot.c.active, lot.c.remaining > 0, key > sa.tuple_(*after))
        .where(lot.c.expires_at <= until)
        .group_by(lot.c.expires_at, lot.c.member_id)
        .order_by(lot.c.expires_at, lot.c.member_id)
        .limit(limit)
    )
    return [Notice(member_id, ends_at, int(points)) for member_id, ends_at, points in rows]


async def list_idle(tx: Tx, after: Key, until: datetime, *, limit: int) -> list[tuple[Key, bool]]:
    """Return members with points whose lots may end by inactivity, likewise.

    And for each whether that end was told already, so that there is nothing to look at.
    """
    key = sa.tuple_(account.c.idle_at, account.c.member_id)
    told = sa.exists().where(
        expiry_notice.c.member_id == account.c.member_id,
        expiry_notice.c.ends_at == account.c.idle_at,
    )
    rows = await tx.execute(
        sa.select(account.c.idle_at, account.c.member_id, told)
        .where(key > sa.tuple_(*after), account.c.idle_at <= until, account.c.available > 0)
        .order_by(account.c.idle_at, account.c.member_id)
        .limit(limit)
    )
    return [((ends_at, member_id), known) for ends_at, member_id, known in rows]


async def append(tx: Tx, notices: Sequence[Notice], now: datetime) -> list[Notice]:
    """Record what is new of it, and return that; another process may be faster."""
    if not notices:
        return []
    columns = zip(*sorted(notices, key=lambda one: (one.ends_at, one.member_id.int)), strict=True)
    member_ids, ends, points = map(list, columns)
    rows = bulk.unnest(
        "new",
        {
            "member_id": (sa.Uuid(), member_ids),
            "ends_at": (sa.DateTime(timezone=True), ends),
            "points": (sa.BigInteger(), points),
        },
    )
    names = ["member_id", "ends_at", "points", "announced_at"]
    found = sa.select(rows.c.member_id, rows.c.ends_at, rows.c.points, sa.literal(now))
    written = await tx.execute(
        insert(expiry_notice)
        .from_select(names, found)
        .on_conflict_do_nothing()
        .returning(expiry_notice.c.member_id, expiry_notice.c.ends_at, expiry_notice.c.points)
    )
    return [Notice(*row) for row in written]
