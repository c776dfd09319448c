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
from typing import Literal, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from services.loyalty.domain import settle, tier_reviews
from services.loyalty.domain.accounts import MemberState, line
from services.loyalty.domain.caps import Cap, Claim, Grant, Period
from services.loyalty.domain.ladder import EVER, Returns, without_points
from services.loyalty.domain.lots import NEVER
from services.loyalty.domain.programme import Programme, Version
from services.loyalty.domain.receipts import Occasion, ReceiptEvent, ReceiptRevision
from services.loyalty.domain.settle import Settlement
from services.loyalty.domain.terms import ends_at
from services.loyalty.domain.tier_reviews import TierChange, TierNotice

Why = Literal[
    "purchase",
    "return",
    "void",
    "amendment",
    "attribution",
    "moved_away",
    "correction",
    "cap",
    "opening",
    "hold",
    "capture",
    "release",
    "returned",
    "activation",
    "expiry",
    "adjustment",
    "award",
    "merged_away",
    "merged_in",
    "loss",
    "approval",
]
Approval = Literal["waiting", "approved", "rejected"]

_WHY: dict[str, Why] = {
    "purchase.recorded.v1": "purchase",
    "purchase.returned.v1": "return",
    "purchase.voided.v1": "void",
    "purchase.amended.v1": "amendment",
    "purchase.attributed.v1": "attribution",
}


def is_history(event: Occasion) -> bool:
    """Whether nobody is told of it: an imported receipt as such, not what comes of it later."""
    return event.data.imported and _WHY.get(event.type) in {"purchase", "attribution"}


@dataclass(slots=True)
class ReceiptState:
    """What was posted for a receipt so far; ``revision`` 0 means that it is new here."""

    member_id: UUID | None = None
    revision: int = 0
    posted: int = 0
    qualifying_minor: int = 0
    year: int = 0
    """The period in which it counts for the tier (see ``domain.ladder``)."""
    desired: int = 0
    """What it would be worth if nothing were capped."""
    occurred_at: datetime | None = None
    begins_at: datetime | None = None
    """From when on its points can be spent."""
    store_id: str = ""
    version: Version | None = None
    """The rules in force when it happened; None where nothing could be earned."""
    counts: tuple[int, ...] = ()
    """What it adds to each challenge of that version; empty where to none."""

    returns: Returns = ()
    """What came off ``qualifying_minor`` since it was sold."""
    approval: Approval | None = None
    """None where it need not wait for the staff; a decision stays whatever revision comes."""
    approved_at: datetime | None = None
    due_at: datetime | None = None
    """While it waits: when its points would begin if it did not."""
    day: date | None = None
    """Of the sale, once ``local_day`` was asked."""

    @property
    def visited_at(self) -> datetime | None:
        """Return when it kept points alive that end by inactivity; None for one without points."""
        if not self.posted or self.occurred_at is None:
            return None
        return min(self.occurred_at, self.begins_at or self.occurred_at)

    def local_day(self, at: datetime, zone: ZoneInfo) -> date:
        """Return the day of the sale, ``at``, in ``zone``."""
        if self.day is None:
            self.day = at.astimezone(zone).date()
        return self.day

    def expires_at(self, zone: ZoneInfo) -> datetime | None:
        """Return when its points end; None where they never do, or nothing could be earned."""
        if self.version is None or self.occurred_at is None:
            return None
        return ends_at(self.version.expiry, self.local_day(self.occurred_at, zone), zone)


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
    periods: dict[tuple[UUID, datetime], Period] = field(init=False)

    def __post_init__(self) -> None:
        """Put the receipts as loaded into their periods."""
        self.receipts = dict(self.loaded)
        self.periods = {}
        if self.programme.capped_per is not None:
            known = [_claim(self, *one) for one in self.receipts.items()]
            for key, claim in sorted(filter(None, known), key=lambda one: one[1].place):
                self.periods.setdefault(key, Period()).put(claim)


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
    net = settlement = settle.settle(receipt, book.programme)
    after = _settled(receipt, net, book.programme)
    if before.approval is not None or (after.version and after.version.pending):
        settlement = _judge(book.programme, event, net, before=before, after=after)
    if receipt.revision > 1 and after.member_id is not None:
        after.returns = _came_back(book.programme, receipt, net, after)
    why = _WHY.get(event.type, "correction")
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
    granted = _share(book, receipt_id, before, after)
    own = granted.pop(receipt_id, None) or _alone(after)
    after.posted = own.points
    book.receipts[receipt_id] = after
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
    for other_id, grant in granted.items():
        _regrant(book, event, other_id, grant)


