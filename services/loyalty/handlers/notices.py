"""Telling members of points that are about to end: once for each end, whoever tells it."""

from datetime import datetime
from uuid import UUID

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain import notices
from services.loyalty.domain.accounts import MemberState
from services.loyalty.domain.notices import Notice
from services.loyalty.domain.postings import Holdings
from services.loyalty.domain.programme import Programme
from services.loyalty.handlers import announce, books
from services.loyalty.store import ledger
from services.loyalty.store import notices as store
from services.loyalty.store.notices import Key
from shared.db import Tx

CHUNK = 500
"""Ends in one transaction."""
FIRST = UUID(int=0)


async def tell_dated(
    tx: Tx, context: LoyaltyContext, *, after: Key | None, limit: int = CHUNK
) -> Key | None:
    """Tell of points that have a day on which they end; return where to go on, None at the end.

    What is left of them is read without a lock: who spends them at that moment has spent them a
    moment later. Whoever dies in the middle has told nothing, and who comes twice finds it told.
    """
    programme, now = await context.rules.follow(tx), context.clock.now()
    until = programme.notice_until(now)
    if until is None:
        return None
    found = await store.list_dated(tx, after or (now, FIRST), until, limit=limit)
    ahead = [one for one in found if one.ends_at > now]
    await announce.expiring(tx, await store.append(tx, ahead, now), programme, now)
    return (found[-1].ends_at, found[-1].member_id) if len(found) == limit else None


async def tell_idle(
    tx: Tx, context: LoyaltyContext, *, after: Key | None, limit: int = CHUNK
) -> Key | None:
    """Tell of points that end by inactivity if nothing more happens; likewise.

    An account knows only a time before which none of them ends. Where that is near, the end is
    worked out from the member's facts and remembered, so that who has come since is not looked at
    again until it is near anew. An end that has moved is another end, and told anew.
    """
    programme, now = await context.rules.follow(tx), context.clock.now()
    until = programme.notice_until(now)
    if until is None or not programme.by_inactivity:
        return None
    found = await store.list_idle(tx, after or (now, FIRST), until, limit=limit)
    wanted = {member_id for (_, member_id), told in found if not told}
    if wanted:
        members = await books.lock(tx, wanted, context)
        holdings = await books.load_holdings(tx, wanted)
        ahead = [
            notice
            for member_id, held in holdings.items()
            for notice in _look(member_id, members[member_id], held, programme=programme, now=now)
            if notice.ends_at <= until
        ]
        await ledger.update_accounts(tx, members)
        await announce.expiring(tx, await store.append(tx, ahead, now), programme, now)
    return found[-1][0] if len(found) == limit else None


def _look(
    member_id: UUID, member: MemberState, held: Holdings, *, programme: Programme, now: datetime
) -> list[Notice]:
    """Remember the next end by inactivity, and return what ends when."""
    ends = notices.idle_ends(held, programme)
    # What is over and not swept yet stays for the sweep.
    if member.idle_at is not None and member.idle_at > now:
        member.idle_at = min((end for end in ends if end > now), default=None)
    return [Notice(member_id, end, points) for end, points in ends.items() if points and end > now]
