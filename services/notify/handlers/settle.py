"""What became of mails that were claimed: recorded, given back, or found by their lost lease."""

from collections.abc import Sequence

from services.notify.context import NotifyContext
from services.notify.domain import delivery
from services.notify.domain.delivery import Result, Tally
from services.notify.domain.gates import Check
from services.notify.handlers import closing
from services.notify.handlers.dispatch import Ready
from services.notify.store import facts, members, messages
from services.notify.store.messages import Claim, Outcome
from shared.db import Tx


async def record(tx: Tx, ready: Ready, result: Result, context: NotifyContext) -> None:
    """Record what an attempt came to, unless the lease ended and it was settled without us."""
    if not await messages.lock_claimed(tx, ready.claim):
        return
    case, now = ready.case, context.clock.now()
    uncertain = int(result.verdict == "uncertain")
    tally = Tally(case.attempts + 1, case.uncertain + uncertain)
    following = delivery.after(result, case.asked.topic, tally, jitter=context.jitter())
    if result.verdict == "address_refused" and case.facts.address is not None:
        address = facts.address_sha256(case.facts.address)
        reason = f"the address was refused: {result.detail}"
        await members.suppress_address(tx, case.member_id, address, reason=reason, now=now)
    check = Check("send", passed=result.verdict == "accepted", detail=result.detail)
    outcome = Outcome(
        case.message_id,
        following.state,
        following.reason,
        (*ready.decision.checks, check),
        not_before=now + following.pause if following.state == "queued" else None,
        uncertain=uncertain,
    )
    await closing.close(tx, [(case, outcome)], context)


async def give_back(tx: Tx, claims: Sequence[Claim], context: NotifyContext) -> None:
    """Put claimed mails that were not tried back in the queue."""
    await messages.release(tx, claims, not_before=context.clock.now())


async def recover(tx: Tx, context: NotifyContext) -> int:
    """Settle messages whose process died or froze while it held them; return how many."""
    now = context.clock.now()
    over = await messages.list_leases_over(tx, now=now, limit=context.dispatch.mail_batch_max)
    outcomes: list[Outcome] = []
    for row in over:
        decided = messages.checks_of(row)
        if row["attempted_at"] is None:
            # It was claimed and never tried: nothing can have left.
            outcomes.append(Outcome(row["message_id"], "queued", "lease_over", decided, now))
            continue
        result = Result("uncertain", "its process ended during the attempt")
        tally = Tally(row["attempts"], row["uncertain"] + 1)
        following = delivery.after(result, row["topic"], tally, jitter=context.jitter())
        outcomes.append(
            Outcome(
                row["message_id"],
                following.state,
                following.reason,
                (*decided, Check("send", passed=False, detail=result.detail)),
                not_before=now + following.pause if following.state == "queued" else None,
                uncertain=1,
            )
        )
    await messages.record(tx, outcomes, now=now)
    return len(over)