def _settled(
    receipt: ReceiptRevision, settlement: Settlement, programme: Programme
) -> ReceiptState:
    """Return the receipt's state but for ``posted``, which the caps decide."""
    zone = programme.time_zone
    after = ReceiptState(receipt.member_id, receipt.revision, occurred_at=receipt.occurred_at)
    day = after.local_day(receipt.occurred_at, zone)
    after.year = programme.ladder.period(day)
    after.store_id = receipt.store_id
    if after.member_id is not None and settlement.version is not None:
        after.desired = settlement.points
        after.qualifying_minor = settlement.qualifying_minor
        after.version, after.counts = settlement.version, settlement.counts
    after.begins_at = settle.begins_at(receipt, after.version, day, zone)
    return after


def _judge(
    programme: Programme,
    event: ReceiptEvent,
    net: Settlement,
    *,
    before: ReceiptState,
    after: ReceiptState,
) -> Settlement:
    """Let a receipt wait for the staff, or be what they decided on it; return what it is worth.

    That is more than ``net`` where points stay that had begun when goods came back.
    """
    receipt = event.data
    if before.approval == "rejected":
        after.approval, after.desired, after.counts = before.approval, 0, ()
        return net
    if before.approval == "approved" and before.approved_at and after.begins_at:
        after.approval, after.approved_at = before.approval, before.approved_at
        after.begins_at = max(after.begins_at, before.approved_at)
    version, begins_at = after.version, after.begins_at
    if version is None or begins_at is None:
        return net
    worth = settle.keep(net, receipt, programme, begins_at)
    after.desired = worth.points
    above = version.pending.approval_above if version.pending else None
    if after.approval is None and above is not None and after.desired > above:
        # Until somebody has decided nothing has begun, so that all that came back is taken.
        after.approval, after.due_at, after.begins_at = "waiting", begins_at, NEVER
        after.desired = net.points
        return net
    return worth


def _came_back(
    programme: Programme, receipt: ReceiptRevision, net: Settlement, after: ReceiptState
) -> Returns:
    """Return what came off what a receipt counts; points that stay, or never were, did not."""
    found = settle.came_back(receipt, net, programme)
    if not found or after.version is None or after.begins_at is None:
        return found
    if after.approval == "rejected":
        return without_points(found, EVER)
    since = settle.stays_from(receipt, after.version, after.begins_at)
    return found if since is None else without_points(found, since)


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
    """Move a receipt in the periods of its members; return whose grants that changed."""
    if book.programme.capped_per is None:
        return {}
    changed: dict[UUID, Grant] = {}
    was, now = _claim(book, receipt_id, before), _claim(book, receipt_id, after)
    if was and (now is None or (was[0], was[1].place) != (now[0], now[1].place)):
        changed |= book.periods[was[0]].remove(was[1])
    if now:
        period = book.periods.setdefault(now[0], Period())
        changed |= period.put(now[1])
        changed[receipt_id] = period.grant(now[1])
    return changed


def _regrant(book: Book, event: Occasion, receipt_id: UUID, grant: Grant) -> None:
    """Post what a changed period gives to, or takes from, another receipt."""
    before = book.receipts[receipt_id]
    if before.member_id is None or grant.points == before.posted:
        return
    after = book.receipts[receipt_id] = replace(before, posted=grant.points)
    settlement = Settlement(after.posted, after.qualifying_minor, [], after.version)
    change = Change(
        event, receipt_id, before.member_id, "cap", before, after, settlement, grant.cap
    )
    _apply(book, change)


def _apply(book: Book, change: Change) -> None:
    event, member_id = change.event, change.member_id
    member = book.members.get(member_id)
    if member is None:
        member = book.members[member_id] = MemberState(0, 0, event.time, {}, None)
    elif event.time > member.last_event_at:
        member.last_event_at = event.time
    if change.points:
        book.changes.append(change)


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
        had = before if member_id in losing else nothing
        has = after if member_id in gaining else nothing
        if tier_reviews.count(book.programme.ladder, book.members[member_id], had, has):
            book.moved[member_id] = event
