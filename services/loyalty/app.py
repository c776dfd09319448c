"""Composition root: settings become a context; routes, handlers and jobs become a service."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NoReturn

from services.loyalty import consumer, jobs
from services.loyalty.context import LoyaltyContext, Rules
from services.loyalty.settings import LoyaltySettings, programme
from shared import identity
from shared.clock import SystemClock
from shared.db import Database
from shared.http.peer import Peer
from shared.imports import Kind
from shared.imports import job as import_job
from shared.service import Routes, Service


async def open_context(
    settings: LoyaltySettings, db: Database, stack: AsyncExitStack
) -> LoyaltyContext:
    """Return what handlers, routes and jobs are given; it follows the rules until it closes."""
    urls = {"offers": settings.offers_url, "notify": settings.notify_url}
    peers = {name: Peer(name, url) for name, url in urls.items() if url}
    for peer in peers.values():
        stack.push_async_callback(peer.close)
    rules = Rules(programme.load(settings.programme_file))
    following = asyncio.create_task(rules.keep_following(db))
    stack.push_async_callback(_end, following)
    return LoyaltyContext(
        db=db,
        clock=SystemClock(),
        settings=settings,
        rules=rules,
        identity_key=identity.read_key(settings.identity_key.get_secret_value()),
        peers=peers,
    )


def _routes() -> Routes:
    from services.loyalty import api  # noqa: PLC0415  by the process that serves them

    return Routes(api.ROUTERS, api.imports.STREAMED)


def _import_kinds() -> Sequence[Kind]:
    from services.loyalty.api import imports  # noqa: PLC0415  once there is something to import

    return imports.KINDS


async def _end(task: asyncio.Task[NoReturn]) -> None:
    task.cancel()
    await asyncio.wait([task])


def service() -> Service:
    """Return the loyalty service."""
    return Service(
        name="loyalty",
        settings=LoyaltySettings,
        open_context=open_context,
        migrations=Path(__file__).parent / "migrations",
        routes=_routes,
        handlers=consumer.HANDLERS,
        jobs=(*jobs.JOBS, import_job(_import_kinds)),
    )
