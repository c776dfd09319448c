"""A ledger in memory: keeps between batches what the tables keep."""

import copy
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from services.loyalty.domain import (
    accounts,
    approvals,
    awards,
    challenges,
    closing,
    drawing,
    fold,
    held,
    progress,
    spending,
    stock,
    tier_reviews,
    tiers,
)
from services.loyalty.domain.accounts import MemberState
from services.loyalty.domain.approvals import Verdict
from services.loyalty.domain.awards import Award
from services.loyalty.domain.becoming import ReceiptState
from services.loyalty.domain.closing import Batch
from services.loyalty.domain.fold import Book
from services.loyalty.domain.held import Late
from services.loyalty.domain.lots import Drawn, Lot
from services.loyalty.domain.merges import Merge
from services.loyalty.domain.postings import Gift, Holdings, Move, Posting, SpendChange
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.progress import Key
from services.loyalty.domain.spending import Spend
from services.loyalty.domain.tier_reviews import Cause
from services.loyalty.domain.tiers import Standing
from tests.builders import NOW
from tests.unit.loyalty import programmes

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass
class Ledger:
    """Applies batches as the handlers do, and remembers."""

    programme: Programme = field(default_factory=programmes.small)
    receipts: dict[UUID, ReceiptState] = field(default_factory=dict)
    members: dict[UUID, MemberState] = field(default_factory=dict)
    lots: dict[tuple[UUID, UUID], tuple[Lot, Drawn]] = field(default_factory=dict)
    holds: dict[UUID, Spend] = field(default_factory=dict)
    progress: dict[Key, challenges.Counter] = field(default_factory=dict)
    awards: dict[UUID, Award] = field(default_factory=dict)
    entries: list[Posting | Move] = field(default_factory=list)
    pieces: Counter[str] = field(default_factory=Counter)
    """Of each reward those that are counted as taken."""
    born: dict[UUID, date] = field(default_factory=dict)
    merges: list[Merge] = field(default_factory=list)
    """Those that stand."""
    now: datetime = NOW

    @property
    def postings(self) -> list[Posting]:
        """Return the entries that are for receipts."""
        return [one for one in self.entries if isinstance(one, Posting)]

    def apply(self, events: Sequence[Any]) -> Book:
        """Fold one batch, post it, and keep the result."""
        book = Book(self.programme, dict(self.receipts), self.members, born=self.born)
        late = self.late(events)
        book.levels = held.foresee(book, late, events)
        for event in events:
            fold.fold(book, event)
        held.follow(book, late)
        self.now = max([self.now, *(event.data.received_at for event in events)])
        changed = closing.name_holds(book, events, self.holds, self.now)
        for change in changed:
            self.members.setdefault(
                change.after.member_id, MemberState(0, 0, change.occurred_at, {}, None)
            )
        self.post(Batch(book, self.now, gifts=self.follow(book), spends=changed))
        self.receipts = dict(book.receipts)
        self.review(book)
        return book

    def late(self, events: Sequence[Any]) -> dict[UUID, Late]:
        """Find of whom sums do not tell, as ``handlers.earn`` does."""
        if not self.programme.by_tier:
            return {}
        for member_id in {event.data.member_id for event in events} - {None}:
            self.members.setdefault(member_id, MemberState(0, 0, LONG_AGO, {}, None))
        # The sums of all times are here.
        found = held.late(events, self.members, self.receipts, self.programme, now=LONG_AGO)
        for member_id, one in found.items():
            one.counting = self.sources(member_id)
        return found

    def sources(self, member_id: UUID) -> dict[UUID, datetime | None]:
        """Return whose receipts count for a member, and from which merge on."""
        found: dict[UUID, datetime | None] = {member_id: None}
        for merge in reversed(self.merges):  # nobody is merged into one who was merged
            if merge.into_id in found:
                later = found[merge.into_id] or merge.merged_at
                found[merge.member_id] = max(later, merge.merged_at)
        return found

    def follow(self, book: Book) -> list[Gift]:
        """Bring challenges to the receipts, as ``handlers.challenges`` does."""
        asking = progress.add(self.progress, progress.steps(book), self.programme)
        progress.reach(self.progress, asking, book.receipts, self.programme)
        pairs = {(key.member_id, key.rule) for key in asking}
        given = {key: one for key, one in self.awards.items() if (one.member_id, one.rule) in pairs}
        changed = progress.differences(pairs, self.progress, given, self.programme)
        gifts = [
            awards.change(given.get(one.award_id), one, one.award_id, self.programme)
            for one in changed
        ]
        self.awards |= {one.award_id: one for one in changed}
        return gifts

    def review(self, book: Book) -> None:
        """Bring tiers to where members stand now, as the handlers do."""
        for member_id, event in book.moved.items():
            found = self.standing(member_id)
            cause = Cause(member_id, event.id, self.now, event.time)
            member = self.members[member_id]
            change, notice = tier_reviews.review(self.programme.ladder, member, found, cause)
            book.tier_changes += [change] if change else []
            book.tier_notices += [notice] if notice else []

    def standing(self, member_id: UUID) -> Standing:
        """Return where a member stands now: by sums, unless they do not tell."""
        member, ladder = self.members[member_id], self.programme.ladder
        if not tiers.is_disputed(ladder, member, self.now):
            return tiers.standing_by_sums(ladder, member.spend, self.now)
        own = [
            one
            for one in self.receipts.values()
            if one.member_id and member_id in accounts.line(self.members, one.member_id)
        ]
        return tiers.standing(ladder, own, self.now)

    def apply_all(self, batches: Iterable[Sequence[Any]]) -> None:
        """Fold batches one after the other."""
        for batch in batches:
            self.apply(batch)

    def decide(self, receipt_id: UUID, verdict: Verdict, at: datetime) -> None:
        """Decide on a receipt that waits, as ``handlers.approvals`` does."""
        self.now = max(self.now, at)
        book = Book(self.programme, dict(self.receipts), self.members)
        state = book.receipts[receipt_id]
        event = approvals.occasion(receipt_id, state, at)
        late: dict[UUID, Late] = {}
        if self.programme.by_tier:
            late = held.decided(event, state, self.members, self.programme.ladder)
            for member_id, one in late.items():
                one.counting = self.sources(member_id)
        approvals.decide(book, event, verdict)
        book.levels = held.foresee(book, late)
        held.follow(book, late)
        self.post(Batch(book, self.now, gifts=self.follow(book)))
        self.receipts = dict(book.receipts)
        self.review(book)

    def change(self, *changes: SpendChange) -> None:
        """Post what becomes of holds."""
        book = Book(self.programme, dict(self.receipts), self.members)
        self.post(Batch(book, self.now, spends=changes))

    def grant(self, change: SpendChange) -> None:
        """Post what is taken now, by what is left where that will do: it must come to the same."""
        member_id, now = change.after.member_id, change.occurred_at
        left = self.left(member_id, now)
        long_way = copy.deepcopy(self, {id(self.programme): self.programme})
        for ledger, known in ((self, left), (long_way, long_way.holdings(member_id))):
            book = Book(self.programme, dict(self.receipts), ledger.members)
            ledger.post(Batch(book, now, spends=[change]), known={member_id: known})
        assert long_way == self

    def left(self, member_id: UUID, now: datetime) -> Holdings:
        """Return what a spend needs, as ``handlers.books.load_left`` does."""
        held = self.holdings(member_id)
        member = self.members.setdefault(member_id, MemberState(0, 0, now, {}, None))
        if not drawing.is_last(member, now):
            return held
        left = {lot_id: kept for lot_id, kept in held.lots.items() if kept[1].remaining}
        return Holdings(left, left_only=True)

    def give(self, gift: Gift) -> None:
        """Post a lot that is for no receipt."""
        self.members.setdefault(gift.lot.member_id, MemberState(0, 0, self.now, {}, None))
        book = Book(self.programme, dict(self.receipts), self.members)
        self.post(Batch(book, self.now, gifts=[gift]))

    def sweep(self, now: datetime) -> None:
        """Let end what has ended by ``now``, and begin what has begun."""
        self.now = now
        over = [one for one in self.holds.values() if spending.is_over(one, now)]
        changes = [SpendChange(one, spending.expire(one), one.spend_id, now) for one in over]
        book = Book(self.programme, dict(self.receipts), self.members)
        self.post(Batch(book, now, spends=changes), also=self.due(now))

    def due(self, now: datetime) -> set[UUID]:
        """Return whom the clock alone changes something for."""
        found = {key for key, one in self.members.items() if one.idle_at and one.idle_at <= now}
        for (member_id, _), (lot, drawn) in self.lots.items():
            turns_at = lot.expires_at if drawn.active else lot.activates_at
            if drawn.remaining and turns_at is not None and turns_at <= now:
                found.add(member_id)
        return found

    def post(
        self,
        batch: Batch,
        also: Collection[UUID] = (),
        known: Mapping[UUID, Holdings] | None = None,
    ) -> None:
        """Close a batch, with the holdings of those that need them, and keep what comes out."""
        wanted = batch.needs_holdings(also)
        held = {one: self.holdings(one) for one in wanted} | dict(known or {})
        closed = closing.close(batch, held)
        batch.spends = [*batch.spends, *closed.spends]
        for key in closed.lots.gone:
            del self.lots[key]
        for lot, _ in closed.lots.changed:
            assert (lot.member_id, lot.lot_id) in self.lots
        for lot, _ in closed.lots.new:
            assert (lot.member_id, lot.lot_id) not in self.lots
        for lot, drawn in (*closed.lots.new, *closed.lots.changed):
            self.lots[lot.member_id, lot.lot_id] = lot, drawn
        self.entries += closed.entries
        self.holds |= {one.after.spend_id: one.after for one in batch.spends}
        self.pieces.update(stock.pieces(batch.spends))

    def holdings(self, member_id: UUID) -> Holdings:
        """Return all lots of a member, and all that takes from them."""
        member = self.members.get(member_id)
        merge = member.merge if member else None
        return Holdings(
            {lot_id: kept for (owner, lot_id), kept in self.lots.items() if owner == member_id},
            {key: one for key, one in self.holds.items() if one.member_id == member_id},
            self.holds.get(merge.merge_id) if merge else None,
            {
                key: one.visited_at
                for key, one in self.receipts.items()
                if one.member_id == member_id and one.visited_at
            },
        )

    def merge(self, merge: Merge) -> None:
        """Let one member take over from another."""
        for one in (merge.member_id, merge.into_id):
            self.members.setdefault(one, MemberState(0, 0, merge.merged_at, {}, None))
        self.members[merge.member_id].merge = merge
        self.merges.append(merge)
        accounts.credit(self.members, merge.member_id, 1)
        self.rejoin(merge)

    def unmerge(self, merge: Merge) -> None:
        """Undo that."""
        undone = self.members[merge.member_id].merge = merge.undo("key", self.now)
        self.merges.remove(merge)
        accounts.credit(self.members, merge.member_id, -1)
        self.rejoin(undone)
        self.members[merge.member_id].merge = None

    def bring(self, member_id: UUID) -> None:
        """Redraw a member."""
        book = Book(self.programme, dict(self.receipts), self.members)
        self.post(Batch(book, self.now), also=[member_id])

    def rejoin(self, change: Merge) -> None:
        """Redraw whom a merge, or its end, touches, as ``handlers.merges`` does."""
        book = Book(self.programme, dict(self.receipts), self.members)
        heirs = accounts.line(self.members, change.member_id)[1:]
        late = held.joined(change, heirs, change.merge_id) if self.programme.by_tier else {}
        for member_id, one in late.items():
            one.counting = self.sources(member_id)
        book.levels = held.foresee(book, late)
        held.follow(book, late)
        self.post(Batch(book, self.now, gifts=self.follow(book)), also=[change.member_id])
        self.receipts = dict(book.receipts)

    def outcome(self) -> dict[str, Any]:
        """Return all that must not depend on the order: balances, lots, tiers, spend."""
        return {
            "balances": {
                key: (state.available, state.pending, state.held, state.debt)
                for key, state in self.members.items()
            },
            "tiers": {
                key: self.programme.ladder.name(self.standing(key).level) for key in self.members
            },
            "spend": {
                (key, year): amount
                for key, state in self.members.items()
                for year, amount in state.spend.items()
                if amount
            },
            "lots": self.lots,
            "levels": {key: one.level for key, one in self.receipts.items() if one.by_level},
            "awards": {key: one for key, one in self.awards.items() if one.points},
            # Whether a revision that was corrected ever captured a hold depends on whether we
            # heard of it; what the hold takes does not.
            "taken": {key: one.taken for key, one in self.holds.items()},
            "pieces": +self.pieces,
            "lost": {key: state.lost for key, state in self.members.items() if state.lost},
        }
