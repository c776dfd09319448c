"""API keys, hashed; the table is the plumbing's, the truth is ingest's. With uses and audit."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.ingest.store.tables import credential_audit, credential_use
from shared.contracts.credentials import CredentialState
from shared.db import Tx
from shared.db.plumbing import credential

TERMINAL_LOCK = 0x6B657973


@dataclass(frozen=True, slots=True)
class Audited:
    """One row of the audit."""

    at: datetime
    action: str
    key_id: str
    service: str
    by_key_id: str | None = None
    role: str | None = None
    store_id: str | None = None
    terminal_id: str | None = None
    attempts: int = 1


_AUDITED = [credential_audit.c[each.name] for each in fields(Audited)]


async def lock_credential(tx: Tx, key_id: str) -> CredentialState | None:
    """Lock and return one key."""
    query = sa.select(credential).where(credential.c.key_id == key_id).with_for_update()
    row = (await tx.execute(query)).mappings().one_or_none()
    return CredentialState.model_validate(dict(row)) if row else None


async def lock_terminal(tx: Tx, store_id: str, terminal_id: str) -> None:
    """Let one transaction at a time make keys of a terminal: a row to come can not be locked."""
    name = sa.func.hashtext(f"{store_id}/{terminal_id}")
    await tx.execute(sa.select(sa.func.pg_advisory_xact_lock(TERMINAL_LOCK, name)))


async def list_active(tx: Tx, store_id: str, terminal_id: str, *, at: datetime) -> list[str]:
    """Return the ids of a terminal's keys that count at ``at`` or will later."""
    query = (
        sa.select(credential.c.key_id)
        .where(
            credential.c.store_id == store_id,
            credential.c.terminal_id == terminal_id,
            credential.c.revoked_at.is_(None),
            sa.or_(credential.c.expires_at.is_(None), credential.c.expires_at > at),
        )
        .order_by(credential.c.key_id)
    )
    return list((await tx.execute(query)).scalars())


async def list_credentials(
    tx: Tx, *, after: str | None, limit: int
) -> list[tuple[CredentialState, datetime | None]]:
    """Return keys in the order of their ids, revoked ones too, with when each was last used."""
    query = (
        sa.select(credential, credential_use.c.last_used_at)
        .outerjoin(credential_use, credential_use.c.key_id == credential.c.key_id)
        .order_by(credential.c.key_id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(credential.c.key_id > after)
    rows = (await tx.execute(query)).mappings()
    return [(CredentialState.model_validate(dict(row)), row["last_used_at"]) for row in rows]


async def upsert_uses(tx: Tx, last_used: Mapping[str, datetime]) -> None:
    """Keep the latest use of each key; an earlier one, which may come late, changes nothing."""
    if not last_used:
        return
    # Sorted, so that two writers lock rows in the same order.
    rows = [{"key_id": key_id, "last_used_at": last_used[key_id]} for key_id in sorted(last_used)]
    statement = insert(credential_use).values(rows)
    latest = sa.func.greatest(credential_use.c.last_used_at, statement.excluded.last_used_at)
    await tx.execute(
        statement.on_conflict_do_update(index_elements=["key_id"], set_={"last_used_at": latest})
    )


async def append_audit(tx: Tx, rows: Sequence[Audited]) -> None:
    """Add to the audit."""
    if rows:
        await tx.execute(credential_audit.insert(), [asdict(row) for row in rows])


async def list_audit(
    tx: Tx, *, key_id: str | None, before: int | None, limit: int
) -> list[tuple[int, Audited]]:
    """Return the audit, newest first, of one key or of all."""
    query = sa.select(credential_audit.c.id, *_AUDITED).order_by(credential_audit.c.id.desc())
    if key_id is not None:
        query = query.where(credential_audit.c.key_id == key_id)
    if before is not None:
        query = query.where(credential_audit.c.id < before)
    rows = (await tx.execute(query.limit(limit))).mappings()
    return [(row["id"], Audited(**{one.name: row[one.name] for one in _AUDITED})) for row in rows]
