"""``/v1/credentials``: API keys, made and revoked by admins."""

from typing import Self

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


class CredentialBody(Request):
    """A key to make."""

    role: Role
    label: fields.Label
    store_id: fields.Code | None = None
    terminal_id: fields.Code | None = None
    not_before: fields.Instant | None = None
    expires_at: fields.Instant | None = None

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


class NewCredential(Credential):
    """A key that was just made."""

    key: str
    """The key itself, shown this once."""


@router.post("", status_code=201)
async def create_credential(body: CredentialBody, _: Admin, context: Ingest) -> NewCredential:
    """Make a key. A lost answer is no harm: make another, revoke the first.

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
        await credentials.create(tx, state, at=context.clock.now())

    await run_unit(context.db, unit)
    return NewCredential(**_shown(state).model_dump(), key=key)


@router.get("")
async def list_credentials(
    _: Admin, context: Ingest, limit: Limit = 50, cursor: CursorText = None
) -> Page[Credential]:
    """List keys, revoked ones too; never the keys themselves."""
    async with context.db.transaction() as tx:
        states = await store.list_credentials(tx, after=_cursor.decode(cursor), limit=limit + 1)
    return _cursor.page([_shown(one) for one in states], limit, lambda shown: shown.key_id)


@router.delete("/{key_id}")
async def revoke_credential(key_id: str, _: Admin, context: Ingest) -> Credential:
    """Revoke a key for good; it stops working everywhere within seconds."""

    async def unit(tx: Tx) -> CredentialState:
        return await credentials.revoke(tx, key_id, at=context.clock.now())

    return _shown(await run_unit(context.db, unit))


def _shown(state: CredentialState) -> Credential:
    return Credential.model_validate(state.model_dump(include=set(Credential.model_fields)))
