"""Referrals: a code to give away, a new member who brings it, and points for both."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain import awards, referrals
from services.loyalty.domain.accounts import MemberState
from services.loyalty.domain.awards import Award
from services.loyalty.domain.closing import Batch
from services.loyalty.domain.postings import Gift
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.referrals import Referred
from services.loyalty.handlers import announce, books, enrol
from services.loyalty.store import awards as award_store
from services.loyalty.store import referrals as store
from services.loyalty.store.referrals import Seen
from shared import ids
from shared.db import Tx

CHUNK = 200
TRIES = 5
"""Codes that another member might have already."""


async def make_code(tx: Tx, member_id: UUID) -> str:
    """Return the code of a member, who gets one if they have none."""
    await enrol.locked(tx, member_id)
    for _ in range(TRIES):
        known = await store.load_code(tx, member_id)
        if known is not None:
            return known
        await store.add_code(tx, member_id, referrals.new_code())
    message = "no code was free"
    raise AssertionError(message)


async def list_of_member(
    tx: Tx, member_id: UUID, *, after: tuple[datetime, str] | None, limit: int
) -> tuple[str | None, Sequence[Referred]]:
    """Return a member's code, and whom they brought, the newest first."""
    await enrol.get(tx, member_id)
    code = await store.load_code(tx, member_id)
    return code, await store.list_of_member(tx, member_id, after=after, limit=limit)


def place(one: Referred) -> tuple[datetime, str]:
    """Return the place of one in that list."""
    return store.place(one)


async def follow(tx: Tx, context: LoyaltyContext, *, limit: int = CHUNK) -> int:
    """Bring up to ``limit`` referrals to now; return how many there were.

    Run twice, or in two processes, it finds under the locks that nothing is left to do.
    """
    programme = await context.rules.follow(tx)
    now = context.clock.now()
    due = await store.list_open(tx, now, limit=limit)
    if not due:
        return 0
    sides = {side for one in due for side in (one.known.referred_id, one.known.member_id)}
    members = await books.lock(tx, sides, context)
    await store.lock_members(tx, sides)
    among = {one.known.referred_id for one in due}
    seen = await store.list_open(tx, now, limit=limit, among=among)
    if not seen:
        return len(due)
    decided = [_decide(one, programme, context) for one in seen]
    gifts = await _give(tx, list(zip(seen, decided, strict=True)), programme, members)
    await store.write(tx, decided)
    book = books.open_book(members, context)
    closed = await books.write(tx, Batch(book, now, gifts=gifts))
    await announce.on_ledger(tx, book, closed)
    return len(due)


def _decide(seen: Seen, programme: Programme, context: LoyaltyContext) -> Referred:
    return referrals.decide(
        seen.known,
        seen.first,
        programme,
        now=context.clock.now(),
        is_member=seen.both_are_members,
    )


async def _give(
    tx: Tx,
    decided: Sequence[tuple[Seen, Referred]],
    programme: Programme,
    members: dict[UUID, MemberState],
) -> list[Gift]:
    """Write down what both sides get now, and return what that moves."""
    both = {
        award.award_id: award
        for seen, known in decided
        for award in referrals.deserved(known, seen.first, programme)
    }
    given = await award_store.load(tx, both)
    limits = {
        (known.member_id, referrals.terms(known, programme).rule): referrals.terms(known, programme)
        for _, known in decided
    }
    of_year = {
        (one.member_id, one.rule, one.period) for one in both.values() if one.period and one.points
    }
    counts = await store.count_rewarded(tx, of_year) if of_year else {}
    changed: list[Award] = []
    for award_id, award in both.items():
        before, after = given.get(award_id), award
        if award.period and award.points and not (before and before.points):
            key = award.member_id, award.period
            counts[key] = counts.get(key, 0) + 1
            if counts[key] > limits[award.member_id, award.rule].per_year:
                after = award.taken_back()
        if before != after and (before or after.points):
            changed.append(after)
    await award_store.write(tx, changed)
    return [
        awards.change(
            given.get(one.award_id),
            one,
            ids.derived_id(one.award_id, "referral", members[one.member_id].version),
            programme,
        )
        for one in changed
    ]
