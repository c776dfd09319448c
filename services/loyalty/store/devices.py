"""Queries of the devices whose apps show codes at the till."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.loyalty.domain.appcodes import Device
from services.loyalty.store.tables import device
from shared.db import Tx

_FIELDS = tuple(field.name for field in fields(Device))


async def insert_device(tx: Tx, new: Device) -> bool:
    """Insert; False when another device has that number."""
    statement = insert(device).values({name: getattr(new, name) for name in _FIELDS})
    result = await tx.execute(statement.on_conflict_do_nothing(index_elements=["number"]))
    return bool(result.rowcount)


async def list_devices(tx: Tx, member_id: UUID) -> Sequence[Device]:
    """Return a member's devices, revoked ones too, newest first."""
    rows = await tx.execute(
        sa.select(device)
        .where(device.c.member_id == member_id)
        .order_by(device.c.enrolled_at.desc(), device.c.device_id.desc())
    )
    return [_as_device(row) for row in rows]


async def load_by_number(tx: Tx, number: int) -> Device | None:
    """Return the device of that number unless it was revoked."""
    statement = sa.select(device).where(device.c.number == number, device.c.revoked_at.is_(None))
    row = (await tx.execute(statement)).one_or_none()
    return _as_device(row) if row else None


async def load(tx: Tx, member_id: UUID, device_id: UUID) -> Device | None:
    """Return that device if it is the member's."""
    statement = sa.select(device).where(
        device.c.device_id == device_id, device.c.member_id == member_id
    )
    row = (await tx.execute(statement)).one_or_none()
    return _as_device(row) if row else None


async def use_step(tx: Tx, device_id: UUID, step: int, at: datetime) -> bool:
    """Use up a device's codes up to ``step``; False when they are, or the device was revoked.

    Of several at once one waits for the other and then sees that it is too late.
    """
    result = await tx.execute(
        device.update()
        .values(last_step=step, last_used_at=at)
        .where(
            device.c.device_id == device_id,
            device.c.revoked_at.is_(None),
            device.c.last_step < step,
        )
    )
    return bool(result.rowcount)


async def revoke(tx: Tx, device_id: UUID, at: datetime) -> None:
    """Revoke a device; one that was revoked before keeps its time."""
    await tx.execute(
        device.update()
        .values(revoked_at=at)
        .where(device.c.device_id == device_id, device.c.revoked_at.is_(None))
    )


async def delete_devices(tx: Tx, device_ids: Sequence[UUID]) -> None:
    """Delete those devices."""
    await tx.execute(device.delete().where(device.c.device_id.in_(device_ids)))


def _as_device(row: "sa.Row[Any]") -> Device:
    return Device(**{name: getattr(row, name) for name in _FIELDS})
