"""Timed work of loyalty."""

from collections.abc import Awaitable, Callable
from functools import partial

from services.loyalty.context import LoyaltyContext
from services.loyalty.handlers import (
    birthdays,
    gift_books,
    gift_cards,
    gift_holds,
    holds,
    notices,
    referrals,
    tiers,
)
from services.loyalty.handlers.audit import AuditReport, audit
from services.loyalty.store.notices import Key
from shared import log, metrics
from shared.db import Tx, run_unit
from shared.service import Job

Step = Callable[[Tx, LoyaltyContext], Awaitable[int]]
"""Does a chunk of the work in one transaction, and returns how much that was."""

logger = log.get_logger(__name__)


async def _drain(context: LoyaltyContext, step: Step, chunk: int) -> None:
    """Go on as long as whole chunks are due, each in a transaction of its own."""
    while await run_unit(context.db, lambda tx: step(tx, context)) >= chunk:
        pass


async def run_audit(context: LoyaltyContext) -> AuditReport:
    """Add up the ledger and say loudly when it does not close."""
    async with context.db.transaction() as tx:
        report = await audit(tx)
    if report.ok:
        logger.info("audit_passed", entries=report.entries, points=report.available)
    else:
        logger.critical("audit_failed", report=str(report))
    await _audit_gift_cards(context)
    return report


async def run_sweep(context: LoyaltyContext) -> None:
    """Post what the clock alone changes, until nothing is due: holds and lots that end."""
    await _drain(context, holds.sweep, holds.SWEPT_MAX)


async def give_birthdays(context: LoyaltyContext) -> None:
    """Give points for the birthdays that are due."""
    await _drain(context, birthdays.give_due, birthdays.CHUNK)


async def follow_referrals(context: LoyaltyContext) -> None:
    """Bring referrals to what their new members have bought."""
    await _drain(context, referrals.follow, referrals.CHUNK)


async def review_tiers(context: LoyaltyContext) -> None:
    """Announce what the clock alone does to tiers, chunk by chunk."""
    await _drain(context, tiers.review_due, tiers.REVIEWED_MAX)


async def run_notices(context: LoyaltyContext) -> None:
    """Tell members of points that are about to end, end by end."""
    for tell in (notices.tell_dated, notices.tell_idle):
        after: Key | None = None
        while after := await run_unit(context.db, partial(tell, context=context, after=after)):
            pass


async def _audit_gift_cards(context: LoyaltyContext) -> None:
    async with context.db.transaction() as tx:
        report = await gift_books.audit(tx)
    if report.ok:
        logger.info(
            "gift_audit_passed", entries=report.entries, amount_minor=report.liability_minor
        )
    else:
        logger.critical("gift_audit_failed", report=str(report))


async def sweep_gift_holds(context: LoyaltyContext) -> None:
    """Release holds on gift cards whose time is over, chunk by chunk."""
    await _drain(context, gift_holds.expire_due, gift_cards.EXPIRY_CHUNK)


async def gauge_stuck_holds(context: LoyaltyContext) -> None:
    """Say how many holds should have ended long ago and have not."""
    async with context.db.transaction() as tx:
        stuck = await holds.count_stuck(tx, context)
    for kind, count in stuck.items():
        metrics.stuck_holds.labels(context.settings.service_name, kind).set(count)


async def expire_gift_cards(context: LoyaltyContext) -> None:
    """End gift cards whose time is over, likewise."""
    await _drain(context, gift_cards.expire_ended, gift_cards.EXPIRY_CHUNK)


JOBS = (
    Job("sweep", every_s=10, run=run_sweep),
    Job("tiers", every_s=10, run=review_tiers),
    Job("expiry-notices", every_s=3_600, run=run_notices),
    Job("audit", every_s=3_600, run=run_audit),
    Job("birthdays", every_s=900, run=give_birthdays),
    Job("referrals", every_s=30, run=follow_referrals),
    Job("gift-holds", every_s=5, run=sweep_gift_holds),
    Job("gift-cards", every_s=3_600, run=expire_gift_cards),
    Job("stuck-holds", every_s=15, run=gauge_stuck_holds),
)
