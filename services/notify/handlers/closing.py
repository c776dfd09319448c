"""Writing down what was decided about messages, and announcing what is final."""

from collections.abc import Sequence

from services.notify.context import NotifyContext
from services.notify.domain import gates
from services.notify.domain.gates import Check, Decision
from services.notify.handlers import announce
from services.notify.handlers.announce import Told
from services.notify.store import messages
from services.notify.store.facts import Case
from services.notify.store.messages import Outcome
from shared.db import Tx

Decided = tuple[Case, Outcome]
FINAL = frozenset({"sent", "suppressed", "failed"})


def held_back(case: Case, decision: Decision) -> Decided:
    """Return the outcome of a message that a gate stopped, or that waits."""
    state, not_before = "suppressed", None
    if decision.outcome == "wait":
        now = case.facts.now
        state, not_before = "waiting", now + gates.look_again_after(case.asked, now)
    outcome = Outcome(
        case.message_id, state, decision.reason, decision.checks, not_before=not_before
    )
    return case, outcome


def failed(case: Case, decision: Decision, *, reason: str, detail: str) -> Decided:
    """Return the outcome of a message that passed the gates and can not be sent all the same."""
    checks = (*decision.checks, Check("send", passed=False, detail=detail))
    return case, Outcome(case.message_id, "failed", reason, checks)


async def close(tx: Tx, decided: Sequence[Decided], context: NotifyContext) -> None:
    """Write outcomes, and announce the final ones in the same transaction."""
    now = context.clock.now()
    await messages.record(tx, [outcome for _, outcome in decided], now=now)
    tellings = [
        Told(
            message_id=case.message_id,
            member_id=case.member_id,
            topic=case.asked.topic,
            channel=case.asked.channel,
            template=case.template,
            cause_id=case.cause_id,
            sent=outcome.state == "sent",
            checks=outcome.checks,
        )
        for case, outcome in decided
        if outcome.state in FINAL
    ]
    await announce.decided(tx, tellings, at=now)
