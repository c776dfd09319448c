"""What was given beside what receipts earn."""

from collections.abc import Collection, Sequence
from dataclasses import astuple, fields
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.loyalty.domain.awards import Award
from services.loyalty.store.award_tables import award
from shared.db import Tx, bulk

COLUMNS = tuple(field.name for field in fields(Award))
_CHANGE = ("points", "programme_version", "earned_at", "begins_at", "expires_at")


async def load(tx: Tx, award_ids: Collection[UUID]) -> dict[UUID, Award]:
    """Return those that there are; lock their members' accounts to keep them as they are."""
    ids = bulk.array(sa.Uuid(), list(award_ids))
    return await _load(tx, award.c.award_id == sa.any_(ids))


async def load_of_rules(tx: Tx, pairs: Collection[tuple[UUID, str]]) -> dict[UUID, Award]:
    """Return all that those members ever got by those rules."""
    wanted = bulk.unnest(
        "wanted",
        {
            "member_id": (sa.Uuid(), [member_id for member_id, _ in pairs]),
            "rule": (sa.Text(), [rule for _, rule in pairs]),
        },
    )
    given = sa.exists().where(
        wanted.c.member_id == award.c.member_id, wanted.c.rule == award.c.rule
    )
    return await _load(tx, given)


async def list_of_member(tx: Tx, member_id: UUID) -> Sequence[Award]:
    """Return all that a member ever got."""
    return list((await _load(tx, award.c.member_id == member_id)).values())


async def _load(tx: Tx, condition: "sa.ColumnElement[bool]") -> dict[UUID, Award]:
    rows = await tx.execute(sa.select(*(award.c[name] for name in COLUMNS)).where(condition))
    return {row.award_id: Award(*row) for row in rows}


async def write(tx: Tx, awards: Collection[Award]) -> None:
    """Write awards as they are now."""
    rows = [astuple(one) for one in sorted(awards, key=lambda one: one.award_id.int)]
    if not rows:
        return
    columns = zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True)
    after = bulk.unnest("after", {name: (award.c[name].type, column) for name, column in columns})
    statement = insert(award).from_select(
        list(COLUMNS), sa.select(*(after.c[name] for name in COLUMNS))
    )
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=["award_id"], set_={name: statement.excluded[name] for name in _CHANGE}
        )
    )
