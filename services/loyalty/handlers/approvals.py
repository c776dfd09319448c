"""Receipts that are worth more than the rules let through: the staff looks at them, and decides."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain import approvals, held
from services.loyalty.domain.approvals import Decision, Verdict, Waiting
from services.loyalty.domain.closing import Batch
from services.loyalty.domain.held import Late
from services.loyalty.handlers import announce, books, challenges, earn, tiers, who
from services.loyalty.store import approvals as store
from services.loyalty.store import ledger
from shared.auth import Caller
from shared.db import Tx
from shared.errors import Refused


async def list_waiting(
    tx: Tx, *, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[Waiting]:
    """Return receipts that wait, the earliest sale first."""
    return await store.list_waiting(tx, after=after, limit=limit)


async def decide(
    tx: Tx, receipt_id: UUID, caller: Caller, context: LoyaltyContext, *, verdict: Verdict
) -> Decision:
    """Let points begin, or take them back; the same again from the same key changes nothing.

    Locks as a batch of purchases does: first the account of whose receipt it is, then the receipt.
    Raises ``Refused``: 404 for a receipt that nobody knows, 409 for one that does not wait.
    """
    programme = await context.rules.follow(tx)
    owners = await ledger.load_owners(tx, [receipt_id])
    members = await books.lock(tx, {one for one, _ in owners.values() if one}, context)
    loaded = await ledger.lock_receipts(tx, [receipt_id], owners, programme)
    # Of two who decide at once, the second sees what the first said.
    if decided := await store.load(tx, receipt_id):
        return decided.repeated(verdict, caller.key_id)
    now = context.clock.now()
    state = loaded.get(receipt_id)
    if state is None:
        raise Refused("approval_unknown", "No such receipt has points.", status=404)
    if state.approval != "waiting" or state.member_id is None:
        raise Refused("approval_not_needed", "The receipt does not wait for anybody.")
    decision = Decision(
        receipt_id, state.member_id, verdict, state.posted, caller.key_id, decided_at=now
    )
    periods = earn.capped_periods(owners.values(), programme)
    loaded |= await ledger.load_periods(tx, periods, programme)
    event = approvals.occasion(receipt_id, state, now)
    late: dict[UUID, Late] = {}
    if programme.by_tier:
        late = held.decided(event, state, members, programme.ladder)
        loaded |= await who.read_histories(tx, late, programme)
    context.rules.check_fresh(programme)
    book = books.open_book(members, context, loaded)
    approvals.decide(book, event, verdict)
    book.levels = held.foresee(book, late)
    held.follow(book, late)
    gifts = await challenges.follow(tx, book, [event])
    await tiers.review_moved(tx, book, now)
    closed = await books.write(tx, Batch(book, now, gifts=gifts))
    await store.append(tx, decision)
    await announce.on_ledger(tx, book, closed)
    await announce.decided(tx, decision, book)
    return decision
