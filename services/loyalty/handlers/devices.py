"""Enrol the devices whose apps show codes at the till, list and revoke them."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain import appcodes
from services.loyalty.domain.appcodes import Device
from services.loyalty.handlers import enrol
from services.loyalty.store import devices
from shared import ids
from shared.db import Tx
from shared.errors import Refused, Unavailable

ACTIVE_MAX = 10
REVOKED_KEPT = 20
"""Older ones are deleted when another device is enrolled."""
NUMBERS_TRIED = 8


@dataclass(frozen=True, slots=True)
class ShownCode:
    """A code and the time in which a phone shows it."""

    code: str
    valid_from: datetime
    valid_until: datetime


async def enrol_device(
    tx: Tx, member_id: UUID, name: str | None, context: LoyaltyContext
) -> Device:
    """Enrol a device of a member; a member has ``ACTIVE_MAX`` at most."""
    await enrol.locked(tx, member_id)
    known = await devices.list_devices(tx, member_id)
    active = [one.device_id for one in known if one.revoked_at is None]
    if len(active) >= ACTIVE_MAX:
        detail = f"A member has at most {ACTIVE_MAX} devices; revoke one."
        raise Refused("too_many_devices", detail, active=[str(each) for each in active])
    revoked = [one.device_id for one in known if one.revoked_at is not None]
    await devices.delete_devices(tx, revoked[REVOKED_KEPT:])
    for _ in range(NUMBERS_TRIED):
        new = Device(
            device_id=ids.new_id(),
            number=_random_number(),
            member_id=member_id,
            name=name,
            enrolled_at=context.clock.now(),
        )
        if await devices.insert_device(tx, new):
            return new
    raise Unavailable("unavailable", "No free number was found; try again.")


async def list_devices(tx: Tx, member_id: UUID) -> Sequence[Device]:
    """Return a member's devices, revoked ones too, newest first; 404 for nobody's id."""
    await enrol.get(tx, member_id)
    return await devices.list_devices(tx, member_id)


async def get_device(tx: Tx, member_id: UUID, device_id: UUID) -> Device:
    """Return a device of the member, revoked or not; 404 for another's."""
    await enrol.get(tx, member_id)
    device = await devices.load(tx, member_id, device_id)
    if device is None:
        raise _unknown()
    return device


async def revoke_device(
    tx: Tx, member_id: UUID, device_id: UUID, context: LoyaltyContext
) -> Device:
    """Revoke a device; its codes are no good from the commit on. Again changes nothing."""
    await get_device(tx, member_id, device_id)
    await devices.revoke(tx, device_id, context.clock.now())
    return await get_device(tx, member_id, device_id)


async def current_code(
    tx: Tx, member_id: UUID, device_id: UUID, context: LoyaltyContext
) -> ShownCode:
    """Return what the app of a device shows now, for an app that can not keep a secret."""
    device = await get_device(tx, member_id, device_id)
    if device.revoked_at is not None:
        raise _unknown()
    step = appcodes.step_at(context.clock.now())
    return ShownCode(
        code=appcodes.code_of(device.number, secret_of(device_id, context), step),
        valid_from=appcodes.step_begins(step),
        valid_until=appcodes.step_begins(step + 1),
    )


def secret_of(device_id: UUID, context: LoyaltyContext) -> str:
    """Return the secret of a device, in base32."""
    return appcodes.device_secret(context.app_code_key, device_id)


def _random_number() -> int:
    span = appcodes.NUMBER_MAX - appcodes.NUMBER_MIN + 1
    return appcodes.NUMBER_MIN + secrets.randbelow(span)


def _unknown() -> Refused:
    return Refused("device_unknown", "The member has no such device.", status=404)
