"""Challenges follow the receipts: what counts is added up, and what is reached is given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain import awards, challenges, periods, progress
from services.loyalty.domain.challenges import Challenge, Counter, Part
from services.loyalty.domain.fold import Book
from services.loyalty.domain.postings import Gift
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.progress import Key
from services.loyalty.domain.receipts import Occasion
from services.loyalty.domain.settle import Settlement
from services.loyalty.handlers import enrol
from services.loyalty.store import awards as award_store
from services.loyalty.store import ledger
from services.loyalty.store import progress as store
from shared.db import Tx


async def follow(tx: Tx, book: Book, events: Sequence[Occasion]) -> list[Gift]:
    """Return what a folded batch gives to, or takes from, its members for challenges.

    Run twice it finds the receipts as they are and changes nothing. The members' accounts are
    locked, so nobody else adds to their periods.
    """
    changed = list(progress.steps(book)) if book.programme.challenges else []
    if not changed:
        return []
    counters = await store.load(tx, {step.key for step in changed})
    asking = progress.add(counters, changed, book.programme)
    gifts: list[Gift] = []
    if asking:
        spans = progress.spans(asking, book.programme)
        # What the batch has changed stands in the place of what the table has.
        receipts = await ledger.load_periods(tx, spans, book.programme) | book.receipts
        progress.reach(counters, asking, receipts, book.programme)
        event_ids = {receipt_id: event.id for receipt_id, event in book.releveled.items()}
        event_ids |= {event.data.receipt_id: event.id for event in events}
        causes = {(key.member_id, key.rule): event_ids[one] for key, one in asking.items()}
        gifts = await _give(tx, book.programme, counters, causes)
    await store.write(tx, counters)
    return gifts


async def _give(
    tx: Tx,
    programme: Programme,
    counters: Mapping[Key, Counter],
    causes: Mapping[tuple[UUID, str], UUID],
) -> list[Gift]:
    """Compare what is deserved now with what was given, and write down the difference."""
    every = await store.load_all(tx, causes) | dict(counters)
    given = await award_store.load_of_rules(tx, causes)
    changed = progress.differences(causes, every, given, programme)
    await award_store.write(tx, changed)
    return [
        awards.change(given.get(one.award_id), one, causes[one.member_id, one.rule], programme)
        for one in changed
    ]


@dataclass(frozen=True, slots=True)
class Ahead:
    """What a sale that is not made yet would do for a challenge."""

    challenge: Challenge
    so_far: int
    """In the period of the sale, without it."""
    so_far_after: int
    reaches_goal: bool
    """Whether the goal of that period is reached with it, and was not before."""
    points: int
    """What would be given with it; 0 while more is missing."""


@dataclass(frozen=True, slots=True)
class Sale:
    """A sale that is not made yet."""

    receipt_id: UUID
    member_id: UUID
    occurred_at: datetime
    settled: Settlement


async def ahead(tx: Tx, sale: Sale, programme: Programme) -> list[Ahead]:
    """Return the challenges of the sale's rules that it would move, in their order.

    As if it were new: what is known under its number is left out. Nothing is locked or written.
    """
    version, counts = sale.settled.version, sale.settled.counts
    if version is None or not counts:
        return []
    counted = zip(version.challenges, counts, strict=True)
    moved = {one.rule: (one, value) for one, value in counted if value}
    counters = await store.load_all(tx, [(sale.member_id, rule) for rule in moved])
    day = sale.occurred_at.astimezone(programme.time_zone).date()
    keys = [
        Key(sale.member_id, one.rule, periods.number(one.per, day))
        for one, _ in moved.values()
        if not _is_over(one, counters, sale)
    ]
    receipts = await ledger.load_periods(tx, progress.spans(keys, programme), programme)
    receipts.pop(sale.receipt_id, None)
    found: list[Ahead] = []
    for key in keys:
        challenge, value = moved[key.rule]
        before = list(progress.parts(key, receipts.items(), programme))
        own = Part(sale.occurred_at, sale.receipt_id, day, sale.occurred_at, value)
        parts = (before, [*before, own])
        found.append(_ahead(key, challenge, parts, counters=counters, programme=programme))
    return found


def _is_over(challenge: Challenge, counters: Mapping[Key, Counter], sale: Sale) -> bool:
    """Whether a challenge that is given but once was, before the sale: nothing moves it."""
    own = {key.period: one for key, one in counters.items() if key.rule == challenge.rule}
    done = challenges.runs(challenge, own) if challenge.once else ()
    reached = [own[period].reached_at for period in done]
    return any(at is not None and at < sale.occurred_at for at in reached)


def _ahead(
    key: Key,
    challenge: Challenge,
    parts: tuple[Sequence[Part], Sequence[Part]],
    *,
    counters: Mapping[Key, Counter],
    programme: Programme,
) -> Ahead:
    """Compare a member's periods without the sale and with it."""
    own = {one.period: kept for one, kept in counters.items() if one.rule == challenge.rule}
    without, after = (challenges.with_parts(challenge, own, key.period, one) for one in parts)
    points = [
        sum(award.points for award in progress.deserved(key.member_id, challenge, every, programme))
        for every in (without, after)
    ]
    return Ahead(
        challenge=challenge,
        so_far=without[key.period].value,
        so_far_after=after[key.period].value,
        reaches_goal=without[key.period].reached_at is None
        and after[key.period].reached_at is not None,
        points=points[1] - points[0],
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a member has come with a challenge of the rules in force."""

    challenge: Challenge
    first_day: date | None
    """Of the current period; None where it is for ever."""
    last_day: date | None
    so_far: int
    """In the current period."""
    streak: int
    """Periods of the run that are reached, the current one too if it is."""
    earned: int
    """How often it was given, and not taken back."""
    last_earned_at: datetime | None


async def standings(tx: Tx, member_id: UUID, context: LoyaltyContext) -> list[Standing]:
    """Return how far a member has come; 404 for nobody's id."""
    await enrol.get(tx, member_id)
    programme = await context.rules.follow(tx)
    now = context.clock.now()
    version = programme.in_force(now)
    known = version.challenges if version else ()
    if not known:
        return []
    day = now.astimezone(programme.time_zone).date()
    current = {one.rule: periods.number(one.per, day) for one in known}
    spans = {
        (member_id, *periods.bounds(one.per, current[one.rule], programme.time_zone))
        for one in known
    }
    receipts = (await ledger.load_periods(tx, spans, programme)).items()
    counters = await store.load_all(tx, [(member_id, one.rule) for one in known])
    given = [one for one in await award_store.list_of_member(tx, member_id) if one.points]
    found: list[Standing] = []
    for challenge in known:
        key = Key(member_id, challenge.rule, current[challenge.rule])
        reached = {one.period: kept for one, kept in counters.items() if one.rule == challenge.rule}
        earned = [one.earned_at for one in given if one.rule == challenge.rule]
        bounded = challenge.per != "ever"
        found.append(
            Standing(
                challenge=challenge,
                first_day=periods.first_day(challenge.per, key.period) if bounded else None,
                last_day=periods.last_day(challenge.per, key.period) if bounded else None,
                so_far=challenges.amount(challenge, progress.parts(key, receipts, programme)),
                streak=challenges.streak(challenge, reached, key.period),
                earned=len(earned),
                last_earned_at=max(earned, default=None),
            )
        )
    return found
