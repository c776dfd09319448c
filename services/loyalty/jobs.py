"""Timed work of loyalty."""

from services.loyalty.context import LoyaltyContext
from services.loyalty.handlers import holds
from services.loyalty.handlers.audit import AuditReport, audit
from shared import log
from shared.db import run_unit
from shared.service import Job

logger = log.get_logger(__name__)


async def run_audit(context: LoyaltyContext) -> AuditReport:
    """Add up the ledger and say loudly when it does not close."""
    async with context.db.transaction() as tx:
        report = await audit(tx)
    if report.ok:
        logger.info("audit_passed", entries=report.entries, points=report.available)
    else:
        logger.critical("audit_failed", report=str(report))
    return report


async def run_sweep(context: LoyaltyContext) -> None:
    """Post what the clock alone changes, until nothing is due: holds and lots that end."""
    while await run_unit(context.db, lambda tx: holds.sweep(tx, context)) == holds.SWEPT_MAX:
        pass


JOBS = (Job("sweep", every_s=10, run=run_sweep), Job("audit", every_s=3_600, run=run_audit))
