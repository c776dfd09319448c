"""Put ingest together."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

from services.ingest import consumer, jobs
from services.ingest.context import IngestContext, Positions
from services.ingest.domain import Outcome, Sale
from services.ingest.groupcommit import GroupCommit, Limits
from services.ingest.handlers import credentials as keys
from services.ingest.handlers import sales
from services.ingest.settings import IngestSettings
from shared import identity, telemetry
from shared.auth.failures import Failures
from shared.clock import Clock, SystemClock
from shared.db import Database, Tx, run_unit
from shared.errors import Unavailable
from shared.http.peer import Peer
from shared.imports import Kind
from shared.imports import job as import_job
from shared.kafka import positions
from shared.service import Routes, Service


def make_context(
    settings: IngestSettings, db: Database, *, clock: Clock, positions: Positions
) -> IngestContext:
    """Return a context; its group commit is yet to be entered."""
    identity_key = identity.read_key(settings.identity_key.get_secret_value())
    # A key per purpose: whoever learns claim tokens learns nothing about identifiers.
    claim_key = hmac.digest(identity_key, b"claim tokens", hashlib.sha256)

    review_after = timedelta(days=settings.review_after_days)

    async def record(tx: Tx, items: Sequence[Sale]) -> list[Outcome]:
        causes = (item.traceparent for item in items)
        with telemetry.batch("commit", "purchases", causes, count=len(items)):
            return await sales.record(tx, items, claim_key=claim_key, review_after=review_after)

    limits = Limits(
        workers=settings.commit_workers,
        live_workers=settings.commit_live_workers,
        rows_max=settings.commit_rows_max,
        wait_s=settings.commit_wait_ms / 1000,
        deadline_s=settings.commit_deadline_s,
        live_max=settings.queue_live_max,
        bulk_max=settings.queue_bulk_max,
    )
    return IngestContext(
        db=db,
        clock=clock,
        settings=settings,
        identity_key=identity_key,
        purchases=GroupCommit[Sale, Outcome](db, record, limits),
        record=record,
        loyalty=Peer("loyalty", settings.loyalty_url),
        positions=positions,
        claim_failures=Failures(),
        form_key=hmac.digest(identity_key, b"form tokens", hashlib.sha256),
    )


async def _open_context(
    settings: IngestSettings, db: Database, stack: AsyncExitStack
) -> IngestContext:
    context = make_context(settings, db, clock=SystemClock(), positions=_positions(settings))
    await stack.enter_async_context(context.purchases)
    stack.push_async_callback(context.loyalty.close)
    return context


def _positions(settings: IngestSettings) -> Positions:
    async def load(topic: str, partition: int, groups: Sequence[str]) -> Mapping[str, int | None]:
        servers = settings.kafka_bootstrap_servers
        try:
            return await positions.group_positions(servers, groups, topic, partition)
        except Unavailable:
            return {}

    return load


async def _after_migrate(context: IngestContext) -> None:
    """Store the keys that the environment gives for the first start."""

    async def unit(tx: Tx) -> None:
        await keys.bootstrap(tx, context.settings, at=context.clock.now())
        # Desks need not wait for the first heartbeat of the jobs.
        await keys.beat(tx, at=context.clock.now())

    await run_unit(context.db, unit)


def _routes() -> Routes:
    from services.ingest import api  # noqa: PLC0415  by the process that serves them

    return Routes(api.ROUTERS, api.STREAMED)


def _import_kinds() -> Sequence[Kind]:
    from services.ingest.api import imports  # noqa: PLC0415  once there is something to import

    return imports.KINDS


def service() -> Service:
    """Return ingest's parts."""
    return Service(
        name="ingest",
        settings=IngestSettings,
        open_context=_open_context,
        migrations=Path(__file__).parent / "migrations",
        routes=_routes,
        handlers=consumer.HANDLERS,
        jobs=(*jobs.JOBS, import_job(_import_kinds)),
        after_migrate=_after_migrate,
    )
