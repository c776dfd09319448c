"""Make and revoke API keys; announce each change to the other services."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal

from pydantic import SecretStr

from services.ingest.settings import IngestSettings
from services.ingest.store import credentials as store
from services.ingest.store.credentials import Audited
from shared import auth
from shared.contracts.credentials import (
    HEARTBEAT_KEY,
    CredentialState,
    CredentialUsed,
    Role,
)
from shared.db import Tx, outbox
from shared.db.outbox import Outgoing
from shared.errors import Refused

TOPIC = "credentials"
SERVICE = "ingest"
LABEL = "from the environment"
ACTIVE_PER_TERMINAL = 2
"""The one in use, and the one that is to replace it."""
HEARTBEAT_EVERY_S = 10
"""A third of what services bear (``credentials_stale_s``): two may be lost."""


async def create(tx: Tx, new: CredentialState, *, by: str, at: datetime) -> None:
    """Store a new key's hash and announce it; ``by`` is the id of the key that asked for it.

    ``Refused`` (409) where its terminal has two that count already or will.
    """
    if new.store_id is not None and new.terminal_id is not None:
        await store.lock_terminal(tx, new.store_id, new.terminal_id)
        active = await store.list_active(tx, new.store_id, new.terminal_id, at=at)
        if len(active) >= ACTIVE_PER_TERMINAL:
            detail = f"Terminal {new.terminal_id} has {len(active)} active keys; revoke one first."
            raise Refused("too_many_keys", detail, status=409, active=active)
    await auth.upsert(tx, [new])
    await _announce(tx, [new], at)
    await store.append_audit(tx, [_audited("made", new, by=by, at=at)])


async def revoke(tx: Tx, key_id: str, *, by: str, at: datetime) -> CredentialState:
    """Revoke a key for good; revoking it again changes nothing. ``Refused`` (404) if unknown."""
    state = await store.lock_credential(tx, key_id)
    if state is None:
        raise Refused("credential_not_found", "There is no such key.", status=404)
    if state.revoked_at is not None:
        return state
    revoked = state.model_copy(update={"revoked_at": at, "version": state.version + 1})
    await auth.upsert(tx, [revoked])
    await _announce(tx, [revoked], at)
    await store.append_audit(tx, [_audited("revoked", revoked, by=by, at=at)])
    return revoked


async def bootstrap(tx: Tx, settings: IngestSettings, *, at: datetime) -> None:
    """Store the keys of the environment that are not known yet; safe to repeat."""
    new = await auth.bootstrap(tx, _given(settings))
    await _announce(tx, new, at)
    await store.append_audit(tx, [_audited("given", state, by=None, at=at) for state in new])
    await beat(tx, at=at)


async def beat(tx: Tx, *, at: datetime) -> None:
    """Tell the services that they know every change up to ``at``, once this has reached them."""
    event = auth.heartbeat(at, HEARTBEAT_EVERY_S)
    await outbox.append(tx, [Outgoing(TOPIC, HEARTBEAT_KEY, event)])


async def on_uses(tx: Tx, events: Sequence[CredentialUsed], context: object) -> None:  # noqa: ARG001  a handler's signature
    """Keep when keys were last used, and audit what was refused to them."""
    last_used: dict[str, datetime] = {}
    for use in (event.data for event in events):
        last_used[use.key_id] = max(use.last_used_at, last_used.get(use.key_id, use.last_used_at))
    await store.upsert_uses(tx, last_used)
    await store.append_audit(tx, [row for event in events for row in _refused(event)])


def _refused(event: CredentialUsed) -> list[Audited]:
    use = event.data
    rows = [
        Audited(
            at=event.time,
            action="refused",
            key_id=use.key_id,
            service=use.service,
            store_id=place.store_id,
            terminal_id=place.terminal_id,
            attempts=place.attempts,
        )
        for place in use.wrong_places
    ]
    if use.more_wrong_attempts:
        rest = Audited(event.time, "refused", use.key_id, use.service)
        rows.append(replace(rest, attempts=use.more_wrong_attempts))
    return rows


def _audited(
    action: Literal["made", "given", "revoked"],
    state: CredentialState,
    *,
    by: str | None,
    at: datetime,
) -> Audited:
    return Audited(
        at=at,
        action=action,
        key_id=state.key_id,
        service=SERVICE,
        by_key_id=by,
        role=state.role,
        store_id=state.store_id,
        terminal_id=state.terminal_id,
    )


def _given(settings: IngestSettings) -> list[auth.Grant]:
    keys: list[tuple[Role, SecretStr | None]] = [
        ("admin", settings.admin_key),
        ("staff", settings.staff_key),
        ("marketer", settings.marketer_key),
        ("app", settings.app_key),
    ]
    given = [auth.Grant(key.get_secret_value(), role, LABEL) for role, key in keys if key]
    if settings.terminal_key:
        if not settings.terminal_store_id or not settings.terminal_id:
            message = "TERMINAL_KEY needs TERMINAL_STORE_ID and TERMINAL_ID"
            raise ValueError(message)
        scope = (settings.terminal_store_id, settings.terminal_id)
        secret = settings.terminal_key.get_secret_value()
        given.append(auth.Grant(secret, "terminal", LABEL, *scope))
    return given


async def _announce(tx: Tx, states: Sequence[CredentialState], at: datetime) -> None:
    await outbox.append(
        tx,
        [Outgoing(TOPIC, state.key_id, auth.announcement(state, at)) for state in states],
    )
