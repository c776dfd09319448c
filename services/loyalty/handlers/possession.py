"""Find out who a member is from what they show, and whether that proves that they are there."""

from uuid import UUID

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain import appcodes
from services.loyalty.domain import possession as rules
from services.loyalty.domain.appcodes import Device
from services.loyalty.domain.possession import PROOFS, Claim, Possession
from services.loyalty.handlers import enrol
from services.loyalty.handlers.enrol import Known
from services.loyalty.store import devices, members
from shared import identity, log, metrics
from shared.auth import Caller
from shared.db import Tx
from shared.errors import Malformed, Refused

NOBODY = UUID(int=0)

logger = log.get_logger(__name__)


async def prove(tx: Tx, claim: Claim, caller: Caller, context: LoyaltyContext) -> Possession:
    """Check that a member is who the request says, and say whether that proves their presence.

    A card, and the code of an app, are a proof; so is whatever an app's key says of its member.
    A code is used up with it, in this transaction: one that is rolled back leaves it good. It
    locks the device's row: lock accounts after it, and the member's row not at all.

    Raises ``Refused``: 409 for a member who was merged, 404 for an identifier that is not this
    member's, 403 for a code that is not good, 429 after too many of those. Raises ``Malformed`` for
    what can not be an identifier.
    """
    shown, hashed = _shown(claim, context)
    seen = await members.recognise(tx, claim.member_id, claim.kind, hashed)
    enrol.must_be_active(seen.status, seen.merged_into)
    device_id = None
    if claim.kind == "app_code":
        device_id = await _use_code(tx, claim, caller, context)
    elif (shown or seen.owner) != claim.member_id:
        raise _not_identified(claim.kind)
    proven = claim.kind in PROOFS or caller.role == "app"
    balances = seen.available, seen.pending
    return Possession(claim.member_id, claim.kind, proven, device_id, *balances)


def require_possession(possession: Possession, points: int, context: LoyaltyContext) -> None:
    """Raise ``Refused`` (403, ``possession_required``) where so many points need a proof."""
    limit = context.settings.recognised_max_points
    rules.require_possession(possession, points, recognised_max_points=limit)


async def lookup_by_code(tx: Tx, code: str, caller: Caller, context: LoyaltyContext) -> Known:
    """Return the member whose phone shows that code; the code stays good for spending.

    Raises ``Refused`` and ``Malformed`` as ``prove`` does.
    """
    device, _ = await _read_code(tx, code, caller, context)
    return await enrol.get(tx, device.member_id)


def _shown(claim: Claim, context: LoyaltyContext) -> tuple[UUID | None, str | None]:
    """Return the member's id that a claim shows, or the hash of the identifier that it does."""
    if claim.kind == "app_code":
        return None, None
    normal = identity.normalise(claim.kind, claim.value)
    if claim.kind == "member_id":
        return UUID(normal), None
    return None, identity.identifier_hmac(context.identity_key, claim.kind, normal)


async def _use_code(tx: Tx, claim: Claim, caller: Caller, context: LoyaltyContext) -> UUID:
    device, step = await _read_code(tx, claim.value, caller, context)
    if device.member_id != claim.member_id:
        raise _not_identified(claim.kind)
    if not await devices.use_step(tx, device.device_id, step, context.clock.now()):
        # It was right, so nobody is guessing: not counted.
        raise _bad_code()
    return device.device_id


async def _read_code(
    tx: Tx, text: str, caller: Caller, context: LoyaltyContext
) -> tuple[Device, int]:
    """Return the device that shows a code, and the step that the code is of."""
    code = appcodes.parse(text)
    if code is None:
        message = "must be the 16 digits that the app shows"
        errors = [{"field": "app_code", "message": message}]
        raise Malformed("identifier_malformed", f"The app_code {message}.", errors=errors)
    brakes, device_name = context.brakes, str(code.number)
    wait_s = max(
        brakes.codes_of_callers.wait_s(caller.key_id), brakes.codes_of_devices.wait_s(device_name)
    )
    if wait_s:
        # A right code has to wait, too: with eight digits, a try that is answered is a guess.
        metrics.auth_failures_total.labels("limited").inc()
        detail = "Too many codes that are not good."
        raise Refused("too_many_codes", detail, status=429, retry_after_s=wait_s)
    device = await devices.load_by_number(tx, code.number)
    # The same work where there is no device: the time taken does not say that there is one.
    secret = appcodes.device_secret(context.app_code_key, device.device_id if device else NOBODY)
    step = appcodes.matching_step(secret, code.password, context.clock.now())
    if device is None or step is None:
        brakes.codes_of_callers.count(caller.key_id)
        brakes.codes_of_devices.count(device_name)
        metrics.auth_failures_total.labels("app_code").inc()
        logger.warning("app_code_refused", key_id=caller.key_id)
        raise _bad_code()
    return device, step


def _not_identified(kind: str) -> Refused:
    return Refused("not_identified", f"The {kind} is not this member's.", status=404)


def _bad_code() -> Refused:
    """Return the one answer to a code that is wrong, too old, used, or of no device.

    403 is not kept under an ``Idempotency-Key``: the next code may go under the same one.
    """
    return Refused("app_code_refused", "The code is not good, or not any more.", status=403)
