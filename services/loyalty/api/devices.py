"""Devices whose apps show codes at the till, and their codes."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict

from services.loyalty.api.fields import Ctx, Name
from services.loyalty.context import LoyaltyContext
from services.loyalty.domain import appcodes
from services.loyalty.domain.appcodes import Device
from services.loyalty.handlers import devices
from shared import auth, log
from shared.auth import Caller
from shared.db import Tx, run_unit
from shared.http import idempotency, pages
from shared.http.models import Request

router = APIRouter(prefix="/v1/members/{member_id}", tags=["possession"])

App = Annotated[Caller, Depends(auth.require("app"))]
"""Not staff: who holds a device's secret can spend in the member's place."""
Office = Annotated[Caller, Depends(auth.require("app", "staff", "admin"))]

logger = log.get_logger(__name__)


class DeviceInput(Request):
    """A device of the member."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Ann's phone"}]})
    name: Name | None = None
    """What the member calls it, to know it again in the list."""


class CodeInput(Request):
    """Whose code it shall be."""

    device_id: UUID


class DeviceView(BaseModel):
    """A device; never its secret."""

    device_id: UUID
    number: int
    """The first eight digits of its codes."""
    name: str | None
    enrolled_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None
    """When a code of it was last spent."""


class NewDevice(DeviceView):
    """A device that was just enrolled, and how its app makes codes (RFC 6238).

    A code is ``number`` and, without a blank, the one-time password of the current step.
    """

    secret: str
    """Base32; shown this once. The app keeps it where the phone keeps secrets."""
    algorithm: Literal["SHA1"] = "SHA1"
    digits: int = appcodes.DIGITS
    """Of the one-time password."""
    period_s: int = appcodes.PERIOD_S


class Enrolled(BaseModel):
    """What is kept of the answer to an enrolment."""

    device_id: UUID


class CodeView(BaseModel):
    """A code, and when a phone would show it."""

    code: str
    valid_from: datetime
    valid_until: datetime
    """When the next one takes its place; tills accept it for one step longer."""


@router.post("/devices", status_code=201, response_model=NewDevice)
async def enrol_device(
    member_id: UUID, body: DeviceInput, caller: App, keyed: idempotency.Header, context: Ctx
) -> Response:
    """Enrol a device; its app makes codes by itself from then on, without a network.

    A member has at most 10. The secret is not stored: under the same `Idempotency-Key` it is
    derived again.
    """

    async def unit(tx: Tx) -> Response:
        async def effect() -> Enrolled:
            device = await devices.enrol_device(tx, member_id, body.name, context)
            logger.info("device_enrolled", key_id=caller.key_id)
            return Enrolled(device_id=device.device_id)

        kept = await idempotency.answer(tx, keyed, caller, effect, status=201)
        return await _shown_once(tx, member_id, kept, context) if kept.status_code == 201 else kept

    return await run_unit(context.db, unit)


@router.get("/devices")
async def list_devices(member_id: UUID, caller: Office, context: Ctx) -> pages.Page[DeviceView]:
    """List the member's devices, newest first; of revoked ones the last 20."""
    del caller
    async with context.db.transaction() as tx:
        found = await devices.list_devices(tx, member_id)
    return pages.Page(data=[_view(one) for one in found])


@router.delete("/devices/{device_id}")
async def revoke_device(
    member_id: UUID, device_id: UUID, caller: Office, context: Ctx
) -> DeviceView:
    """Revoke a device for good: lost, sold, or the app removed. Its codes stop at once."""
    revoked = await run_unit(
        context.db, lambda tx: devices.revoke_device(tx, member_id, device_id, context)
    )
    logger.info("device_revoked", key_id=caller.key_id)
    return _view(revoked)


@router.post("/app-codes")
async def make_app_code(member_id: UUID, body: CodeInput, caller: App, context: Ctx) -> CodeView:
    """Return the code that a device shows now, for an app that can not keep a secret.

    It is computed and not stored: asked twice within a step, it is the same.
    """
    del caller
    async with context.db.transaction() as tx:
        shown = await devices.current_code(tx, member_id, body.device_id, context)
    return CodeView(code=shown.code, valid_from=shown.valid_from, valid_until=shown.valid_until)


async def _shown_once(tx: Tx, member_id: UUID, kept: Response, context: LoyaltyContext) -> Response:
    """Return the whole answer; under the key only the device's id is kept, no secret, no name."""
    device_id = Enrolled.model_validate_json(bytes(kept.body)).device_id
    view = _view(await devices.get_device(tx, member_id, device_id))
    shown = NewDevice(**view.model_dump(), secret=devices.secret_of(device_id, context))
    headers = {
        name: kept.headers[name] for name in (idempotency.REPLAYED_HEADER,) if name in kept.headers
    }
    return Response(shown.model_dump_json(), 201, headers, "application/json")


def _view(device: Device) -> DeviceView:
    return DeviceView.model_validate(device, from_attributes=True)
