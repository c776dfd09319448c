"""The tier that was held at each sale, for rules that ask for it; a pure function of the history.

It is the one held just before the sale, by all that we know now: its own amount does not count,
nor what else was sold at the same instant. So what is heard of late may change the worth of the
sales after it. Most sales come in order, and what counts by then says it all; of the members of
whom it does not, the receipts are read (``late``), walked through once (``foresee``), and those
at whose sale another level was held are worth something else (``follow``).
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from services.loyalty.domain import fold, tiers
from services.loyalty.domain.accounts import MemberState, line
from services.loyalty.domain.becoming import ReceiptState, at_level, become
from services.loyalty.domain.fold import Book
from services.loyalty.domain.ladder import Ladder
from services.loyalty.domain.merges import Merge
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.receipts import Occasion, ReceiptEvent, ReceiptRevision

NONE = UUID(int=0)
"""Stands for a receipt where there is none."""


@dataclass(slots=True)
class Late:
    """A member at whose sales another level may have been held than we thought."""

    since: datetime
    """At sales from then on."""
    event: Occasion
    """What says so: of a batch the last."""
    counting: dict[UUID, datetime | None] = field(default_factory=dict[UUID, datetime | None])
    """Whose receipts count for this member, and from which merge on: at later sales only."""


def late(
    events: Iterable[ReceiptEvent],
    members: Mapping[UUID, MemberState],
    loaded: Mapping[UUID, ReceiptState],
    programme: Programme,
    *,
    now: datetime,
) -> dict[UUID, Late]:
    """Return the members of a batch of whom sums do not tell which level they had at each sale.

    ``now`` is not before the accounts were read, with the sums that matter from then on. All
    others have but new sales in it, each behind everything that we know of them.
    """
    found: dict[UUID, Late] = {}
    batch = _Batch(programme, members, now)
    states = dict(loaded)
    for event in events:
        receipt = event.data
        before = states.get(receipt.receipt_id)
        if before is not None and receipt.revision <= before.revision:
            continue
        at = min(receipt.occurred_at, receipt.received_at)
        owners = {one for one in (receipt.member_id, before and before.member_id) if one}
        if before is None:
            after = ReceiptState(receipt.member_id, receipt.revision, sold_at=at)
            in_order = batch.is_next_sale(receipt, at)
        else:
            after = _foreseen(event, before, programme, {})
            in_order = batch.is_next_return(before, after)
        states[receipt.receipt_id] = after
        since = min(at, _sold_at(programme.ladder, before)) if before else at
        for heir in {heir for one in owners for heir in line(members, one)}:
            if not in_order:
                known = found.setdefault(heir, Late(since, event))
                known.since, known.event = min(known.since, since), event
            if before is not None:
                batch.came_back.add(heir)
            batch.hear(heir, max(event.time, *(one.at for one in after.returns), at))
    return found


def _foreseen(
    event: ReceiptEvent,
    before: ReceiptState | None,
    programme: Programme,
    born: Mapping[UUID, date],
) -> ReceiptState:
    """Return what a revision counts, which is the same at every level, before it is folded."""
    known = before or ReceiptState()
    after, _ = become(programme, event, known, born=born, held=lambda _: 0)
    return after


@dataclass(frozen=True, slots=True)
class _NoReceipt:
    receipt_id: UUID = NONE
    store_id: str = ""
    imported: bool = False


@dataclass(frozen=True, slots=True)
class Joined:
    """A merge, or its end, as what changes the worth of receipts: it is about none itself."""

    id: UUID
    time: datetime
    data: _NoReceipt = _NoReceipt()
    type: str = "merge"


def joined(change: Merge, heirs: Iterable[UUID], cause_id: UUID) -> dict[UUID, Late]:
    """Return those who took over: at their sales after the merge, both count, or no longer do."""
    event = Joined(cause_id, change.undone_at or change.merged_at)
    return {heir: Late(change.merged_at, event) for heir in heirs}


def decided(
    event: Occasion, state: ReceiptState, members: Mapping[UUID, MemberState], ladder: Ladder
) -> dict[UUID, Late]:
    """Return whose tier a decision on a receipt may change: by points, one that is rejected."""
    if state.member_id is None or not ladder.by_points:
        return {}
    since = _sold_at(ladder, state)
    return {heir: Late(since, event) for heir in line(members, state.member_id)}


@dataclass(slots=True)
class _Batch:
    programme: Programme
    members: Mapping[UUID, MemberState]
    now: datetime
    newest: dict[UUID, datetime] = field(default_factory=dict[UUID, datetime])
    """The newest event of each member so far in the batch."""
    came_back: set[UUID] = field(default_factory=set[UUID])
    """Members of whom something did in the batch, of which the account does not know yet."""

    def hear(self, member_id: UUID, at: datetime) -> None:
        self.newest[member_id] = max(at, self.newest.get(member_id, at))

    def latest(self, member_id: UUID) -> datetime | None:
        """Return when the newest happened of all that counts; None where there is nothing."""
        member, latest = self.members[member_id], self.newest.get(member_id)
        if member.spend or member.returned:
            return max(latest or member.last_event_at, member.last_event_at)
        return latest  # an account that was opened just now says when that was

    def is_next_sale(self, receipt: ReceiptRevision, at: datetime) -> bool:
        """Whether a new receipt is a sale behind all that counts, and sums say what that is."""
        if receipt.member_id is None:
            return True
        member, ladder = self.members[receipt.member_id], self.programme.ladder
        if member.merge is not None or receipt.member_id in self.came_back:
            return False
        if any(one.returns for one in receipt.lines):
            return False
        latest = self.latest(receipt.member_id)
        if latest is not None and at <= latest:
            return False
        if tiers.first_relevant(ladder, at) < tiers.first_relevant(ladder, self.now):
            return False  # of a time whose sums were not read
        return not tiers.is_disputed(ladder, member, at)

    def is_next_return(self, before: ReceiptState, after: ReceiptState) -> bool:
        """Whether goods came back, behind all that counts, of what was sold as we knew it.

        Then nothing changes before that time: this sale keeps its level, and there is no other
        behind it.
        """
        member_id = before.member_id
        if member_id is None or member_id != after.member_id:
            return False
        latest, known = self.latest(member_id), len(before.returns)
        if self.members[member_id].merge is not None or latest is None:
            return False
        if after.returns[:known] != before.returns or _gross(after) != _gross(before):
            return False
        if after.by_level and before.level is None:
            return False
        return all(one.at >= latest for one in after.returns[known:])


def _gross(state: ReceiptState) -> tuple[int, int]:
    return (
        state.qualifying_minor + sum(one.minor for one in state.returns),
        state.base_worth + sum(one.points for one in state.returns),
    )


def _sold_at(ladder: Ladder, state: ReceiptState) -> datetime:
    return state.sold_at or state.occurred_at or ladder.starts(state.year)


def foresee(
    book: Book, found: Mapping[UUID, Late], events: Iterable[ReceiptEvent] = ()
) -> dict[UUID, int]:
    """Return by receipt the level before each sale of those members, as the batch will leave it.

    The book has all receipts that count for them and can matter (``tiers.first_relevant``).
    """
    if not found:
        return {}
    ladder = book.programme.ladder
    own: dict[UUID, list[tuple[UUID, ReceiptState]]] = {}
    for receipt_id, state in _after(book, events).items():
        if state.member_id is not None:
            own.setdefault(state.member_id, []).append((receipt_id, state))
    levels: dict[UUID, int] = {}
    for member_id, one in found.items():
        joined = sorted({at for at in one.counting.values() if at is not None})
        sales: dict[int, dict[UUID, datetime]] = {}
        for receipt_id, state in own.get(member_id, ()):
            at = _sold_at(ladder, state)
            if at >= one.since:
                sales.setdefault(bisect_left(joined, at), {})[receipt_id] = at
        for merges, times in sales.items():
            facts = [
                state
                for source, since in one.counting.items()
                if since is None or since in joined[:merges]
                for _, state in own.get(source, ())
            ]
            held = tiers.held_before(ladder, facts, times.values())
            levels |= {receipt_id: held[at] for receipt_id, at in times.items()}
    return levels


def _after(book: Book, events: Iterable[ReceiptEvent]) -> dict[UUID, ReceiptState]:
    """Return what will count of each receipt of the book once the events are folded."""
    states = dict(book.receipts)
    for event in events:
        receipt = event.data
        known = states.get(receipt.receipt_id)
        if known is None or receipt.revision > known.revision:
            states[receipt.receipt_id] = _foreseen(event, known, book.programme, book.born)
    return states


def follow(book: Book, found: Mapping[UUID, Late]) -> None:
    """Let receipts be worth what they are at the level that was held, where it is another now."""
    for receipt_id, level in book.levels.items():
        state = book.receipts.get(receipt_id)
        if state is None or not state.by_level or state.level == level:
            continue
        if state.member_id is not None and state.member_id in found:
            event = found[state.member_id].event
            fold.relevel(book, event, receipt_id, at_level(state, level))
