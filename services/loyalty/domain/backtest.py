"""A back-test: what receipts would have earned by a draft, beside the rules of their day.

A receipt counts at its highest revision, however often and in which order its revisions come.
Caps of a day or a month need no receipt alone: they leave of a day's points what they leave. Rules
that ask for a tier see the one that was announced by then, those of the draft and of the day alike.

Of challenges it knows what lies between its first and its last day, and nothing from before: who
is half-way through a year, or has earned once for ever, begins anew. So it counts too few runs of
long periods, and too many of what is given but once.
"""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from services.loyalty.domain import approvals, challenges, periods, settle
from services.loyalty.domain.caps import Cap
from services.loyalty.domain.challenges import Challenge, Counter, Part
from services.loyalty.domain.considered import NOBODY, Who
from services.loyalty.domain.lots import NEVER
from services.loyalty.domain.programme import Programme, Version
from services.loyalty.domain.receipts import ReceiptRevision
from services.loyalty.domain.settle import Settlement

LARGEST = 10
"""Winners and losers that are named."""

Bucket = tuple[UUID, date]
"""A member and a day of the programme's time zone."""


class Difference(NamedTuple):
    """What the receipts of one member earn by the rules of their day, and by the draft."""

    member_id: UUID
    before: int
    after: int

    @property
    def change(self) -> int:
        """Return what they gain; negative where they lose."""
        return self.after - self.before


