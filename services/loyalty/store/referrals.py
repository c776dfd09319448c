"""Referrals: codes of members, and how far it has come with those whom they brought."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.loyalty.domain.referrals import TILLS_CATCH_UP, Purchase, Referred
from services.loyalty.store.award_tables import award, referral, referral_code
from services.loyalty.store.tables import member, receipt
from shared.db import Tx, bulk

COLUMNS = tuple(field.name for field in fields(Referred))
_SELECT = [referral.c[name] for name in COLUMNS]
_SIDES = [referral.c.referred_id, referral.c.member_id]
_STATE = ("state", "receipt_id", "survives_at")

_FIRST = (
    sa.select(receipt.c.receipt_id.label("first_id"), receipt.c.occurred_at.label("first_at"))
    .where(
        receipt.c.member_id == referral.c.referred_id,
        receipt.c.occurred_at >= referral.c.counts_from,
        receipt.c.occurred_at < referral.c.counts_until,
        receipt.c.qualifying_minor >= referral.c.minimum_minor,
    )
    .order_by(receipt.c.occurred_at, receipt.c.receipt_id)
    .limit(1)
    .lateral("first")
)
_BOTH_ARE_MEMBERS = (
    sa.select(sa.func.count())
    .select_from(member)
    .where(
        member.c.member_id.in_(_SIDES),
        member.c.status == "active",
    )
    .correlate(referral)
    .scalar_subquery()
)


@dataclass(frozen=True, slots=True)
class Seen:
    """A referral with what decides about it now."""

    known: Referred
    first: Purchase | None
    both_are_members: bool


async def add_code(tx: Tx, member_id: UUID, code: str) -> bool:
    """Give a member a code; False where they have one, or another has this one."""
    statement = insert(referral_code).values(code=code, member_id=member_id)
    return bool((await tx.execute(statement.on_conflict_do_nothing())).rowcount)


async def load_code(tx: Tx, member_id: UUID) -> str | None:
    """Return a member's code; None for one who has none."""
    code: str | None = await tx.scalar(
        sa.select(referral_code.c.code).where(referral_code.c.member_id == member_id)
    )
    return code


async def load_owner(tx: Tx, code: str) -> UUID | None:
    """Return whose code that is, if they are still a member."""
    owner: UUID | None = await tx.scalar(
        sa.select(referral_code.c.member_id)
        .join(member, member.c.member_id == referral_code.c.member_id)
        .where(referral_code.c.code == code, member.c.status == "active")
    )
    return owner


async def append(tx: Tx, new: Referred) -> None:
    """Insert one."""
    await tx.execute(referral.insert().values(dict(zip(COLUMNS, astuple(new), strict=True))))


async def list_open(
    tx: Tx, now: datetime, *, limit: int, among: Collection[UUID] | None = None
) -> list[Seen]:
    """Return those about which there is something to do at ``now``.

    ``among`` names the new members; the accounts of both sides are locked then, and the rows of
    ``member`` are kept as they are until the end of ``tx``.
    """
    statement = (
        sa.select(
            *_SELECT, _FIRST.c.first_id, _FIRST.c.first_at, _BOTH_ARE_MEMBERS.label("members")
        )
        .select_from(referral.outerjoin(_FIRST, sa.true()))
        .where(
            referral.c.state.in_(("waiting", "pending")),
            sa.or_(
                _FIRST.c.first_id.is_distinct_from(referral.c.receipt_id),
                referral.c.survives_at <= now,
                sa.and_(
                    _FIRST.c.first_id.is_(None),
                    referral.c.counts_until <= now - TILLS_CATCH_UP,
                ),
                len(_SIDES) > _BOTH_ARE_MEMBERS,
            ),
        )
        .order_by(referral.c.referred_id)
        .limit(limit)
    )
    if among is not None:
        ids = bulk.array(sa.Uuid(), list(among))
        statement = statement.where(referral.c.referred_id == sa.any_(ids))
    return [_seen(row) for row in await tx.execute(statement)]


def _seen(row: "sa.Row[Any]") -> Seen:
    known = Referred(*row[: len(COLUMNS)])
    first = Purchase(row.first_id, row.first_at) if row.first_id else None
    return Seen(known, first, row.members == len(_SIDES))


async def lock_members(tx: Tx, member_ids: Collection[UUID]) -> None:
    """Keep members from being erased until the end of ``tx``."""
    ids = bulk.array(sa.Uuid(), list(member_ids))
    await tx.execute(
        sa.select(member.c.member_id)
        .where(member.c.member_id == sa.any_(ids))
        .order_by(member.c.member_id)
        .with_for_update(read=True)
    )


async def count_rewarded(
    tx: Tx, pairs: Collection[tuple[UUID, str, int]]
) -> dict[tuple[UUID, int], int]:
    """Return for how many a referrer got something by a rule in a year: (member, rule, year)."""
    wanted = bulk.unnest(
        "wanted",
        {
            "member_id": (sa.Uuid(), [one[0] for one in pairs]),
            "rule": (sa.Text(), [one[1] for one in pairs]),
            "year": (sa.Integer(), [one[2] for one in pairs]),
        },
    )
    rows = await tx.execute(
        sa.select(award.c.member_id, award.c.period, sa.func.count())
        .join(
            wanted,
            sa.and_(
                award.c.member_id == wanted.c.member_id,
                award.c.rule == wanted.c.rule,
                award.c.period == wanted.c.year,
            ),
        )
        .where(award.c.points > 0)
        .group_by(award.c.member_id, award.c.period)
    )
    return {(member_id, year): many for member_id, year, many in rows}


async def write(tx: Tx, decided: Sequence[Referred]) -> None:
    """Write how far it has come."""
    after = bulk.unnest(
        "after",
        {
            name: (referral.c[name].type, [getattr(one, name) for one in decided])
            for name in ("referred_id", *_STATE)
        },
    )
    await tx.execute(
        referral.update()
        .values({name: after.c[name] for name in _STATE})
        .where(referral.c.referred_id == after.c.referred_id)
    )


def place(one: Referred) -> tuple[datetime, str]:
    """Return the place of a referral in ``list_of_member``, which does not say who was brought."""
    return one.counts_from, hashlib.sha256(str(one.referred_id).encode()).hexdigest()


_DIGEST = sa.func.sha256(sa.func.convert_to(sa.cast(referral.c.referred_id, sa.Text), "UTF8"))
_PLACE = sa.tuple_(referral.c.counts_from, sa.func.encode(_DIGEST, "hex"))


async def list_of_member(
    tx: Tx, member_id: UUID, *, after: tuple[datetime, str] | None, limit: int
) -> list[Referred]:
    """Return whom a member brought, the newest first, from behind ``after``."""
    statement = (
        sa.select(*_SELECT)
        .where(referral.c.member_id == member_id)
        .order_by(_PLACE.desc())
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(sa.tuple_(*after) > _PLACE)
    return [Referred(*row) for row in await tx.execute(statement)]
