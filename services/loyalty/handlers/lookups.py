"""Look members up for tills and desks: limited, and each look-up logged without the identifier."""

from services.loyalty.context import LoyaltyContext
from services.loyalty.handlers import enrol, possession
from services.loyalty.handlers.enrol import Known
from shared import log, metrics
from shared.auth import Caller
from shared.db import Tx
from shared.errors import Refused

logger = log.get_logger(__name__)


def count(caller: Caller, context: LoyaltyContext) -> None:
    """Count one look-up; raises ``Refused`` (429) above what a key may ask for in a minute.

    Those that find somebody count like the others: who tries telephone numbers finds some. Admins
    may read everything as it is, and are not limited.
    """
    settings = context.settings
    limit = {
        "terminal": settings.lookups_terminal_per_min,
        "staff": settings.lookups_staff_per_min,
        "app": settings.lookups_app_per_min,
    }.get(caller.role)
    if limit is None:
        return
    wait_s = context.brakes.lookups.count(caller.key_id, limit=limit)
    if wait_s:
        metrics.auth_failures_total.labels("lookups").inc()
        logger.warning("member_lookups_limited", key_id=caller.key_id)
        raise Refused(
            "too_many_lookups",
            f"This key may look up {limit} members a minute.",
            status=429,
            limit_per_min=limit,
            retry_after_s=wait_s,
        )


async def look_up(
    tx: Tx, identifier: tuple[str, str], caller: Caller, context: LoyaltyContext
) -> Known:
    """Return the member who is known by that (kind, value); 404 for nobody and for the erased."""
    kind, value = identifier
    try:
        if kind == "app_code":
            known = await possession.lookup_by_code(tx, value, caller, context)
        else:
            known = await enrol.lookup(tx, kind, value, context)
    except Refused as refusal:
        _note(caller, kind, refusal.code)
        raise
    _note(caller, kind, "found")
    return known


def _note(caller: Caller, kind: str, outcome: str) -> None:
    """Leave a line for the audit: whose key, by what, with what result; not who was sought."""
    logger.info("member_looked_up", key_id=caller.key_id, detail=f"by {kind}", outcome=outcome)
