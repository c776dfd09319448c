"""Timed work: popularity, and the night's issuing."""

from datetime import timedelta

from services.offers.context import OffersContext
from services.offers.handlers import issue
from services.offers.store import campaigns, erasure
from shared.db import run_unit
from shared.service import Job

PASS_EVERY = timedelta(hours=24)
"""A period's first pass gives offers to everybody eligible; each later one to who became so."""
RUN_AT_MOST_S = 3_600.0


async def refresh_popularity(context: OffersContext) -> bool:
    """Sum what all members buy."""
    return await issue.refresh_popularity(context)


async def issue_due(context: OffersContext) -> int:
    """Run every published campaign that is due, or was cut off; return how many ran."""
    async with context.db.transaction() as tx:
        codes = await campaigns.list_published_codes(tx)
    ran = 0
    for code in codes:
        async with context.db.transaction() as tx:
            due = await issue.is_due(tx, code, every=PASS_EVERY, context=context)
        if due:
            await issue.issue(context, code, within_s=RUN_AT_MOST_S)
            ran += 1
    return ran


async def forget_erased(context: OffersContext) -> None:
    """Forget what came for members after they were erased."""
    await run_unit(context.db, erasure.forget_erased)


JOBS = (
    Job("popularity", every_s=900.0, run=refresh_popularity),
    Job("issue", every_s=300.0, run=issue_due),
    Job("forget_erased", every_s=3_600.0, run=forget_erased),
)
