"""API keys, hashed; the table is the plumbing's, the truth is ingest's."""

import sqlalchemy as sa

from shared.contracts.credentials import CredentialState
from shared.db import Tx
from shared.db.plumbing import credential


async def lock_credential(tx: Tx, key_id: str) -> CredentialState | None:
    """Lock and return one key."""
    query = sa.select(credential).where(credential.c.key_id == key_id).with_for_update()
    row = (await tx.execute(query)).mappings().one_or_none()
    return CredentialState.model_validate(dict(row)) if row else None


async def list_credentials(tx: Tx, *, after: str | None, limit: int) -> list[CredentialState]:
    """Return keys in the order of their ids, revoked ones too."""
    query = sa.select(credential).order_by(credential.c.key_id).limit(limit)
    if after is not None:
        query = query.where(credential.c.key_id > after)
    rows = (await tx.execute(query)).mappings()
    return [CredentialState.model_validate(dict(row)) for row in rows]
