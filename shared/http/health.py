"""Health, metrics and version: the same on every process that listens."""

import asyncio
import importlib.metadata
import time
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from shared import metrics
from shared.db import Database, migrate
from shared.service import Service

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


def database_check(service: Service, db: Database) -> Check:
    """Return the check of an API: its own Postgres, at the schema that the code expects.

    Kafka is not asked on purpose: without it the outbox grows, and tills notice nothing.
    """
    expected = migrate.head(service.migrations)

    async def check() -> str | None:
        await db.ping()
        found = await migrate.current(db)
        return None if found == expected else f"schema is at {found}, not at {expected}"

    return check


def routes(readiness: Readiness, service: str) -> APIRouter:
    """Return ``/health/live``, ``/health/ready``, ``/metrics`` and ``/version``."""
    router = APIRouter(tags=["operations"], include_in_schema=False)
    version = {"service": service, "version": importlib.metadata.version("perennial")}

    @router.get("/health/live")
    async def live() -> Response:
        # Touches nothing: a process that is waiting for its database must not be killed for it.
        return JSONResponse({"status": "live"})

    @router.get("/health/ready")
    async def ready(request: Request) -> Response:
        missing = "draining" if request.app.state.serving.draining else await readiness.missing()
        if missing is None:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready", "missing": missing}, 503)

    @router.get("/metrics")
    async def render() -> Response:
        return Response(metrics.render(), media_type=metrics.CONTENT_TYPE)

    @router.get("/version")
    async def show_version() -> Response:
        return JSONResponse(version)

    return router
