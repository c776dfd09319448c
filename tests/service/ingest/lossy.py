"""Ingest as a process that loses answers: ``python -m tests.service.ingest.lossy FD``.

``X-Fault: cut`` breaks the connection where the answer would begin, ``X-Fault: kill`` ends the
process there, as ``kill -9`` does. Both come after the commit and before the first byte.
"""

import asyncio
import os
import signal
import socket
import sys
from contextlib import AsyncExitStack
from typing import Any, cast

from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from services.ingest import app
from services.ingest.settings import IngestSettings
from shared.clock import FixedClock
from shared.db import open_database
from shared.http import server
from shared.http.app import create_api
from tests.service.ingest.conftest import NOW, FakePositions


class Lossy:
    """Passes everything on but the answers that a request asks to lose."""

    def __init__(self, inner: FastAPI) -> None:
        """Stand before ``inner``, outside all its middleware."""
        self.inner = inner
        self.state = inner.state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or not."""
        fault = dict(scope.get("headers", ())).get(b"x-fault")

        async def lose(_message: Message) -> None:
            if fault == b"kill":
                os.kill(os.getpid(), signal.SIGKILL)
            # ``send`` is a method of uvicorn's own, which has the connection.
            cast("Any", send).__self__.transport.abort()

        await self.inner(scope, receive, lose if fault else send)


async def main() -> None:
    """Serve on a socket that listens already, until killed."""
    url = os.environ["INGEST_DATABASE_URL"]
    told = {"database_url": url, "IDENTITY_KEY": os.environ["IDENTITY_KEY"]}
    settings = IngestSettings.model_validate(told)
    db = open_database(url.replace("://", "+asyncpg://", 1), application_name="lossy")
    context = app.make_context(settings, db, clock=FixedClock(NOW), positions=FakePositions())
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(context.purchases)
        api = create_api(app.service(), context)
        listener = socket.socket(fileno=int(sys.argv[1]))
        await server.serve_on(cast("FastAPI", Lossy(api)), listener, stop=asyncio.Event())


if __name__ == "__main__":
    server.run_loop(main())
