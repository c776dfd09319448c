"""Correct points by hand: ask, and above a limit let somebody else decide."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain import adjustments
from services.loyalty.domain.accounts import MemberState
from services.loyalty.domain.adjustments import Adjustment, State
from services.loyalty.domain.closing import Batch
from services.loyalty.handlers import announce, books, enrol, holds
from services.loyalty.store import adjustments as store
from shared import ids
from shared.auth import Caller
from shared.db import Tx
from shared.errors import Refused


@dataclass(frozen=True, slots=True)
class Wish:
    """An adjustment that somebody asks for."""

    member_id: UUID
    points: int
    """Negative takes from the member; not 0."""
    reason: str
    note: str | None
    expires_at: datetime | None


async def ask(tx: Tx, wish: Wish, caller: Caller, context: LoyaltyContext) -> Adjustment:
    """Post an adjustment, or leave it to somebody else if it is above the limit of one person.

    Raises ``Refused`` (409) where more would be taken than is available.
    """
    members = await _lock(tx, wish.member_id, context)
    now = context.clock.now()
    since = now - adjustments.ALONE_FOR
    alone = await store.sum_alone(tx, wish.member_id, caller.key_id, since=since)
    asked = Adjustment(
        adjustment_id=ids.new_id(),
        member_id=wish.member_id,
        points=wish.points,
        reason=wish.reason,
        state="pending_approval",
        asked_by=caller.key_id,
        asked_at=now,
        expires_at=wish.expires_at,
        note=wish.note,
    )
    if alone + abs(wish.points) > context.settings.adjustment_points_max_alone:
        await _check(tx, asked, context)
    else:
        asked = await _post(tx, replace(asked, state="posted"), members, context)
    await store.append(tx, asked)
    return asked


async def approve(
    tx: Tx, adjustment_id: UUID, caller: Caller, context: LoyaltyContext
) -> Adjustment:
    """Post what somebody else asked for; 409 where it can not be taken any more."""
    return await _decide(tx, adjustment_id, caller, context, verdict=adjustments.approve)


async def reject(
    tx: Tx, adjustment_id: UUID, caller: Caller, context: LoyaltyContext
) -> Adjustment:
    """Drop what somebody else asked for."""
    return await _decide(tx, adjustment_id, caller, context, verdict=adjustments.reject)


async def get(tx: Tx, adjustment_id: UUID) -> Adjustment:
    """Return an adjustment; 404 for one that there is not."""
    found = await store.load(tx, adjustment_id)
    if found is None:
        raise Refused("adjustment_unknown", "There is no such adjustment.", status=404)
    return found


async def list_by_state(
    tx: Tx, state: State | None, *, after: UUID | None, limit: int
) -> Sequence[Adjustment]:
    """Return adjustments, the longest asked for first."""
    return await store.list_adjustments(tx, state, after=after, limit=limit)


async def _decide(
    tx: Tx,
    adjustment_id: UUID,
    caller: Caller,
    context: LoyaltyContext,
    *,
    verdict: Callable[[Adjustment, str, datetime], Adjustment],
) -> Adjustment:
    member_id = (await get(tx, adjustment_id)).member_id
    members = await books.lock(tx, {member_id}, context)
    # Again: of two who decide at once, the second sees what the first said.
    before = await get(tx, adjustment_id)
    decided = verdict(before, caller.key_id, context.clock.now())
    if decided is before:
        return before
    if decided.state == "posted":
        await enrol.locked(tx, member_id)
        decided = await _post(tx, decided, members, context)
    await store.decide(tx, decided)
    return decided


async def _lock(tx: Tx, member_id: UUID, context: LoyaltyContext) -> dict[UUID, MemberState]:
    """Lock the account, then the member, so that nobody is erased meanwhile."""
    await enrol.get(tx, member_id)
    members = await books.lock(tx, {member_id}, context)
    await enrol.locked(tx, member_id)
    return members


async def _check(tx: Tx, adjustment: Adjustment, context: LoyaltyContext) -> datetime:
    """Return at what time it can be posted; ``Refused`` where it can not."""
    now = context.clock.now()
    if adjustment.points > 0:
        adjustments.must_not_have_ended(adjustment, now)
        return now
    member_id = adjustment.member_id
    holdings = (await books.load_holdings(tx, {member_id}))[member_id]
    now = holds.grant_time(holdings, now)
    holds.must_be_there(holdings, -adjustment.points, now, context.programme)
    return now


async def _post(
    tx: Tx, adjustment: Adjustment, members: dict[UUID, MemberState], context: LoyaltyContext
) -> Adjustment:
    now = await _check(tx, adjustment, context)
    posted = adjustments.with_end(adjustment, context.programme, now)
    book = books.open_book(members, context)
    if posted.points > 0:
        batch = Batch(book, now, gifts=[adjustments.as_gift(posted, context.programme, now)])
    else:
        batch = Batch(book, now, spends=[adjustments.as_spend(posted, now)])
    closed = await books.write(tx, batch)
    await announce.on_ledger(tx, book, closed)
    return posted
