"""API keys: made and stored hashed by ingest, verified by every service on its own copy.

A key identifies a machine or a desk (``Role``), never a member. Routes name who may call them::

    caller: Annotated[Caller, Depends(auth.require("terminal", "app"))]

A route without ``require`` and without ``auth.public`` stops the service from starting.
"""

from shared.auth.caller import Caller
from shared.auth.guard import Require, public, require
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
