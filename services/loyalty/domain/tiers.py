"""Where a member stands: a pure function of what counts, when it came and when it went back.

A tier is reached at once, and lost when what carried it has gone for as long as the programme's
grace: so whoever was carried by it at any time within the grace has it. Nothing else decides, in
particular not when we heard of what. Recorded are only what was announced of it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, groupby
from operator import itemgetter
from typing import NamedTuple

from services.loyalty.domain.accounts import MemberState
from services.loyalty.domain.ladder import Counting, Ladder
from services.loyalty.domain.lots import NEVER


class Move(NamedTuple):
    """At one time the sum of a period grows, or shrinks."""

    at: datetime
    period: int
    amount: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a member stands at one time, and what becomes of it if nothing more happens."""

    level: int
    since: datetime | None
    """From when on the member has had this level; only from all receipts, never from sums."""
    carried: int
    """The level that is carried; below ``level`` the grace is running."""
    falls_at: datetime | None = None
    """When ``level`` will be lost; None where no end is in sight."""
    falls_to: int = 0
    notice_at: datetime | None = None
    """From when on the member must be told so; None where the programme does not tell."""
    looked_at_again: datetime | None = None
    """The next time at which anything of this may change by the clock alone."""

    @property
    def in_grace(self) -> bool:
        """Return whether the level is not carried any more."""
        return self.carried < self.level


def standing(ladder: Ladder, facts: Iterable[Counting], as_of: datetime) -> Standing:
    """Return where the receipts of a member leave them at ``as_of``.

    Right from those that ``Ladder.first_relevant`` says on; ``since`` needs all of them.
    """
    moves = sorted(move for fact in facts for move in _moves(ladder, fact, as_of))
    first = ladder.period_at(moves[0].at if moves else as_of)
    return _walk(ladder, _course(ladder, moves, sums={}, period=first, as_of=as_of), as_of)


def standing_by_sums(ladder: Ladder, sums: Mapping[int, int], as_of: datetime) -> Standing:
    """Return the same from net sums alone: right where no return has changed the level.

    A period that is over was complete when it ended, so that its sum says what was lost then.
    """
    first = _period_of_grace(ladder, as_of)
    return _walk(ladder, _course(ladder, (), sums=dict(sums), period=first, as_of=as_of), as_of)


def held_by_sums(ladder: Ladder, sums: Mapping[int, int], at: datetime) -> int:
    """Return the level at a time behind everything that counts: right where nothing is disputed.

    What ``standing_by_sums`` says of it, and nothing else.
    """
    walk = _Walk(ladder)
    first = _period_of_grace(ladder, at)
    for begins, carried in _course(ladder, (), sums=dict(sums), period=first, as_of=at):
        if begins > at:
            break
        walk.move(begins, carried)
    walk.run_out(at)
    return walk.held


def held_before(
    ladder: Ladder, facts: Iterable[Counting], times: Iterable[datetime]
) -> dict[datetime, int]:
    """Return the level at each of those times, before anything counts that happens just then.

    One walk for all of them. Right from the facts that ``first_relevant`` says on for the first.
    """
    asked = set(times)
    # Whatever anybody knew: a return counts when the till says, and not when we heard of it.
    moves = sorted(move for fact in facts for move in _moves(ladder, fact, NEVER))
    by_time = {at: list(together) for at, together in groupby(moves, key=itemgetter(0))}
    walk, sums = _Walk(ladder), dict[int, int]()
    found: dict[datetime, int] = {}
    period, next_at = 0, NEVER
    for at in sorted({*asked, *by_time}):
        if not period:
            period = ladder.period_at(at)
            next_at = ladder.starts(period + 1)
        while next_at <= at:
            period += 1
            walk.move(next_at, ladder.carried(sums, period))
            next_at = ladder.starts(period + 1)
        if at in asked:
            walk.run_out(at)
            found[at] = walk.held
        for move in by_time.get(at, ()):
            sums[move.period] = sums.get(move.period, 0) + move.amount
        walk.move(at, ladder.carried(sums, period))
    return found


def is_disputed(ladder: Ladder, member: MemberState, as_of: datetime) -> bool:
    """Whether sums do not tell: with what came back, they would have carried another level."""
    if not member.returned or not ladder.policy.grace_days:
        return False
    sold = dict(member.spend)
    for period, amount in member.returned.items():
        sold[period] = sold.get(period, 0) + amount
    periods = range(_period_of_grace(ladder, as_of), ladder.period_at(as_of) + 1)
    return any(ladder.carried(sold, one) != ladder.carried(member.spend, one) for one in periods)


