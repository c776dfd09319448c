"""Health, metrics and version: the same on every process that listens."""

import asyncio
import importlib.metadata
import time
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared import metrics
from shared.db import Database
from shared.http import problem
from shared.http.middleware import Limits, guard

CHECK_TIMEOUT_S = 2.5
REMEMBER_S = 1.0
"""Probes of several kinds ask at once; the database is asked once a second at most."""

Check = Callable[[], Awaitable[str | None]]
"""Returns what is missing, or None."""


class Readiness:
    """Whether this process can do its work now; asks ``check``, one caller at a time."""

    def __init__(self, check: Check) -> None:
        """Know nothing yet."""
        self._check = check
        self._asking = asyncio.Lock()
        self._answer: str | None = None
        self._asked_at = float("-inf")

    async def missing(self) -> str | None:
        """Return what is missing, or None."""
        async with self._asking:
            if time.monotonic() - self._asked_at > REMEMBER_S:
                try:
                    async with asyncio.timeout(CHECK_TIMEOUT_S):
                        self._answer = await self._check()
                except Exception as error:  # noqa: BLE001  whatever it is, we are not ready
                    self._answer = f"check failed: {type(error).__name__}"
                self._asked_at = time.monotonic()
            return self._answer


def alone(db: Database, ready: Callable[[], bool]) -> Starlette:
    """Return the application of a process that serves nothing but its health and metrics."""

    async def check() -> str | None:
        await db.ping()
        return None if ready() else "work"

    app = Starlette(
        routes=routes(Readiness(check), "health"), exception_handlers={HTTPException: _answer}
    )
    guard(app, Limits(body_max_bytes=1))
    return app


async def _answer(_request: Request, error: Exception) -> Response:
    return problem.from_error(error).response()


def routes(readiness: Readiness, service: str) -> list[Route]:
    """Return ``/health/live``, ``/health/ready``, ``/metrics`` and ``/version``."""
    version = {"service": service, "version": importlib.metadata.version("perennial")}

    async def live(_request: Request) -> Response:
        # Touches nothing: a process that is waiting for its database must not be killed for it.
        return JSONResponse({"status": "live"})

    async def ready(request: Request) -> Response:
        missing = "draining" if request.app.state.serving.draining else await readiness.missing()
        if missing is None:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready", "missing": missing}, 503)

    async def render(_request: Request) -> Response:
        return Response(metrics.render(), media_type=metrics.CONTENT_TYPE)

    async def show_version(_request: Request) -> Response:
        return JSONResponse(version)

    return [
        Route("/health/live", live),
        Route("/health/ready", ready),
        Route("/metrics", render),
        Route("/version", show_version),
    ]
