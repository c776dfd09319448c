"""What screens and tills ask of the ledger."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain import came_back, drawing, tier_views, tiers
from services.loyalty.domain.accounts import gain
from services.loyalty.domain.becoming import ReceiptState
from services.loyalty.domain.came_back import CameBack
from services.loyalty.domain.explain import Explanation, Recorded, explain
from services.loyalty.domain.lots import NEVER, Drawn, Lot
from services.loyalty.domain.tier_views import TierView
from services.loyalty.handlers import books, enrol
from services.loyalty.store import lots, reads
from services.loyalty.store import tiers as tier_store
from shared.db import Tx
from shared.errors import Refused


@dataclass(frozen=True, slots=True)
class Balance:
    """Where a member stands now."""

    account: reads.Account
    value_minor: int
    currency: str
    next_expiry: tuple[datetime, int] | None
    tier: TierView
    merged_into: UUID | None
    """Who has the points now; None for all but merged members."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the ledger, explained."""

    version: int
    points: int
    """As the member sees it: negative where points were taken, 0 where they only became
    available, or were spent that had been reserved before."""
    from_account: str
    to_account: str
    available_after: int
    cause_id: UUID
    receipt_id: UUID | None
    occurred_at: datetime
    posted_at: datetime
    explanation: Explanation


async def balance(tx: Tx, member_id: UUID, context: LoyaltyContext) -> Balance:
    """Return a member's points, tier and next expiry; 404 for nobody's id."""
    known = await enrol.get(tx, member_id)
    programme, now = await context.rules.follow(tx), context.clock.now()
    account = await reads.load_account(tx, member_id)
    counting = (await tier_store.load_counting(tx, {member_id}, since=0))[member_id].values()
    found = tiers.standing(programme.ladder, counting, now)
    return Balance(
        account=account,
        value_minor=programme.value_minor(account.available),
        currency=programme.currency,
        next_expiry=await _next_expiry(tx, member_id, now, context),
        tier=tier_views.view(programme.ladder, found, counting, now),
        merged_into=known.member.merged_into,
    )


async def _next_expiry(
    tx: Tx, member_id: UUID, now: datetime, context: LoyaltyContext
) -> tuple[datetime, int] | None:
    if not context.programme.by_inactivity:
        return await lots.next_expiry(tx, member_id, now)
    ending: Counter[datetime] = Counter()
    for one, drawn in await _lots(tx, member_id, context):
        if drawn.active and drawn.remaining and one.expires_at and one.expires_at > now:
            ending[one.expires_at] += drawn.remaining
    return min(ending.items(), default=None)


async def _lots(tx: Tx, member_id: UUID, context: LoyaltyContext) -> Sequence[tuple[Lot, Drawn]]:
    """Return all lots of a member, with the ends that follow from what they did so far."""
    held = (await books.load_holdings(tx, {member_id}))[member_id]
    known = [one for one, _ in held.lots.values()]
    zone = context.programme.time_zone
    ending = drawing.with_ends(known, held.spends.values(), held.visits.values(), zone)
    return [(one, held.lots[one.lot_id][1]) for one in ending]


async def ends(tx: Tx, member_id: UUID, context: LoyaltyContext) -> dict[UUID, datetime | None]:
    """Return when each lot of a member ends that does so by inactivity."""
    if not context.programme.by_inactivity:
        return {}
    found = await _lots(tx, member_id, context)
    return {
        one.lot_id: None if one.expires_at == NEVER else one.expires_at
        for one, _ in found
        if one.inactive_months
    }


async def entries(
    tx: Tx, member_id: UUID, context: LoyaltyContext, *, before: int | None, limit: int
) -> list[Entry]:
    """Return a member's entries, newest first, each with its explanation."""
    await enrol.get(tx, member_id)
    rows = await reads.list_entries(tx, member_id, before=before, limit=limit)
    await context.rules.follow(tx)
    return [_entry(row, context) for row in rows]


def _entry(row: Any, context: LoyaltyContext) -> Entry:  # noqa: ANN401  a row of ``entry``
    points = gain(row.from_account, row.to_account, row.points)
    return Entry(
        version=row.version,
        points=points,
        from_account=row.from_account,
        to_account=row.to_account,
        available_after=row.available_after,
        cause_id=row.cause_id,
        receipt_id=row.receipt_id,
        occurred_at=row.occurred_at,
        posted_at=row.posted_at,
        explanation=explain(
            Recorded(**row.explain),
            points,
            row.programme_version,
            context.programme,
            moved=(row.from_account, row.to_account, row.points),
        ),
    )


async def open_lots(
    tx: Tx, member_id: UUID, context: LoyaltyContext, *, limit: int
) -> Sequence[tuple[Lot, Drawn]]:
    """Return a member's lots with something left, the next to expire first."""
    await enrol.get(tx, member_id)
    if not context.programme.by_inactivity:
        return await lots.list_lots(tx, member_id, limit=limit)
    left = [one for one in await _lots(tx, member_id, context) if one[1].remaining]
    return sorted(left, key=lambda one: (one[0].expires_at or NEVER, one[0].lot_id.int))[:limit]


async def tier_changes(
    tx: Tx, member_id: UUID, *, before: int | None, limit: int
) -> "Sequence[Any]":
    """Return a member's changes of tier as they were announced, newest first."""
    await enrol.get(tx, member_id)
    return await tier_store.list_changes(tx, member_id, before=before, limit=limit)


async def receipt(
    tx: Tx, member_id: UUID, receipt_id: UUID, context: LoyaltyContext
) -> tuple[ReceiptState, Sequence[CameBack]]:
    """Return a receipt of a member as it stands, and what came back of it; 404 for another's."""
    await enrol.get(tx, member_id)
    programme = await context.rules.follow(tx)
    state = await reads.load_receipt(tx, receipt_id, programme)
    if state is None or state.member_id != member_id:
        raise Refused("not_found", "The member has no such receipt.", status=404)
    return state, list(came_back.tell(state, programme))
