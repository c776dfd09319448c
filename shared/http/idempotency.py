"""``Idempotency-Key`` for writes without a natural key.

The answer is stored in the transaction of the effect itself, so a crash leaves either both or
neither: there is no ``running`` row that a dead process could leave behind. While the first
request runs, an advisory lock of the same transaction tells the second one to wait. The table's
primary key has the last word: who looked an instant before the first one ended, and got its lock
an instant after, can not store a second answer; all that it did is rolled back.

    @router.post("/v1/holds")
    async def open_hold(body: …, caller: …, keyed: idempotency.Header, context: …) -> Response:
        async with context.db.transaction() as tx:
            return await idempotency.answer(
                tx, keyed, caller, lambda: handlers.open_hold(tx, …)
            )

``caller`` stands before ``keyed``, so that nobody without a valid key hears of a missing header.

Semantics: draft-ietf-httpapi-idempotency-key-header.
"""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

import sqlalchemy as sa
from fastapi import Depends, Request
from fastapi import Header as HeaderParameter
from pydantic import BaseModel
from sqlalchemy.dialects.postgresql import insert
from starlette.responses import Response

from shared.auth import Caller
from shared.db import Tx
from shared.db.plumbing import idempotency
from shared.errors import Malformed, Refused
from shared.http import problem

HEADER = "Idempotency-Key"
KEY_LENGTH_MAX = 128
SCHEMA = {"type": "string", "pattern": "^[!#-~]+$", "minLength": 1, "maxLength": KEY_LENGTH_MAX}
"""Of the header; quotes around it are taken off."""
REPLAYED_HEADER = "Idempotent-Replayed"
LOCKS = 0x6964_656D
"""First half of the advisory locks' keys, apart from other uses."""

_ONCE = sa.select(sa.literal_column("1", sa.Integer())).subquery("once")
_CLAIM = sa.select(
    sa.func.pg_try_advisory_xact_lock(
        sa.cast(sa.literal_column(str(LOCKS)), sa.Integer),
        sa.bindparam("number", type_=sa.Integer()),
    ).label("locked"),
    *(idempotency.c[name] for name in ("body_sha256", "status", "body", "content_type")),
).select_from(
    _ONCE.outerjoin(
        idempotency,
        (idempotency.c.scope == sa.bindparam("scope")) & (idempotency.c.key == sa.bindparam("key")),
    )
)
"""Lock and look in one journey."""
_STORE = insert(idempotency).on_conflict_do_nothing()

_KEY = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)
_NOT_FINAL = frozenset({401, 403, 408, 429})
"""Refusals that say nothing about the request itself: the next try may well pass."""


@dataclass(frozen=True, slots=True)
class Keyed:
    """A request that carries a key: where it goes, and what it says."""

    route: str
    key: str
    fingerprint: bytes
    """SHA-256 of path, query and body; JSON regardless of blanks and of the order of members."""


async def keyed(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        HeaderParameter(alias=HEADER, description="Required; 1 to 128 visible characters."),
    ] = None,
) -> Keyed:
    """Read the header; raises ``Refused`` (400) if it is missing or not usable."""
    # Structured-field syntax quotes the key; the many clients that do not are understood too.
    key = (idempotency_key or "").strip().removeprefix('"').removesuffix('"')
    if not _KEY.fullmatch(key):
        raise Refused(
            "idempotency_key_missing",
            f"This call needs an Idempotency-Key header of 1 to {KEY_LENGTH_MAX} characters.",
            status=400,
        )
    target = f"{request.url.path}?{request.url.query}\n".encode()
    fingerprint = hashlib.sha256(target + _canonical(await request.body())).digest()
    return Keyed(f"{request.method} {request.scope['route'].path}", key, fingerprint)


Header = Annotated[Keyed, Depends(keyed)]
"""Use as ``keyed: idempotency.Header``."""


async def answer(
    tx: Tx,
    keyed: Keyed,
    caller: Caller,
    effect: Callable[[], Awaitable[BaseModel]],
    *,
    status: int = 200,
) -> Response:
    """Run ``effect`` once for this key, and give its answer again to every repetition.

    Final answers are stored: what ``effect`` returns, with ``status``, and refusals that follow
    from the request, of which nothing else is left. Anything else (unavailable, too many, a bug) is
    not, and may be repeated. Call it first in the transaction, which may be rolled back here.
    Raises ``Refused``: 422 for a key that came with another request, 409 while the first runs.
    """
    scope = f"{caller.key_id} {keyed.route}"
    stored = await _claim(tx, scope, keyed)
    if stored is not None:
        return stored
    try:
        result = await effect()
        response = Response(
            result.model_dump_json(), status_code=status, media_type="application/json"
        )
    except (Refused, Malformed) as error:
        refusal = problem.from_error(error)
        if refusal.status in _NOT_FINAL:
            raise
        response = refusal.response()
        await tx.rollback()
        # The lock went with it: somebody else may have got further meanwhile.
        stored = await _claim(tx, scope, keyed)
    if stored is None and await _store(tx, scope, keyed, response):
        return response
    if stored is None:
        await tx.rollback()
        stored = await _claim(tx, scope, keyed)
        assert stored is not None  # it was in the way a moment ago
    return stored


async def _claim(tx: Tx, scope: str, keyed: Keyed) -> Response | None:
    """Return the stored answer, or lock the key where there is none."""
    digest = hashlib.sha256(f"{scope}\n{keyed.key}".encode()).digest()
    number = int.from_bytes(digest[:4], signed=True)
    found = {"number": number, "scope": scope, "key": keyed.key}
    row = (await tx.execute(_CLAIM, found)).one()
    if row.status is None:
        if not row.locked:
            raise Refused(
                "idempotency_key_in_use",
                "The first request with this Idempotency-Key is still running.",
                retry_after_s=1,
            )
        return None
    if row.body_sha256 != keyed.fingerprint:
        raise Refused(
            "idempotency_key_reused",
            "This Idempotency-Key came with another request before.",
            status=422,
        )
    return Response(row.body, row.status, {REPLAYED_HEADER: "true"}, row.content_type)


async def _store(tx: Tx, scope: str, keyed: Keyed, response: Response) -> bool:
    """Store an answer; False where there is one already."""
    result = await tx.execute(
        _STORE,
        {
            "scope": scope,
            "key": keyed.key,
            "body_sha256": keyed.fingerprint,
            "state": "done",
            "status": response.status_code,
            "body": bytes(response.body),
            "content_type": response.media_type,
        },
    )
    return bool(result.rowcount)


def _canonical(body: bytes) -> bytes:
    try:
        return json.dumps(json.loads(body), sort_keys=True, separators=(",", ":")).encode()
    except ValueError:
        return body
