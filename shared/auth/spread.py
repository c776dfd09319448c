"""How credentials reach every service: ingest writes them, ``credentials`` carries them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shared import ids
from shared.auth.keys import parse_key
from shared.contracts.credentials import (
    CredentialChanged,
    CredentialEvent,
    CredentialHeartbeat,
    CredentialState,
    Heartbeat,
    Role,
)
from shared.db import Tx, bulk
from shared.db.plumbing import credential, credential_heartbeat
from shared.service import Context


@dataclass(frozen=True, slots=True)
class Grant:
    """A key that the environment gives for the first start, and what it is to be good for."""

    key: str = field(repr=False)
    role: Role
    label: str
    store_id: str | None = None
    terminal_id: str | None = None

    def state(self) -> CredentialState:
        """Return the credential to store; raises ``ValueError`` if the key is not one of ours."""
        parsed = parse_key(self.key)
        if parsed is None:
            raise ValueError(f"the key given for {self.label} is not a valid API key")
        return CredentialState(
            key_id=parsed.key_id,
            version=1,
            secret_sha256=parsed.secret_sha256,
            role=self.role,
            label=self.label,
            store_id=self.store_id,
            terminal_id=self.terminal_id,
        )


async def bootstrap(tx: Tx, grants: Sequence[Grant]) -> list[CredentialState]:
    """Store the given keys that are not known yet, and return those, to be announced.

    A key that exists is left as it is: what an admin changed or revoked since stays so.
    """
    return await _write(tx, [grant.state() for grant in grants], keep_existing=True)


async def upsert(tx: Tx, states: Sequence[CredentialState]) -> list[CredentialState]:
    """Store ``states`` unless a newer version is known; return those that were stored."""
    return await _write(tx, states, keep_existing=False)


def announcement(state: CredentialState, at: datetime) -> CredentialChanged:
    """Return the event for the ``credentials`` topic; key it by ``state.key_id``."""
    return CredentialChanged(id=ids.new_id(), source="perennial/ingest", time=at, data=state)


def heartbeat(at: datetime, every_s: int) -> CredentialHeartbeat:
    """Return the event that tells services that they know of every change up to ``at``."""
    told = Heartbeat(every_s=every_s)
    return CredentialHeartbeat(id=ids.new_id(), source="perennial/ingest", time=at, data=told)


async def on_credentials(tx: Tx, events: Sequence[CredentialEvent], context: Context) -> None:
    """Follow the ``credentials`` topic; lower versions, which may come late, are ignored."""
    await upsert(tx, [event.data for event in events if isinstance(event, CredentialChanged)])
    beats = [event.time for event in events if isinstance(event, CredentialHeartbeat)]
    if beats:
        # A clock of ingest's that is ahead must not keep stale keys alive for so long.
        await beat(tx, min(max(beats), context.clock.now()))


async def beat(tx: Tx, at: datetime) -> None:
    """Keep the time of the newest heartbeat; an older one, which may come late, changes nothing."""
    statement = insert(credential_heartbeat).values(singleton=True, beat_at=at)
    newest = sa.func.greatest(credential_heartbeat.c.beat_at, statement.excluded.beat_at)
    await tx.execute(
        statement.on_conflict_do_update(index_elements=["singleton"], set_={"beat_at": newest})
    )


_COLUMNS: Mapping[str, "sa.types.TypeEngine[object]"] = {
    column.name: column.type for column in credential.columns
}


async def _write(
    tx: Tx, states: Sequence[CredentialState], *, keep_existing: bool
) -> list[CredentialState]:
    newest: dict[str, CredentialState] = {}
    for state in sorted(states, key=lambda one: one.version):
        newest[state.key_id] = state
    # Sorted, so that two writers lock rows in the same order.
    rows = [newest[key_id] for key_id in sorted(newest)]
    if not rows:
        return []
    source = bulk.unnest(
        "given",
        {name: (kind, [getattr(row, name) for row in rows]) for name, kind in _COLUMNS.items()},
    )
    statement = insert(credential).from_select(
        list(_COLUMNS), sa.select(*(source.c[name] for name in _COLUMNS))
    )
    if keep_existing:
        statement = statement.on_conflict_do_nothing()
    else:
        statement = statement.on_conflict_do_update(
            index_elements=["key_id"],
            set_={name: statement.excluded[name] for name in _COLUMNS if name != "key_id"},
            where=credential.c.version < statement.excluded.version,
        )
    stored = set((await tx.execute(statement.returning(credential.c.key_id))).scalars())
    return [row for row in rows if row.key_id in stored]
