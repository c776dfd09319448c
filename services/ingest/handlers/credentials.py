"""Make and revoke API keys; announce each change to the other services."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import SecretStr

from services.ingest.settings import IngestSettings
from services.ingest.store import credentials as store
from shared import auth
from shared.contracts.credentials import CredentialState, Role
from shared.db import Tx, outbox
from shared.db.outbox import Outgoing
from shared.errors import Refused

TOPIC = "credentials"
LABEL = "from the environment"


async def create(tx: Tx, new: CredentialState, *, at: datetime) -> None:
    """Store a new key's hash and announce it."""
    await auth.upsert(tx, [new])
    await _announce(tx, [new], at)


async def revoke(tx: Tx, key_id: str, *, at: datetime) -> CredentialState:
    """Revoke a key for good; revoking it again changes nothing. ``Refused`` (404) if unknown."""
    state = await store.lock_credential(tx, key_id)
    if state is None:
        raise Refused("credential_not_found", "There is no such key.", status=404)
    if state.revoked_at is not None:
        return state
    revoked = state.model_copy(update={"revoked_at": at, "version": state.version + 1})
    await auth.upsert(tx, [revoked])
    await _announce(tx, [revoked], at)
    return revoked


async def bootstrap(tx: Tx, settings: IngestSettings, *, at: datetime) -> None:
    """Store the keys of the environment that are not known yet; safe to repeat."""
    await _announce(tx, await auth.bootstrap(tx, _given(settings)), at)


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
