"""The fold: receipts at their net state, in; what each event changes of their worth, out.

A ``Book`` holds what the database knew of the touched receipts and members. ``fold`` brings one
receipt event into it. Only the highest revision of a receipt counts and only its difference to
what was posted is posted, so any order, duplication and batching ends in the same book. Where a
cap ties the receipts of a day or month together, one event may change others of them, too.
``closing`` then posts the changes and the spends to the accounts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from services.loyalty.domain import tier_reviews, tiers
from services.loyalty.domain.accounts import MemberState, line
from services.loyalty.domain.becoming import ReceiptState, become
from services.loyalty.domain.caps import Cap, Claim, Grant, Period
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.receipts import Occasion, ReceiptEvent, ReceiptRevision
from services.loyalty.domain.settle import Settlement
from services.loyalty.domain.tier_reviews import TierChange, TierNotice
from services.loyalty.domain.why import WHY, Why


class Change(NamedTuple):
    """What one event does to one receipt of one member: from ``before`` to ``after``.

    Where a cap ties receipts together (``why`` is "cap"), it is not the event's own receipt.
    """

    event: Occasion
    receipt_id: UUID
    member_id: UUID
    why: Why
    before: ReceiptState
    after: ReceiptState
    settlement: Settlement
    cap: Cap | None = None
    """What keeps the receipt from getting all that it would be worth."""

    @property
    def points(self) -> int:
        """Return what is to be posted; negative takes from the member."""
        return self.after.posted - self.before.posted


@dataclass(slots=True)
class Book:
    """The working copy of one batch.

    Where the programme caps a day or a month, ``loaded`` holds all of the member's from those
    periods (``Programme.period``) in which the batch changes one.
    """

    programme: Programme
    loaded: Mapping[UUID, ReceiptState]
    members: dict[UUID, MemberState]
    receipts: dict[UUID, ReceiptState] = field(init=False)
    changes: list[Change] = field(default_factory=list[Change])
    moved: dict[UUID, Occasion] = field(default_factory=dict[UUID, Occasion])
    """Members whose tier may be another one now, and the last event that says so."""
    tier_changes: list[TierChange] = field(default_factory=list[TierChange])
    tier_notices: list[TierNotice] = field(default_factory=list[TierNotice])
    born: Mapping[UUID, date] = field(default_factory=dict[UUID, date])
    """Birth dates of members whose receipts ask for them, as far as they are known."""
    levels: Mapping[UUID, int] = field(default_factory=dict[UUID, int])
    """Receipt → the level before it, where sums do not tell (``domain.held``)."""
    releveled: dict[UUID, Occasion] = field(default_factory=dict[UUID, Occasion])
    """Receipts at whose sale another level was held than we thought, and what says so."""
    periods: dict[tuple[UUID, datetime], Period] = field(init=False)

    def __post_init__(self) -> None:
        """Put the receipts as loaded into their periods."""
        self.receipts = dict(self.loaded)
        self.periods = {}
        if self.programme.capped_per is not None:
            known = [_claim(self, *one) for one in self.receipts.items()]
            for key, claim in sorted(filter(None, known), key=lambda one: one[1].place):
                self.period(key).put(claim)

    def period(self, key: tuple[UUID, datetime]) -> Period:
        """Return a member's claims in the period that begins then."""
        period = self.periods.get(key)
        if period is None:
            period = self.periods[key] = Period()
        return period


def fold(book: Book, event: ReceiptEvent) -> None:
    """Bring one receipt event into the book; do nothing for a revision that is not newer."""
    receipt = event.data
    receipt_id = receipt.receipt_id
    before = book.receipts.get(receipt_id)
    if before is None:
        if receipt.member_id is None:
            return  # Anonymous until attributed: nobody to earn, nothing to remember.
        before = ReceiptState()
    elif receipt.revision <= before.revision:
        return
    after, settlement = become(
        book.programme,
        event,
        before,
        born=book.born,
        held=lambda after: _level(book, receipt, before, after),
    )
    why = WHY.get(event.type, "correction")
    bring(book, event, before, after, why=why, settlement=settlement)


def bring(  # noqa: PLR0913  what a change consists of
    book: Book,
    event: Occasion,
    before: ReceiptState,
    after: ReceiptState,
    *,
    why: Why,
    settlement: Settlement,
) -> None:
    """Put what has become of a receipt into the book, and what that does to others under a cap."""
    receipt_id, member_id = event.data.receipt_id, after.member_id
    own, others = _grant(book, receipt_id, before, after)
    first = before
    if before.member_id is not None and before.member_id != member_id:
        gone = ReceiptState(year=before.year, store_id=after.store_id)
        moved = Change(event, receipt_id, before.member_id, "moved_away", before, gone, settlement)
        _apply(book, moved)
        before = ReceiptState(year=after.year)
    if member_id is not None:
        change = Change(event, receipt_id, member_id, why, before, after, settlement, own.cap)
        _apply(book, change)
    _credit(book, event, first, after)
    for other_id, grant in others.items():
        _regrant(book, event, other_id, grant)


