"""What a batch changes of how far members have come with their challenges."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.loyalty.domain import challenges, periods
from services.loyalty.domain.awards import Award, award_id
from services.loyalty.domain.becoming import ReceiptState
from services.loyalty.domain.challenges import Challenge, Counter, Part
from services.loyalty.domain.fold import Book
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.terms import ends_at


class Key(NamedTuple):
    """One period of one challenge of one member."""

    member_id: UUID
    rule: str
    period: int


class Step(NamedTuple):
    """What a changed receipt does to a period."""

    key: Key
    receipt_id: UUID
    by: int
    at: datetime
    """The earliest time of the sale, before or after."""


def steps(book: Book) -> Iterator[Step]:
    """Compare receipts as loaded with receipts as folded."""
    for receipt_id, now in book.receipts.items():
        was = book.loaded.get(receipt_id)
        if was is now or _counts_as(was) == _counts_as(now):
            continue
        changed: dict[Key, tuple[int, datetime]] = {}
        for state, sign in ((was, -1), (now, 1)):
            for key, value, at in _adds(state, book.programme) if state else ():
                by, earliest = changed.get(key, (0, at))
                changed[key] = by + sign * value, min(at, earliest)
        for key, (by, at) in changed.items():
            yield Step(key, receipt_id, by, at)


def _counts_as(state: ReceiptState | None) -> object:
    if state is None or not state.counts:
        return None
    return state.member_id, state.occurred_at, state.begins_at, state.version, state.counts


def _adds(state: ReceiptState, programme: Programme) -> Iterator[tuple[Key, int, datetime]]:
    if not state.counts or state.member_id is None or state.occurred_at is None:
        return
    assert state.version is not None  # counts are by its challenges
    day = state.local_day(state.occurred_at, programme.time_zone)
    for challenge, value in zip(state.version.challenges, state.counts, strict=True):
        if value:
            key = Key(state.member_id, challenge.rule, periods.number(challenge.per, day))
            yield key, value, state.occurred_at


def add(
    counters: dict[Key, Counter], changed: Iterable[Step], programme: Programme
) -> dict[Key, UUID]:
    """Bring the sums up to date; return the periods to look at, each with a receipt that asks.

    One whose goal is reached already stays as it was after a later sale, and so do most. The rest
    is found out from the receipts (``reach``).
    """
    asking: dict[Key, UUID] = {}
    for step in changed:
        counter = counters.setdefault(step.key, Counter())
        counter.value += step.by
        if counter.reached_at is None:
            if counter.value >= programme.challenges[step.key.rule].goal:
                asking[step.key] = step.receipt_id
        elif step.at <= counter.reached_at:
            asking[step.key] = step.receipt_id
    return asking


def spans(keys: Iterable[Key], programme: Programme) -> set[tuple[UUID, datetime, datetime]]:
    """Return whose receipts from when until when decide about those periods."""
    return {
        (key.member_id, *periods.bounds(challenge.per, key.period, programme.time_zone))
        for key in keys
        for challenge in (programme.challenges[key.rule],)
    }


def reach(
    counters: Mapping[Key, Counter],
    asking: Iterable[Key],
    receipts: Mapping[UUID, ReceiptState],
    programme: Programme,
) -> None:
    """Find out with which sale each of the periods was reached, if it was."""
    by_member: dict[UUID | None, list[tuple[UUID, ReceiptState]]] = {}
    for receipt_id, state in receipts.items():
        by_member.setdefault(state.member_id, []).append((receipt_id, state))
    for key in asking:
        own = parts(key, by_member.get(key.member_id, ()), programme)
        challenges.reach(programme.challenges[key.rule], counters[key], own)


def parts(
    key: Key, receipts: Iterable[tuple[UUID, ReceiptState]], programme: Programme
) -> Iterator[Part]:
    """Yield what each of the receipts adds to a period."""
    for receipt_id, state in receipts:
        for one, value, at in _adds(state, programme):
            if one == key and state.begins_at is not None:
                day = state.local_day(at, programme.time_zone)
                yield Part(at, receipt_id, day, state.begins_at, value)


def differences(
    pairs: Iterable[tuple[UUID, str]],
    counters: Mapping[Key, Counter],
    given: Mapping[UUID, Award],
    programme: Programme,
) -> list[Award]:
    """Return the awards that change: of those members and challenges, with all their periods."""
    runs: dict[tuple[UUID, str], dict[int, Counter]] = {pair: {} for pair in pairs}
    for key, counter in counters.items():
        if (pair := (key.member_id, key.rule)) in runs:
            runs[pair][key.period] = counter
    wanted = {award_id: award.taken_back() for award_id, award in given.items()}
    for (member_id, rule), of_rule in runs.items():
        for award in deserved(member_id, programme.challenges[rule], of_rule, programme):
            wanted[award.award_id] = award
    return [award for award_id, award in wanted.items() if given.get(award_id) != award]


def deserved(
    member_id: UUID, challenge: Challenge, counters: Mapping[int, Counter], programme: Programme
) -> Iterator[Award]:
    """Yield what a member should have got for a challenge, run by run.

    Title, points and their end are those of the rules in force at the sale that completed it.
    """
    for period in challenges.runs(challenge, counters):
        reached_at, begins_at = counters[period].reached_at, counters[period].begins_at
        if reached_at is None or begins_at is None:
            continue
        version = programme.in_force(reached_at)
        of_then = {one.rule: one for one in version.challenges} if version else {}
        if version is None or challenge.rule not in of_then:
            continue
        day = reached_at.astimezone(programme.time_zone).date()
        yield Award(
            award_id=award_id(member_id, challenge.rule, period),
            member_id=member_id,
            kind="challenge",
            rule=challenge.rule,
            period=period,
            points=of_then[challenge.rule].points,
            programme_version=version.version,
            earned_at=reached_at,
            begins_at=begins_at,
            expires_at=ends_at(version.expiry, day, programme.time_zone),
        )