def first_relevant(ladder: Ladder, as_of: datetime) -> int:
    """Return the first period whose receipts can matter at ``as_of`` or later."""
    return ladder.first_relevant(_period_of_grace(ladder, as_of))


def _period_of_grace(ladder: Ladder, as_of: datetime) -> int:
    """Return the period in which a level was lost whose grace ends at ``as_of``."""
    return ladder.period_at(ladder.later(as_of, -ladder.policy.grace_days))


def _moves(ladder: Ladder, fact: Counting, as_of: datetime) -> Iterator[Move]:
    net, _ = ladder.counted(fact)
    gone = ladder.gone(fact)
    # A till's clock may be ahead: what it sold counts as soon as we know of it.
    sold_at = fact.sold_at or fact.occurred_at
    at = min(sold_at, as_of) if sold_at else ladder.starts(fact.year)
    if net or gone:
        yield Move(at, fact.year, net + sum(amount for _, amount in gone))
    for time, amount in gone:
        # Without grace sums decide, and they have it already. A grace begins when its time comes.
        known = time if ladder.policy.grace_days else min(time, as_of)
        yield Move(max(known, at), fact.year, -amount)


def _course(
    ladder: Ladder,
    moves: Sequence[Move],
    *,
    sums: dict[int, int],
    period: int,
    as_of: datetime,
) -> Iterator[tuple[datetime, int]]:
    """Yield from when on which level is carried, from the beginning of ``period`` on."""
    known = {move.period for move in moves} | sums.keys()
    newest = max(known, default=period)
    last = ladder.horizon(max(newest, ladder.period_at(as_of)))
    carried = ladder.carried(sums, period)
    yield ladder.starts(period), carried
    for at, together in groupby(moves, key=itemgetter(0)):
        while ladder.starts(period + 1) <= at:
            period += 1
            yield ladder.starts(period), ladder.carried(sums, period)
        for move in together:
            sums[move.period] = sums.get(move.period, 0) + move.amount
        carried = ladder.carried(sums, period)
        yield at, carried
    # Without further receipts it can but fall, and where it is 0 it stays so.
    while period < last and (carried or period < newest):
        period += 1
        carried = ladder.carried(sums, period)
        yield ladder.starts(period), carried


@dataclass(slots=True)
class _Walk:
    """What is held while what is carried changes, in the order of time."""

    ladder: Ladder
    carried: int = 0
    held: int = 0
    since: datetime | None = None
    lost: dict[int, datetime] = field(default_factory=dict[int, datetime])
    """Since when a level that is held is not carried any more."""

    def move(self, at: datetime, carried: int) -> None:
        """Carry another level from ``at`` on."""
        self.run_out(at)
        for level in range(carried + 1, self.carried + 1):
            self.lost[level] = at
        for level in range(self.carried + 1, carried + 1):
            self.lost.pop(level, None)
        self.carried = carried
        if carried > self.held:
            self.held, self.since = carried, at
        self.run_out(at)

    def run_out(self, until: datetime) -> None:
        """Let every grace end that is over."""
        while (end := self.ends()) is not None and end <= until:
            del self.lost[self.held]
            self.held, self.since = self.held - 1, end

    def ends(self) -> datetime | None:
        """Return when the grace of the level that is held ends; None where it is carried."""
        if self.held <= self.carried:
            return None
        return self.ladder.later(self.lost[self.held], self.ladder.policy.grace_days)


def _walk(ladder: Ladder, course: Iterator[tuple[datetime, int]], as_of: datetime) -> Standing:
    walk = _Walk(ladder)
    to_come: list[tuple[datetime, int]] = []
    for step in course:
        if step[0] > as_of:
            to_come.append(step)
            break
        walk.move(*step)
    walk.run_out(as_of)
    level, since, carried = walk.held, walk.since, walk.carried
    at, then = _next(walk, chain(to_come, course))
    if at is None or then > level:
        return Standing(level, since, carried, looked_at_again=at)
    notice_days = ladder.policy.notice_days
    notice_at = ladder.later(at, -notice_days) if notice_days else None
    due = notice_at if notice_at and notice_at > as_of else at
    return Standing(level, since, carried, at, then, notice_at, looked_at_again=due)


def _next(walk: _Walk, to_come: Iterable[tuple[datetime, int]]) -> tuple[datetime | None, int]:
    """Return when another level will be held, and which; the walk goes there."""
    held = walk.held
    for at, carried in to_come:
        end = walk.ends()
        if end is not None and end <= at:
            break
        walk.move(at, carried)
        if walk.held != held:
            return at, walk.held
    end = walk.ends()
    if end is not None:
        walk.run_out(end)
    return end, walk.held
