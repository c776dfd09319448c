"""Composition root: settings become a context; routes, handlers and jobs become a service."""

from contextlib import AsyncExitStack
from pathlib import Path
from zoneinfo import ZoneInfo

from services.offers import consumer, jobs
from services.offers.context import OffersContext
from services.offers.settings import OffersSettings
from services.offers.store.candidates import Scope
from shared.clock import SystemClock
from shared.db import Database
from shared.service import Routes, Service


async def open_context(
    settings: OffersSettings, db: Database, stack: AsyncExitStack
) -> OffersContext:
    """Return what handlers, routes and jobs are given; nothing needs closing."""
    del stack
    return OffersContext(
        db=db,
        clock=SystemClock(),
        settings=settings,
        zone=ZoneInfo(settings.time_zone),
        scope=Scope(settings.currency, settings.excluded_categories),
        issue_chunk_members=settings.issue_chunk_members,
        popularity_max_age_s=settings.popularity_max_age_s,
    )


def _routes() -> Routes:
    from services.offers import api  # noqa: PLC0415  by the process that serves them

    return Routes(api.ROUTERS)


def service() -> Service:
    """Return the offers service."""
    return Service(
        name="offers",
        settings=OffersSettings,
        open_context=open_context,
        migrations=Path(__file__).parent / "migrations",
        routes=_routes,
        handlers=consumer.HANDLERS,
        jobs=jobs.JOBS,
    )
