"""Timed work: put messages into inboxes, send mails, find lost claims, forget the erased."""

import asyncio
from collections import deque
from contextlib import AsyncExitStack
from time import monotonic

from services.notify.channels import ChannelAway, Session
from services.notify.context import NotifyContext
from services.notify.domain.delivery import Result
from services.notify.handlers import dispatch, settle
from services.notify.store import members, messages
from services.notify.store.messages import Claim
from shared import log
from shared.db import run_unit
from shared.service import Job

logger = log.get_logger(__name__)

RUN_LIMIT_S = 10.0
"""A run ends after this long and the next one goes on, so that a stop is not kept waiting."""


async def deliver_inbox(context: NotifyContext) -> int:
    """Put due messages into inboxes, batch by batch; return how many were decided."""
    ends, decided = monotonic() + RUN_LIMIT_S, 0
    while monotonic() < ends:
        batch = await run_unit(context.db, lambda tx: dispatch.deliver_inbox(tx, context))
        decided += batch
        if batch == 0:
            break
    return decided


async def dispatch_mail(context: NotifyContext) -> int:
    """Send due mails, batch by batch; return how many were decided.

    The server is asked before anything is claimed: while it is away the queue stays as it is.
    """
    ends, decided = monotonic() + RUN_LIMIT_S, 0
    while monotonic() < ends and not context.outage.lasts(context.clock.now()):
        if not await _any_mail_due(context):
            break
        try:
            async with context.mailer.open() as session:
                claims, due = await run_unit(
                    context.db, lambda tx: dispatch.claim_mail(tx, context)
                )
                decided += due
                await _send_all(context, session, claims)
        except ChannelAway as error:
            _note_outage(context, error)
    return decided


async def _any_mail_due(context: NotifyContext) -> bool:
    async with context.db.transaction() as tx:
        return await messages.has_due(tx, "email", now=context.clock.now())


def _note_outage(context: NotifyContext, error: ChannelAway) -> None:
    context.outage.fail(context.clock.now(), context.jitter())
    logger.warning("mail_server_away", error=str(error), failures=context.outage.failures)


async def _send_all(context: NotifyContext, first: Session, claims: list[Claim]) -> None:
    """Send ``claims`` over a few connections at once; give back what was not tried."""
    waiting = deque(claims)

    async def another() -> None:
        async with AsyncExitStack() as stack:
            try:
                session = await stack.enter_async_context(context.mailer.open())
            except ChannelAway:
                # Servers limit connections; the first one goes on alone.
                return
            await _send_from(context, session, waiting)

    more = min(context.dispatch.connections, len(claims)) - 1
    async with asyncio.TaskGroup() as group:
        group.create_task(_send_from(context, first, waiting))
        for _ in range(more):
            group.create_task(another())
    if waiting:
        await run_unit(context.db, lambda tx: settle.give_back(tx, list(waiting), context))


async def _send_from(context: NotifyContext, session: Session, waiting: deque[Claim]) -> None:
    """Send one by one until none is left or the server went away."""
    while waiting and not context.outage.lasts(context.clock.now()):
        await _send_one(context, session, waiting.popleft())


async def _send_one(context: NotifyContext, session: Session, claim: Claim) -> None:
    ready = await run_unit(context.db, lambda tx: dispatch.prepare(tx, claim, context))
    if ready is None:
        return
    try:
        result = await session.send(ready.mail)
    except ChannelAway as error:
        _note_outage(context, error)
        result = Result("delayed", f"the mail server went away: {error}")
    else:
        context.outage.end()
    await run_unit(context.db, lambda tx: settle.record(tx, ready, result, context))


async def recover_claims(context: NotifyContext) -> int:
    """Settle what dead or frozen processes held."""
    return await run_unit(context.db, lambda tx: settle.recover(tx, context))


async def forget_erased(context: NotifyContext) -> None:
    """Delete again what may have come in at the very moment of an erasure."""
    await run_unit(context.db, members.delete_erased)


JOBS = (
    Job("inbox", every_s=1.0, run=deliver_inbox),
    Job("mail", every_s=1.0, run=dispatch_mail),
    Job("recover", every_s=10.0, run=recover_claims),
    Job("forget_erased", every_s=3_600.0, run=forget_erased),
)
