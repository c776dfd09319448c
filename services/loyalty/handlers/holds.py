"""Holds: grant, capture, release, end; and purchases that name them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain import closing, drawing, spending
from services.loyalty.domain.closing import Batch
from services.loyalty.domain.fold import Book
from services.loyalty.domain.lots import Drawn
from services.loyalty.domain.possession import Claim
from services.loyalty.domain.postings import Holdings, SpendChange
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.rewards import Price, Taker
from services.loyalty.domain.spending import Spend
from services.loyalty.handlers import announce, books, enrol, possession, rewards
from services.loyalty.store import gift_cards, ledger, spends
from services.loyalty.store.lots import list_due, list_idle
from shared import ids
from shared.auth import Caller
from shared.contracts.purchases import PurchaseEvent
from shared.db import Tx
from shared.errors import Refused

SWEPT_MAX = 500
"""Members in one transaction of the sweep."""
STUCK_AFTER = timedelta(seconds=60)
"""So long after its end a hold that is still open is stuck: the sweep is not doing its work."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A hold that a till or an app asks for: of points, or of a reward at its price."""

    claim: Claim
    ttl_s: int
    points: int | None = None
    reward_id: str | None = None
    """Exactly one of the two."""


async def open_hold(tx: Tx, wish: Wish, caller: Caller, context: LoyaltyContext) -> Spend:
    """Reserve points; ``Refused`` (409) where fewer are available.

    The account's lock decides between two that want the same points: the second sees what the
    first left. Points whose end has come are not available, posted so or not. A reward's stock is
    locked behind the account and decides in the same way, as the member's limit does; the version
    of the rules in force at the time of the grant says the price and the terms.
    """
    member_id = wish.claim.member_id
    proof = await possession.prove(tx, wish.claim, caller, context)
    if wish.points is not None:
        possession.require_possession(proof, wish.points, context)
        if wish.points > proof.available + proof.pending:
            # Nobody need wait for the lock to hear that.
            raise _insufficient(proof.available)
    members = await books.lock(tx, {member_id}, context, counting=False)
    if (merge := members[member_id].merge) is not None:
        raise enrol.departed(merge.into_id)  # meanwhile
    now = context.clock.now()
    holdings = await books.load_left(tx, member_id, members, now)
    now = grant_time(holdings, now)
    if wish.reward_id is not None:
        taken = await spends.load_rewards(tx, member_id, wish.reward_id)
        taker = Taker(members[member_id].tier, taken, now)
        price = await rewards.price(tx, wish.reward_id, member_id, taker, context=context)
        possession.require_possession(proof, price.points, context)
    else:
        price = Price(wish.points or 0)
    must_be_there(holdings, price.points, now, context.programme)
    if price.reward_id is not None:
        await rewards.must_be_in_stock(tx, price.reward_id)
    hold = _granted(wish, price, caller, now)
    change = SpendChange(None, hold, ids.derived_id(hold.spend_id, "hold"), now)
    book = books.open_book(members, context)
    await books.post(tx, Batch(book, now, spends=[change]), known={member_id: holdings})
    return hold


def _granted(wish: Wish, price: Price, caller: Caller, now: datetime) -> Spend:
    return Spend(
        spend_id=ids.new_id(),
        member_id=wish.claim.member_id,
        points=price.points,
        taken=price.points,
        captured=0,
        state="held",
        at=now,
        expires_at=now + timedelta(seconds=wish.ttl_s),
        identified_by=wish.claim.kind,
        opened_by=caller.key_id,
        store_id=caller.store_id,
        reward_id=price.reward_id,
        programme_version=price.programme_version,
        gift_card_minor=price.gift_card_minor,
    )


def grant_time(holdings: Holdings, now: datetime) -> datetime:
    """Return ``now``, and not before anything that was already granted or can be spent.

    The clocks of our machines differ; what is granted later must be later.
    """
    begun = [lot.activates_at for lot, drawn in holdings.lots.values() if drawn.active]
    granted = [spend.at for spend in holdings.spends.values()]
    return max([now, *begun, *granted])


def must_be_there(holdings: Holdings, points: int, now: datetime, programme: Programme) -> None:
    """Raise ``Refused`` (409) where fewer points are available at ``now``."""
    drawn = _drawn(holdings, now, programme)
    available = sum(one.remaining for one in drawn.values() if one.active)
    if points > available:
        raise _insufficient(available)


