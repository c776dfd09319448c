"""Timed work of loyalty."""

from services.loyalty.context import LoyaltyContext
from services.loyalty.handlers.audit import AuditReport, audit
from shared import log
from shared.service import Job

logger = log.get_logger(__name__)


async def run_audit(context: LoyaltyContext) -> AuditReport:
    """Add up the ledger and say loudly when it does not close."""
    async with context.db.transaction() as tx:
        report = await audit(tx)
    if report.ok:
        logger.info("audit_passed", entries=report.entries, points=report.points_issued)
    else:
        logger.critical("audit_failed", report=str(report))
    return report


JOBS = (Job("audit", every_s=3_600, run=run_audit),)
