"""Deciding about messages that are due, and getting them ready to leave.

For the inbox, "send" is the row itself: decided and sent in one transaction, many at a time. A
mail is claimed, decided again right before it leaves, and settled afterwards; the call to the
server lies between two transactions, so what a crash there leaves is known to be unknown.
"""

from dataclasses import dataclass
from email.message import EmailMessage

from services.notify.context import NotifyContext
from services.notify.domain import gates, mail
from services.notify.domain.gates import Check, Decision
from services.notify.domain.templates import UnfitTemplate
from services.notify.handlers import closing
from services.notify.handlers.closing import Decided
from services.notify.handlers.writing import Writer
from services.notify.store import facts, messages
from services.notify.store.facts import Case
from services.notify.store.messages import Attempt, Claim, Outcome
from shared import ids
from shared.db import Tx


@dataclass(frozen=True, slots=True)
class Ready:
    """A mail that may leave now, and the decision that says so."""

    claim: Claim
    case: Case
    decision: Decision
    mail: EmailMessage


async def deliver_inbox(tx: Tx, context: NotifyContext) -> int:
    """Decide about due inbox messages and put those that pass into the inbox; return how many."""
    passing, decided = await _decide_due(tx, "inbox", context.dispatch.inbox_batch_max, context)
    writer = await Writer.load(tx, [case for case, _ in passing], context)
    for case, decision in passing:
        try:
            version, content = writer.inbox(case)
        except UnfitTemplate as error:
            detail = f"{error.part}: {error.message}"
            decided.append(closing.failed(case, decision, reason="template_unfit", detail=detail))
            continue
        checks = (*decision.checks, Check("send", passed=True, detail="put into the inbox"))
        outcome = Outcome(
            case.message_id, "sent", None, checks, content=content, template_version=version
        )
        decided.append((case, outcome))
    await closing.close(tx, decided, context)
    return len(decided)


async def claim_mail(tx: Tx, context: NotifyContext) -> tuple[list[Claim], int]:
    """Decide about due mails: close or postpone those that may not leave, claim the others.

    Return the claims, and how many were due in all.
    """
    passing, decided = await _decide_due(tx, "email", context.dispatch.mail_batch_max, context)
    await closing.close(tx, decided, context)
    claim_id, now = ids.new_id(), context.clock.now()
    claims = [Claim(case.message_id, claim_id) for case, _ in passing]
    if claims:
        claimed = [one.message_id for one in claims]
        until = now + context.dispatch.lease
        await messages.claim(tx, claimed, claim_id=claim_id, lease_until=until)
    return claims, len(passing) + len(decided)


async def _decide_due(
    tx: Tx, channel: str, limit: int, context: NotifyContext
) -> tuple[list[tuple[Case, Decision]], list[Decided]]:
    """Lock what is due and ask the gates; return what passes, and what is held back."""
    now = context.clock.now()
    due = await messages.lock_due(tx, channel, now=now, limit=limit)
    passing: list[tuple[Case, Decision]] = []
    decided: list[Decided] = []
    for case in await facts.load_cases(tx, due, now=now):
        decision = gates.decide(case.asked, case.facts, context.dispatch.limits)
        if decision.outcome == "send":
            passing.append((case, decision))
        else:
            decided.append(closing.held_back(case, decision))
    return passing, decided


async def prepare(tx: Tx, claim: Claim, context: NotifyContext) -> Ready | None:
    """Ask every gate again, now, and note the attempt; None when the mail must not leave.

    Whatever was withdrawn since the claim is seen here. Commit before the mail leaves.
    """
    now = context.clock.now()
    if not await messages.lock_claimed(tx, claim):
        return None
    [case] = await facts.load_cases(tx, [claim.message_id], now=now)
    decision = gates.decide(case.asked, case.facts, context.dispatch.limits)
    if decision.outcome != "send":
        await closing.close(tx, [closing.held_back(case, decision)], context)
        return None
    try:
        version, letter = (await Writer.load(tx, [case], context)).letter(case)
        composed = mail.compose(letter, sender=context.sender, at=now)
    except UnfitTemplate as error:
        detail = f"{error.part}: {error.message}"
        unfit = closing.failed(case, decision, reason="template_unfit", detail=detail)
        await closing.close(tx, [unfit], context)
        return None
    except mail.UnusableAddress as error:
        unusable = closing.failed(case, decision, reason="address_unusable", detail=str(error))
        await closing.close(tx, [unusable], context)
        return None
    until = now + context.dispatch.lease
    attempt = Attempt(decision.checks, version, at=now, lease_until=until)
    await messages.begin_attempt(tx, claim, attempt)
    return Ready(claim, case, decision, composed)