def _drawn(holdings: Holdings, now: datetime, programme: Programme) -> Mapping[UUID, Drawn]:
    if holdings.left_only:
        return drawing.draw_left(holdings.lots, (), as_of=now, lost=0).drawn
    known = [lot for lot, _ in holdings.lots.values()]
    spends, visits = holdings.spends.values(), holdings.visits.values()
    return drawing.draw(known, spends, visits, programme=programme, as_of=now).drawn


def _insufficient(available: int) -> Refused:
    detail = f"There are {available} points available."
    return Refused("points_insufficient", detail, available=available)


async def get(tx: Tx, spend_id: UUID, caller: Caller) -> Spend:
    """Return a hold; 404 for one that there is not, or that another store asked for."""
    found = await spends.load_one(tx, spend_id)
    other_store = caller.role == "terminal" and found and found.store_id != caller.store_id
    if found is None or other_store or not found.is_hold:
        raise Refused("hold_unknown", "There is no such hold.", status=404)
    return found


async def capture(
    tx: Tx, spend_id: UUID, caller: Caller, context: LoyaltyContext, *, points: int | None
) -> Spend:
    """Spend a hold, all of it or ``points``; the rest goes back."""
    return await _close(
        tx, spend_id, caller, context, step=lambda spend, now: spending.capture(spend, points, now)
    )


async def release(tx: Tx, spend_id: UUID, caller: Caller, context: LoyaltyContext) -> Spend:
    """Give a hold back."""
    return await _close(tx, spend_id, caller, context, step=spending.release)


async def _close(
    tx: Tx,
    spend_id: UUID,
    caller: Caller,
    context: LoyaltyContext,
    *,
    step: Callable[[Spend, datetime], Spend],
) -> Spend:
    members = await ledger.lock_owners(tx, {spend_id})
    before = await get(tx, spend_id, caller)
    now = max(context.clock.now(), before.at)
    after = step(before, now)
    change = SpendChange(before, after, ids.derived_id(spend_id, after.state), now)
    await books.post(tx, Batch(books.open_book(members, context), now, spends=[change]))
    return after


@dataclass(frozen=True, slots=True)
class Named:
    """The holds that a batch of purchases may change, and whose they are."""

    spend_ids: set[UUID]
    member_ids: set[UUID]


async def find_named(tx: Tx, events: Sequence[PurchaseEvent]) -> Named:
    """Return the holds that purchases name, or that an earlier revision of one had named.

    The revision that dropped a hold may be overtaken by one behind it, so any later one asks.
    """
    named = {hold_id for event in events for hold_id in event.data.hold_ids}
    found = await spends.load(tx, named) if named else {}
    changed = {event.data.receipt_id for event in events if event.data.revision > 1}
    if changed:
        found |= await spends.load_captured(tx, changed)
    return Named(set(found), {spend.member_id for spend in found.values()})


async def capture_named(
    tx: Tx, book: Book, events: Sequence[PurchaseEvent], named: Named, *, now: datetime
) -> list[SpendChange]:
    """Return what purchases make of the holds that they name, once the book is folded."""
    if not named.spend_ids:
        return []
    return closing.name_holds(book, events, await spends.load(tx, named.spend_ids), now)


async def sweep(tx: Tx, context: LoyaltyContext, *, limit: int = SWEPT_MAX) -> int:
    """Bring up to ``limit`` members to now: holds that are over, lots that begin or end.

    Returns how many were looked at. Whoever dies in the middle has changed nothing, and who
    comes twice finds nothing left to do.
    """
    now = context.clock.now()
    over = {one.spend_id: one for one in await spends.list_over(tx, now, limit=limit)}
    due = set(await list_due(tx, now, limit=limit))
    due |= set(await list_idle(tx, now, limit=limit))
    wanted = due | {one.member_id for one in over.values()}
    if not wanted:
        return 0
    members = await books.lock(tx, wanted, context)
    # Again, now that nobody else can change them.
    states = (await spends.load(tx, set(over))).values() if over else ()
    changes = [
        SpendChange(one, spending.expire(one), ids.derived_id(one.spend_id, "expired"), now)
        for one in states
        if spending.is_over(one, now)
    ]
    book = books.open_book(members, context)
    closed = await books.write(tx, Batch(book, now, spends=changes), redraw=due)
    await announce.on_ledger(tx, book, closed)
    return len(wanted)


async def count_stuck(tx: Tx, context: LoyaltyContext) -> Mapping[str, int]:
    """Return how many holds are stuck, by what they keep."""
    since = context.clock.now() - STUCK_AFTER
    return {
        "points": await spends.count_over(tx, since),
        "gift_card": await gift_cards.count_due_holds(tx, since),
    }
