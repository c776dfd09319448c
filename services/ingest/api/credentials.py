"""``/v1/credentials``: API keys, made and revoked by admins."""

from dataclasses import asdict
from datetime import datetime
from typing import Literal, Self

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, model_validator
from pydantic_core import PydanticCustomError

from services.ingest.api import fields
from services.ingest.api.depends import Admin, Ingest
from services.ingest.handlers import credentials
from services.ingest.store import credentials as store
from shared import auth
from shared.contracts.credentials import CredentialState, Role
from shared.db import Tx, run_unit
from shared.http.models import Request
from shared.http.pages import Cursor, CursorText, Limit, Page

router = APIRouter(prefix="/v1/credentials", tags=["credentials"])
_cursor = Cursor(str)
_audit_cursor = Cursor(int)


class CredentialBody(Request):
    """A key to make."""

    role: Role
    label: fields.Label
    store_id: fields.Code | None = None
    terminal_id: fields.Code | None = None
    not_before: fields.Instant | None = None
    """Refused before this instant; at once where there is none."""
    expires_at: fields.Instant | None = None
    """Refused from this instant on; never where there is none."""

    @model_validator(mode="after")
    def _scope_fits_the_role(self) -> Self:
        scoped = self.store_id is not None and self.terminal_id is not None
        unscoped = self.store_id is None and self.terminal_id is None
        if self.role == "terminal" and not scoped:
            message = "a terminal's key needs store_id and terminal_id"
            raise PydanticCustomError("scope", message)
        if self.role != "terminal" and not unscoped:
            message = "only a terminal's key has store_id and terminal_id"
            raise PydanticCustomError("scope", message)
        return self

    @model_validator(mode="after")
    def _lasts_a_while(self) -> Self:
        if self.not_before and self.expires_at and self.expires_at <= self.not_before:
            raise PydanticCustomError("lifetime", "expires_at must be after not_before")
        return self


class Credential(BaseModel):
    """A key as it may be shown."""

    key_id: str
    role: Role
    label: str
    store_id: str | None
    terminal_id: str | None
    not_before: AwareDatetime | None
    expires_at: AwareDatetime | None
    revoked_at: AwareDatetime | None
    last_used_at: AwareDatetime | None = None
    """When it was last used in any service, half a minute old at most; null where it never was."""


class AuditEntry(BaseModel):
    """Something that happened to a key."""

    at: AwareDatetime
    action: Literal["made", "given", "revoked", "refused"]
    """``given``: by the environment; ``refused``: it spoke for another store or terminal."""
    key_id: str
    by_key_id: str | None
    """The key that made or revoked it."""
    service: str
    """Where it happened."""
    role: str | None
    store_id: str | None
    """The key's own; for ``refused`` the one it spoke for, null for the rest of many."""
    terminal_id: str | None
    attempts: int


class NewCredential(Credential):
    """A key that was just made."""

    key: str
    """The key itself, shown this once."""


@router.post("", status_code=201)
async def create_credential(body: CredentialBody, caller: Admin, context: Ingest) -> NewCredential:
    """Make a key; a terminal has at most two that are active, the old one and its successor.

    It works here at once, and in the other services within seconds. A lost answer is no harm:
    revoke the key that the list shows, and make another.

    It takes no ``Idempotency-Key``: to replay the answer, the key would have to be stored.
    """
    key = auth.new_key()
    parsed = auth.parse_key(key)
    if parsed is None:
        message = "a fresh key does not parse"
        raise RuntimeError(message)
    state = CredentialState(
        key_id=parsed.key_id,
        version=1,
        secret_sha256=parsed.secret_sha256,
        role=body.role,
        label=body.label,
        store_id=body.store_id,
        terminal_id=body.terminal_id,
        not_before=body.not_before,
        expires_at=body.expires_at,
    )

    async def unit(tx: Tx) -> None:
        await credentials.create(tx, state, by=caller.key_id, at=context.clock.now())

    await run_unit(context.db, unit)
    return NewCredential(**_shown(state).model_dump(), key=key)


@router.get("")
async def list_credentials(
    _: Admin, context: Ingest, limit: Limit = 50, cursor: CursorText = None
) -> Page[Credential]:
    """List keys, revoked ones too, with their last use; never the keys themselves."""
    async with context.db.transaction() as tx:
        found = await store.list_credentials(tx, after=_cursor.decode(cursor), limit=limit + 1)
    return _cursor.page([_shown(*one) for one in found], limit, lambda shown: shown.key_id)


@router.delete("/{key_id}")
async def revoke_credential(key_id: str, caller: Admin, context: Ingest) -> Credential:
    """Revoke a key for good; it stops working everywhere within seconds."""

    async def unit(tx: Tx) -> CredentialState:
        return await credentials.revoke(tx, key_id, by=caller.key_id, at=context.clock.now())

    return _shown(await run_unit(context.db, unit))


@router.get(":audit")
async def list_credential_audit(
    _: Admin,
    context: Ingest,
    key_id: fields.Code | None = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Page[AuditEntry]:
    """List what happened to keys, newest first: made, revoked, refused at another store."""
    before = _audit_cursor.decode(cursor)
    async with context.db.transaction() as tx:
        rows = await store.list_audit(tx, key_id=key_id, before=before, limit=limit + 1)
    page = _audit_cursor.page(rows, limit, lambda row: row[0])
    shown = [AuditEntry.model_validate(asdict(row)) for _, row in page.data]
    return Page(data=shown, next_cursor=page.next_cursor)


def _shown(state: CredentialState, last_used_at: datetime | None = None) -> Credential:
    shown = state.model_dump(include=set(Credential.model_fields))
    return Credential.model_validate(shown | {"last_used_at": last_used_at})
