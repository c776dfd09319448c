"""Timed work of ingest."""

from datetime import timedelta

from services.ingest.context import IngestContext
from services.ingest.handlers import changes, credentials, enrolments, interactions, members
from services.ingest.loyalty import Loyalty
from services.ingest.store import changes as change_store
from services.ingest.store import members as member_store
from shared.db import Tx, run_unit
from shared.service import Job

SWEEP_EVERY_S = 60.0
ENROL_EVERY_S = 1.0
"""How long who signed up waits at most for the first try; a person may be looking at a screen."""
FORGET_EVERY_S = 600.0
CHUNK = 200
"""Most identifiers or sales that one transaction of the sweep looks at."""


async def sweep(context: IngestContext) -> None:
    """Bring together what should have met and did not: sales, members, and changes.

    The locks of both rendezvous make sure that they meet; this is for what they can not know,
    such as receipts above the limit of one batch, or rows restored from a backup.
    """
    while await run_unit(context.db, lambda tx: _attribute(tx, context)):
        pass
    while await run_unit(context.db, _release):
        pass


async def _attribute(tx: Tx, context: IngestContext) -> int:
    since = context.clock.now() - timedelta(days=context.settings.claim_window_days)
    stranded = await member_store.load_stranded_identifiers(tx, since=since, limit=CHUNK)
    return await members.sweep(tx, stranded, context) if stranded else 0


async def _release(tx: Tx) -> int:
    stranded = await change_store.load_stranded(tx, limit=CHUNK)
    return await changes.sweep(tx, stranded) if stranded else 0


async def enrol(context: IngestContext) -> None:
    """Enrol who signed up by a form; waits while loyalty is away."""
    settings = context.settings
    key = settings.loyalty_key or settings.app_key
    await enrolments.enrol_waiting(context, Loyalty(context.loyalty, key))


async def forget(context: IngestContext) -> None:
    """Erase submissions past their time, and the ids of interactions nobody repeats any more."""
    await enrolments.forget_expired(context)
    await interactions.purge(context)


async def beat(context: IngestContext) -> None:
    """Let the services know that they miss no change of a key."""
    await run_unit(context.db, lambda tx: credentials.beat(tx, at=context.clock.now()))


JOBS = (
    Job("sweep", every_s=SWEEP_EVERY_S, run=sweep),
    Job("enrol", every_s=ENROL_EVERY_S, run=enrol),
    Job("forget", every_s=FORGET_EVERY_S, run=forget),
    Job("heartbeat", every_s=credentials.HEARTBEAT_EVERY_S, run=beat),
)
