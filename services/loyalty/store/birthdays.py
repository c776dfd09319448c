"""Whose birthday it is."""

import calendar
from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from services.loyalty.store.award_tables import award
from services.loyalty.store.tables import member
from shared.db import Tx, bulk

LEAP_DAY = 229


class Day(NamedTuple):
    """A birthday, and until when one must be a member to be given something for it."""

    day: date
    until: datetime


class Due(NamedTuple):
    """A member whose birthday it is."""

    member_id: UUID
    year: int


# As the index has it.
_MONTH_AND_DAY = sa.cast(sa.extract("month", member.c.birth_date), sa.Integer) * sa.literal_column(
    "100"
) + sa.cast(sa.extract("day", member.c.birth_date), sa.Integer)


async def list_due(
    tx: Tx, days: Sequence[Day], rule: str, *, limit: int, among: Sequence[UUID] | None = None
) -> list[Due]:
    """Return active members who have their birthday then and were not given anything for it.

    Who was born on the 29th of February has it on the 28th in other years. With ``among``, only
    those, and they are kept from being erased until the end of ``tx``.
    """
    marked = [(one, code) for one in days for code in _codes(one.day)]
    due = bulk.unnest(
        "due",
        {
            "code": (sa.Integer(), [code for _, code in marked]),
            "year": (sa.Integer(), [one.day.year for one, _ in marked]),
            "until": (sa.DateTime(timezone=True), [one.until for one, _ in marked]),
        },
    )
    given = sa.exists().where(
        award.c.member_id == member.c.member_id,
        award.c.rule == rule,
        award.c.period == due.c.year,
    )
    statement = (
        sa.select(member.c.member_id, due.c.year)
        .select_from(member.join(due, due.c.code == _MONTH_AND_DAY))
        .where(
            member.c.status == "active",
            member.c.birth_date.is_not(None),
            member.c.enrolled_at < due.c.until,
            ~given,
        )
        .order_by(member.c.member_id)
        .limit(limit)
    )
    if among is not None:
        wanted = bulk.array(sa.Uuid(), among)
        statement = statement.where(member.c.member_id == sa.any_(wanted)).with_for_update(
            read=True, of=member
        )
    return [Due(*row) for row in await tx.execute(statement)]


async def load_birth_dates(tx: Tx, member_ids: Collection[UUID]) -> dict[UUID, date]:
    """Return those that are known of those members."""
    wanted = bulk.array(sa.Uuid(), list(member_ids))
    rows = await tx.execute(
        sa.select(member.c.member_id, member.c.birth_date).where(
            member.c.member_id == sa.any_(wanted), member.c.birth_date.is_not(None)
        )
    )
    return {row.member_id: row.birth_date for row in rows}


def _codes(day: date) -> tuple[int, ...]:
    code = day.month * 100 + day.day
    if code == LEAP_DAY - 1 and not calendar.isleap(day.year):
        return code, LEAP_DAY
    return (code,)
