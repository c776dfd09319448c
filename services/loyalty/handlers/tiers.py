"""Bring what was announced of tiers to where members stand: after a batch, and as time passes."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain import explain, tier_reviews, tiers, why
from services.loyalty.domain.accounts import MemberState, line
from services.loyalty.domain.becoming import ReceiptState
from services.loyalty.domain.fold import Book
from services.loyalty.domain.ladder import Ladder
from services.loyalty.domain.tier_reviews import Cause
from services.loyalty.handlers import announce, books
from services.loyalty.store import tier_counting
from services.loyalty.store import tiers as store
from shared import ids
from shared.db import Tx

REVIEWED_MAX = 500
"""Members in one transaction of the job."""


async def review_moved(tx: Tx, book: Book, as_of: datetime) -> None:
    """Review the members whose tier a folded batch may have changed.

    Where a calendar year counts that is hardly anyone, and nothing is read or written.
    """
    causes = [
        Cause(
            member_id,
            event.id,
            _not_before(book.members[member_id], as_of),
            event.time,
            imported=why.is_history(event),
        )
        for member_id, event in book.moved.items()
    ]
    await review(tx, book, causes)


async def review_due(tx: Tx, context: LoyaltyContext, *, limit: int = REVIEWED_MAX) -> int:
    """Review up to ``limit`` members whose tier the clock may have changed; return how many.

    Whoever dies in the middle has changed nothing. Who comes twice, or at once with another,
    waits for the accounts and then finds nothing due.
    """
    now = context.clock.now()
    due = await store.list_due(tx, now, limit=limit)
    members = await books.lock(tx, due, context)
    book = books.open_book(members, context)
    causes = [
        Cause(member_id, ids.new_id(), _not_before(state, now))
        for member_id, state in members.items()
        if state.tier_review_at is not None and state.tier_review_at <= now
    ]
    await review(tx, book, causes)
    await announce.on_tiers(tx, book)
    return len(due)


async def recount(tx: Tx, ladder: Ladder, now: datetime) -> int:
    """Count all receipts again by another measure or window; return how many members have some.

    All in one transaction, in which nothing else can be settled: whoever dies in the middle has
    changed nothing, and who comes twice finds the same sums. The job then announces what changed.
    """
    return await tier_counting.recount(tx, ladder, now)


def cause(member: MemberState, member_id: UUID, cause_id: UUID, as_of: datetime) -> Cause:
    """Return that something beside receipts and the clock has changed what a member counts."""
    return Cause(member_id, cause_id, _not_before(member, as_of), as_of)


def _not_before(member: MemberState, as_of: datetime) -> datetime:
    """Return when a member is looked at: never before the last time.

    The clocks of our machines differ, and a tier must not come back for a second.
    """
    return max(as_of, member.tier_at or as_of)


async def review(tx: Tx, book: Book, causes: Sequence[Cause]) -> None:
    """Look at members whose accounts are locked, and record what is to be announced of them."""
    if not causes:
        return
    ladder, members = book.programme.ladder, book.members
    counting = await _load_disputed(tx, book, causes)
    reviewed: dict[UUID, MemberState] = {}
    for cause in causes:
        member = members[cause.member_id]
        before = (member.tier, member.tier_review_at)
        receipts = counting.get(cause.member_id)
        found = (
            tiers.standing_by_sums(ladder, member.spend, cause.as_of)
            if receipts is None
            else tiers.standing(ladder, receipts, cause.as_of)
        )
        change, notice = tier_reviews.review(ladder, member, found, cause)
        book.tier_changes += [change] if change else []
        book.tier_notices += [notice] if notice else []
        if before != (member.tier, member.tier_review_at):
            reviewed[cause.member_id] = member
    if reviewed:
        await store.update_reviewed(tx, reviewed)
    if book.tier_changes:
        words = [explain.tier_reason(change, book.programme) for change in book.tier_changes]
        await store.append_changes(tx, list(zip(book.tier_changes, words, strict=True)))
    if book.tier_notices:
        told = await store.append_notices(tx, book.tier_notices)
        book.tier_notices = [one for one in book.tier_notices if one.member_id in told]


async def _load_disputed(
    tx: Tx, book: Book, causes: Sequence[Cause]
) -> dict[UUID, list[ReceiptState]]:
    """Return the receipts of those members of whom sums do not tell where they stand.

    What the book knows of a receipt is newer than its row.
    """
    ladder = book.programme.ladder
    disputed = {
        cause.member_id: tiers.first_relevant(ladder, cause.as_of)
        for cause in causes
        if tiers.is_disputed(ladder, book.members[cause.member_id], cause.as_of)
    }
    if not disputed:
        return {}
    found = await store.load_counting(tx, disputed.keys(), since=min(disputed.values()))
    for receipt_id, receipt in book.receipts.items():
        heirs = line(book.members, receipt.member_id) if receipt.member_id else ()
        for member_id, own in found.items():
            if member_id in heirs:
                own[receipt_id] = receipt
            else:
                own.pop(receipt_id, None)
    return {member_id: list(own.values()) for member_id, own in found.items()}