class Reached(NamedTuple):
    """What a challenge of the draft would give for these receipts, beside their own points."""

    challenge: Challenge
    members: int
    points: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The sums; differences are of ``after`` to ``before``, the largest first."""

    receipts: int
    members: int
    before: int
    after: int
    winners: int
    losers: int
    largest_gains: Sequence[Difference]
    largest_losses: Sequence[Difference]
    waiting: int
    """Receipts that would wait for the staff by the draft."""
    waiting_points: int
    """What those are worth, before caps of a day or a month."""
    challenges: Sequence[Reached]


class _Counted(NamedTuple):
    """What a receipt adds to its bucket."""

    revision: int
    bucket: Bucket
    before: int
    after: int
    waits: bool = False
    occurred_at: datetime = NEVER
    counts: tuple[int, ...] = ()
    """What it adds to each challenge of the draft."""


@dataclass(slots=True)
class _Sums:
    before: int = 0
    after: int = 0
    caps: tuple[Cap, ...] = ()
    """Of the rules of that day; where two versions meet, of the receipt that came last."""


@dataclass(slots=True)
class Backtest:
    """Counts receipts one by one; keeps a few numbers of each, and no line of it."""

    programme: Programme
    draft: Version
    since: datetime
    until: datetime
    _receipts: dict[int, _Counted] = field(default_factory=dict[int, _Counted])
    _sums: dict[Bucket, _Sums] = field(default_factory=dict[Bucket, _Sums])
    personal: bool = field(init=False)
    """Whether any of the rules asks who the member is."""

    def __post_init__(self) -> None:
        """Look once what every receipt asks."""
        programme, draft = self.programme, self.draft.lookups
        self.personal = programme.by_tier or programme.by_birthday or draft.personal > 0

    def count(self, receipt: ReceiptRevision, who: Who = NOBODY) -> None:
        """Take a receipt in, in place of an earlier revision of it; ``who`` bought."""
        if not self.since <= receipt.occurred_at < self.until:
            return
        key = receipt.receipt_id.int
        known = self._receipts.get(key)
        if known is not None:
            if receipt.revision <= known.revision:
                return
            self._add(known, sign=-1)
        elif receipt.member_id is None:
            return  # nobody's so far, and nothing to take back
        counted = self._counted(receipt, known, who)
        self._receipts[key] = counted
        self._add(counted, sign=1)

    def _counted(self, receipt: ReceiptRevision, known: _Counted | None, who: Who) -> _Counted:
        if receipt.member_id is None:
            assert known is not None
            return _Counted(receipt.revision, known.bucket, 0, 0)
        day = receipt.occurred_at.astimezone(self.programme.time_zone).date()
        bucket = (receipt.member_id, day)
        before = settle.settle(receipt, self.programme, birthday=who.birthday)
        after = Settlement(0, 0, [], None)
        if receipt.currency == self.programme.currency:
            after = settle.settle_by(self.draft, receipt, self.programme, birthday=who.birthday)
        before, after = (self._kept(receipt, one, day, who) for one in (before, after))
        sums = self._sums.setdefault(bucket, _Sums())
        if before.version is not None:
            sums.caps = before.version.caps
        return _Counted(
            receipt.revision,
            bucket,
            _alone(before),
            _alone(after),
            approvals.needed(after),
            receipt.occurred_at,
            after.counts,
        )

    def _kept(self, receipt: ReceiptRevision, net: Settlement, day: date, who: Who) -> Settlement:
        """Return it with the points that stay; what waits for the staff counts as approved."""
        begins_at = settle.begins_at(receipt, net.version, day, self.programme.time_zone)
        kept = settle.keep(net, receipt, self.programme, begins_at, birthday=who.birthday)
        return kept.at(self.programme.ladder.level_of(who.tier))

    def _add(self, counted: _Counted, *, sign: int) -> None:
        sums = self._sums[counted.bucket]
        sums.before += sign * counted.before
        sums.after += sign * counted.after

    def outcome(self) -> Outcome:
        """Return the sums of all members, their caps applied."""
        found = [*self._members()]
        gains = [one for one in found if one.change > 0]
        losses = [one for one in found if one.change < 0]
        waiting = [one.after for one in self._receipts.values() if one.waits]
        return Outcome(
            receipts=len(self._receipts),
            members=len(found),
            before=sum(one.before for one in found),
            after=sum(one.after for one in found),
            winners=len(gains),
            losers=len(losses),
            largest_gains=heapq.nlargest(LARGEST, gains, key=lambda one: one.change),
            largest_losses=heapq.nsmallest(LARGEST, losses, key=lambda one: one.change),
            waiting=len(waiting),
            waiting_points=sum(waiting),
            challenges=[self._reached(*one) for one in enumerate(self.draft.challenges)],
        )

    def _reached(self, place: int, challenge: Challenge) -> Reached:
        """Return what a challenge gives; ``place`` is its place in the draft."""
        parts: dict[UUID, dict[int, list[Part]]] = {}
        for key, one in self._receipts.items():
            if one.counts and one.counts[place]:
                member_id, day = one.bucket
                period = periods.number(challenge.per, day)
                part = Part(one.occurred_at, UUID(int=key), day, one.occurred_at, one.counts[place])
                parts.setdefault(member_id, {}).setdefault(period, []).append(part)
        times: list[int] = []
        for own in parts.values():
            counters: dict[int, Counter] = {}
            for period, of_period in own.items():
                counters = challenges.with_parts(challenge, counters, period, of_period)
            times.append(len(challenges.runs(challenge, counters)))
        return Reached(challenge, sum(1 for n in times if n), sum(times) * challenge.points)

    def _members(self) -> Iterable[Difference]:
        days: dict[UUID, list[tuple[date, _Sums]]] = {}
        for (member_id, day), sums in self._sums.items():
            days.setdefault(member_id, []).append((day, sums))
        for member_id, own in days.items():
            own.sort(key=lambda one: one[0])
            before = _capped([(day, sums.before, sums.caps) for day, sums in own])
            after = _capped([(day, sums.after, self.draft.caps) for day, sums in own])
            yield Difference(member_id, before, after)


def _alone(settled: Settlement) -> int:
    """Return what caps of a single receipt leave of its points."""
    caps = settled.version.caps if settled.version else ()
    return min([settled.points, *(cap.points for cap in caps if cap.per == "receipt")])


def _capped(days: Iterable[tuple[date, int, tuple[Cap, ...]]]) -> int:
    """Return what caps of days and months leave; days in their order."""
    total = in_month = 0
    month = None
    for day, points, caps in days:
        if (day.year, day.month) != month:
            month, in_month = (day.year, day.month), 0
        rooms = {"day": 0, "month": in_month}
        left = [cap.points - rooms[cap.per] for cap in caps if cap.per != "receipt"]
        granted = max(0, min([points, *left]))
        in_month += granted
        total += granted
    return total
