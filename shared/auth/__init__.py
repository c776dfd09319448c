"""API keys: made and stored hashed by ingest, verified by every service on its own copy.

A key identifies a machine or a desk (``Role``), never a member. Routes name who may call them::

    caller: Annotated[Caller, Depends(auth.require("terminal", "app"))]

A route without ``require`` and without ``auth.public`` stops the service from starting.
"""

from typing import TYPE_CHECKING

from shared.auth.caller import Caller
from shared.auth.keys import ApiKey, new_key, parse_key
from shared.auth.notes import keep_telling
from shared.auth.ring import Keyring
from shared.auth.spread import (
    Grant,
    announcement,
    beat,
    bootstrap,
    heartbeat,
    on_credentials,
    upsert,
)
from shared.contracts.credentials import Role

if TYPE_CHECKING:
    from shared.auth.guard import Require, public, require

__all__ = [
    "ApiKey",
    "Caller",
    "Grant",
    "Keyring",
    "Require",
    "Role",
    "announcement",
    "beat",
    "bootstrap",
    "heartbeat",
    "keep_telling",
    "new_key",
    "on_credentials",
    "parse_key",
    "public",
    "require",
    "upsert",
]


def __getattr__(name: str) -> object:
    """Import the guard when it is first asked for: consumers verify nobody, and need no FastAPI."""
    if name not in {"Require", "public", "require"}:
        raise AttributeError(name)
    from shared.auth import guard  # noqa: PLC0415

    return getattr(guard, name)
