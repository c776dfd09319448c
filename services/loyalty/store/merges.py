"""Merges, and what goes with a member who is merged."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from uuid import UUID

import sqlalchemy as sa

from services.loyalty.domain.merges import Merge
from services.loyalty.store.award_tables import merge
from services.loyalty.store.tables import account, device, identifier
from shared.db import Tx, bulk

_SELECT = sa.select(*(merge.c[field.name] for field in fields(Merge)))
_STANDS = merge.c.undone_at.is_(None)
_MOVING = (identifier, device)
"""What leads to a member; ``given_to`` says where each row comes from."""


async def load_last(tx: Tx, member_id: UUID) -> Merge | None:
    """Return the last merge of a member into another, undone or not."""
    # Ids are ordered by the time at which they were made.
    newest = _SELECT.where(merge.c.member_id == member_id).order_by(merge.c.merge_id.desc())
    row = (await tx.execute(newest.limit(1))).one_or_none()
    return Merge(*row) if row else None


async def list_merged(tx: Tx, member_id: UUID) -> Sequence[UUID]:
    """Return the members who were merged into one, and into those, in the order of their ids."""
    tree = (
        sa.select(merge.c.member_id)
        .where(merge.c.into_id == member_id, _STANDS)
        .cte("tree", recursive=True)
    )
    tree = tree.union(
        sa.select(merge.c.member_id).join(tree, merge.c.into_id == tree.c.member_id).where(_STANDS)
    )
    found = sa.select(tree.c.member_id).order_by(tree.c.member_id)
    return (await tx.scalars(found)).all()


async def lock_devices(tx: Tx, member_id: UUID) -> None:
    """Lock a member's devices, wherever they are, as a code does: before any account."""
    owners = bulk.array(sa.Uuid(), [member_id, *await list_merged(tx, member_id)])
    own = (device.c.member_id == member_id) | (device.c.given_to == sa.any_(owners))
    await tx.execute(
        sa.select(device.c.device_id).where(own).order_by(device.c.device_id).with_for_update()
    )


async def append(tx: Tx, new: Merge) -> None:
    """Write that a member, whose account is locked, is merged into another."""
    await tx.execute(merge.insert().values(asdict(new)))
    await _point(tx, new.member_id, new.into_id)


async def undo(tx: Tx, undone: Merge) -> None:
    """Write that a merge is undone."""
    await tx.execute(
        merge.update()
        .values(undone_at=undone.undone_at, undone_by=undone.undone_by)
        .where(merge.c.merge_id == undone.merge_id, _STANDS)
    )
    await _point(tx, undone.member_id, None)


async def _point(tx: Tx, member_id: UUID, into_id: UUID | None) -> None:
    row = account.c.member_id == member_id
    await tx.execute(account.update().values(merged_into=into_id).where(row))


async def move_keys(tx: Tx, member_id: UUID, into_id: UUID) -> None:
    """Let all that leads to a member, identifiers and devices, lead to another."""
    for table in _MOVING:
        was_of = sa.func.coalesce(table.c.given_to, table.c.member_id)
        await tx.execute(
            table.update()
            .values(member_id=into_id, given_to=was_of)
            .where(table.c.member_id == member_id)
        )


async def give_keys_back(tx: Tx, member_id: UUID) -> None:
    """Let what was a member's, and that of those merged into them, lead to them again."""
    owners = bulk.array(sa.Uuid(), [member_id, *await list_merged(tx, member_id)])
    for table in _MOVING:
        await tx.execute(
            table.update()
            .values(member_id=member_id, given_to=sa.func.nullif(table.c.given_to, member_id))
            .where(table.c.given_to == sa.any_(owners))
        )