def _level(book: Book, receipt: ReceiptRevision, before: ReceiptState, after: ReceiptState) -> int:
    """Return the level that was held just before a sale."""
    level = book.levels.get(receipt.receipt_id)
    if level is None and before.member_id == after.member_id:
        level = before.level
    if level is not None:
        return level
    member = book.members.get(receipt.member_id) if receipt.member_id else None
    if member is None:
        return 0
    at = after.sold_at or receipt.occurred_at
    return tiers.held_by_sums(book.programme.ladder, member.spend, at)


def relevel(book: Book, event: Occasion, receipt_id: UUID, after: ReceiptState) -> None:
    """Let a receipt be worth what it is at another level, and say that ``event`` did it."""
    before, book.releveled[receipt_id] = book.receipts[receipt_id], event
    own, others = _grant(book, receipt_id, before, after)
    _follow(book, event, receipt_id, before, why="tier", cap=own.cap)
    for other_id, grant in others.items():
        _regrant(book, event, other_id, grant)


def _grant(
    book: Book, receipt_id: UUID, before: ReceiptState, after: ReceiptState
) -> tuple[Grant, dict[UUID, Grant]]:
    """Put a receipt into the book; return what it gets, and what others get now."""
    others = _share(book, receipt_id, before, after)
    own = others.pop(receipt_id, None) or _alone(after)
    after.posted = own.points
    book.receipts[receipt_id] = after
    return own, others


def _alone(state: ReceiptState) -> Grant:
    """Return what a receipt gets that no other can touch."""
    points, by = state.desired, None
    for cap in state.version.caps if state.version else ():
        if cap.per == "receipt" and cap.points < points:
            points, by = cap.points, cap
    return Grant(points, by)


def _claim(
    book: Book, receipt_id: UUID, state: ReceiptState
) -> tuple[tuple[UUID, datetime], Claim] | None:
    """Return which period a receipt belongs to, and what it claims there."""
    if state.member_id is None or state.occurred_at is None or state.version is None:
        return None
    day = state.local_day(state.occurred_at, book.programme.time_zone)
    period = book.programme.period(day)
    if period is None:
        return None
    claim = Claim(state.occurred_at, receipt_id, day, state.desired, state.version.caps)
    return (state.member_id, period[0]), claim


def _share(
    book: Book, receipt_id: UUID, before: ReceiptState, after: ReceiptState
) -> dict[UUID, Grant]:
    """Move a receipt in the periods of its members.

    Return what it gets, if it is in one, and whose grants that changed.
    """
    if book.programme.capped_per is None:
        return {}
    changed: dict[UUID, Grant] = {}
    was, now = _claim(book, receipt_id, before), _claim(book, receipt_id, after)
    if was and (now is None or (was[0], was[1].place) != (now[0], now[1].place)):
        changed |= book.periods[was[0]].remove(was[1])
    if now:
        changed |= book.period(now[0]).put(now[1])
    return changed


def _regrant(book: Book, event: Occasion, receipt_id: UUID, grant: Grant) -> None:
    """Post what a changed period gives to, or takes from, another receipt."""
    before = book.receipts[receipt_id]
    if before.member_id is None or grant.points == before.posted:
        return
    book.receipts[receipt_id] = replace(before, posted=grant.points)
    _follow(book, event, receipt_id, before, why="cap", cap=grant.cap)


def _follow(  # noqa: PLR0913  what a change consists of
    book: Book,
    event: Occasion,
    receipt_id: UUID,
    before: ReceiptState,
    *,
    why: Why,
    cap: Cap | None,
) -> None:
    """Post what has become of a receipt that the event itself is not about."""
    after = book.receipts[receipt_id]
    assert after.member_id is not None  # nobody's receipts are worth nothing
    settlement = Settlement(after.posted, after.qualifying_minor, [], after.version)
    _apply(book, Change(event, receipt_id, after.member_id, why, before, after, settlement, cap))


def _apply(book: Book, change: Change) -> None:
    event, member_id = change.event, change.member_id
    member = book.members.get(member_id)
    at = _last(event, change.after) if change.after.returns else event.time
    if member is None:
        member = book.members[member_id] = MemberState(0, 0, at, {}, None)
    elif at > member.last_event_at:
        member.last_event_at = at
    if change.points:
        book.changes.append(change)


def _last(event: Occasion, after: ReceiptState) -> datetime:
    """Return the newest time that an event tells of: a claim may be of what came back since."""
    return max(event.time, after.returns[-1][0]) if after.returns else event.time


def _credit(book: Book, event: Occasion, before: ReceiptState, after: ReceiptState) -> None:
    """Count what a receipt qualifies for, also for whoever took over from its member."""
    owner_id = after.member_id
    if owner_id is not None and before.member_id in (None, owner_id):
        owner = book.members[owner_id]
        if owner.merge is None:  # as nearly always
            if tier_reviews.count(book.programme.ladder, owner, before, after):
                book.moved[owner_id] = event
            return
    nothing = ReceiptState()
    losing = line(book.members, before.member_id) if before.member_id else []
    gaining = line(book.members, after.member_id) if after.member_id else []
    for member_id in dict.fromkeys((*losing, *gaining)):
        # Once for who has it before and after, so that no tier falls and rises by one event.
        book.members[member_id].hear(_last(event, after))
        had = before if member_id in losing else nothing
        has = after if member_id in gaining else nothing
        if tier_reviews.count(book.programme.ladder, book.members[member_id], had, has):
            book.moved[member_id] = event
