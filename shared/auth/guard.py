"""``require``: the FastAPI dependency that lets a request in, or not."""

import contextlib
import ipaddress
from collections.abc import Callable
from typing import Any, Final

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase

from shared import metrics
from shared.auth.caller import Caller
from shared.auth.failures import Failures
from shared.auth.keys import parse_key
from shared.auth.rates import Rates
from shared.auth.ring import Keyring
from shared.contracts.credentials import Role
from shared.errors import Refused

IPV6_PREFIX = 64

_BEARER = b"bearer "
_LONGEST_HEADER = 256


class Require(SecurityBase):
    """Verifies ``Authorization: Bearer <key>`` and the key's role."""

    def __init__(self, *roles: Role) -> None:
        """Allow ``roles``."""
        # FastAPI writes these two into the OpenAPI document.
        self.model = HTTPBearerModel(
            description="An API key, `prn_…`.", bearerFormat="prn_<id>_<secret>"
        )
        self.scheme_name = "api_key"
        self.roles: frozenset[Role] = frozenset(roles)

    async def __call__(self, request: Request) -> Caller:
        """Return the caller; raises ``Refused`` 401, 403 or 429, or ``Unavailable``."""
        state = request.app.state
        ring: Keyring = state.keyring
        rates: Rates = state.rates
        now = state.context.clock.now()
        presented, body_bytes = _shown(request)
        found = await ring.verify(presented, now) if presented else "missing"
        failures: Failures = state.auth_failures
        if found == "unknown" and presented and not failures.limited(_address(request)):
            # Made a moment ago, perhaps: rotation must not wait for the next refresh.
            await ring.catch_up()
            found = await ring.verify(presented, now)
        if isinstance(found, str):
            raise _refusal(request, failures, found)
        rates.count(found.caller, body_bytes)
        ring.check_fresh(found.role, now)
        if found.role not in self.roles:
            raise Refused("forbidden", "This key's role does not allow this call.", status=403)
        ring.notes.used(found.key_id, now)
        return found.caller


def require(*roles: Role) -> Require:
    """Return the dependency that allows only callers of one of ``roles``."""
    return Require(*roles)


async def _anyone() -> None:
    """Mark a route as open to the world."""


public: Final[Any] = Depends(_anyone)
"""``dependencies=[auth.public]``: this route needs no key, on purpose (a signed link, say)."""


def is_guarded(call: Callable[..., Any] | None) -> bool:
    """Whether a dependency decides on access: ``require`` or ``public``."""
    return isinstance(call, Require) or call is _anyone


def _shown(request: Request) -> tuple[bytes | None, int]:
    """Return the key that a request shows, if any, and how long it says that its body is."""
    presented: bytes | None = None
    body_bytes = 0
    for name, value in request.scope["headers"]:
        if name == b"authorization":
            well_formed = len(value) <= _LONGEST_HEADER and value[:7].lower() == _BEARER
            presented = value[len(_BEARER) :].strip() if well_formed else None
        elif name == b"content-length":
            body_bytes = int(value)
    return presented, body_bytes


def _address(request: Request) -> str:
    """Name where a request comes from; of IPv6 the network, of which one caller has all."""
    client = request.scope.get("client")
    text = str(client[0]) if client else ""
    if ":" in text:
        # A name that a proxy gave is taken as it is.
        with contextlib.suppress(ValueError):
            text = str(ipaddress.ip_network((text.partition("%")[0], IPV6_PREFIX), strict=False))
    return f"address {text}"


def _refusal(request: Request, failures: Failures, reason: str) -> Refused:
    """Count the failure and return what to answer: the same 401 for every reason.

    A valid key always passes, however many failures its address has: one broken till must not
    lock out its shop, nor a stranger a till whose key id he has seen.
    """
    subjects = [_address(request)]
    key = parse_key((_shown(request)[0] or b"").decode("latin-1"))
    if key is not None:
        subjects.append(f"key {key.key_id}")
    waits = [failures.count(subject) for subject in subjects]
    wait_s = max(waits)
    if wait_s:
        metrics.auth_failures_total.labels("limited").inc()
        return Refused(
            "too_many_failures",
            "Too many calls without a valid API key.",
            status=429,
            retry_after_s=wait_s,
        )
    metrics.auth_failures_total.labels(reason).inc()
    return Refused("unauthenticated", "A valid API key is needed.", status=401)
