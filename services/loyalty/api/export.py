"""``GET /v1/members/{id}/export``: everything that is known of a member, as one file."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import IO, Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from services.loyalty.api.fields import Ctx
from services.loyalty.handlers import enrol, export
from shared import auth, log
from shared.auth import Caller
from shared.errors import Unavailable
from shared.http.app import DEADLINE_EXTENSION

router = APIRouter(prefix="/v1/members/{member_id}", tags=["members"])

Office = Annotated[Caller, Depends(auth.require("app", "staff", "admin"))]

EXPORT_WITHIN_S = 60
IN_MEMORY_MAX_BYTES = 1024 * 1024
"""Of one archive; a larger one goes to a temporary file."""
CHUNK_BYTES = 64 * 1024

logger = log.get_logger(__name__)


class ArchiveResponse(StreamingResponse):
    """Sends an archive, and lets go of it however that ends."""

    media_type = "application/zip"

    def __init__(self, file: IO[bytes], kept: AsyncExitStack, name: str) -> None:
        size = file.tell()
        file.seek(0)
        headers = {
            "Content-Length": str(size),
            "Content-Disposition": f'attachment; filename="{name}.zip"',
        }
        super().__init__(_chunks(file), headers=headers)
        self._kept = kept

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._kept:
            await super().__call__(scope, receive, send)


@router.get(
    "/export",
    status_code=200,
    response_class=ArchiveResponse,
    openapi_extra={DEADLINE_EXTENSION: EXPORT_WITHIN_S},
)
async def export_member(
    member_id: UUID, request: Request, caller: Office, context: Ctx
) -> ArchiveResponse:
    """Return a zip archive of all that loyalty, offers and notify know of a member.

    With the members who were merged into this one. It is sent once it is whole: `503` with
    `Retry-After` where one of the services is away. `README.txt` in it says in plain words what
    each file holds.
    """
    if context.exports.locked():
        raise Unavailable("overloaded", "Too many exports at once; try again.")
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(context.exports)
        spool = tempfile.SpooledTemporaryFile(IN_MEMORY_MAX_BYTES)  # noqa: SIM115  the stack closes it
        stack.callback(spool.close)
        file = cast("IO[bytes]", spool)
        async with context.db.transaction() as tx:
            await enrol.get(tx, member_id)
            merged = await export.list_merged(tx, member_id)
        archive = export.Archive(file, context.clock.now())
        stack.callback(archive.close)
        authorization = request.headers["authorization"]
        await export.add_peers(archive, member_id, authorization, context)
        for one in merged:
            folder = f"merged/{one}/"
            await export.add_peers(archive, one, authorization, context, folder=folder)
        async with context.db.transaction() as tx:
            await export.add_own(tx, archive, member_id, context)
        archive.finish(member_id)
        logger.info("member_exported", key_id=caller.key_id, bytes=file.tell())
        return ArchiveResponse(file, stack.pop_all(), f"member-{member_id}")
    raise AssertionError


async def _chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk
