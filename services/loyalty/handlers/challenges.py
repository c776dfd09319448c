"""Challenges follow the receipts: what counts is added up, and what is reached is given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain import awards, challenges, periods, progress
from services.loyalty.domain.challenges import Challenge, Counter
from services.loyalty.domain.fold import Book
from services.loyalty.domain.postings import Gift
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.progress import Key
from services.loyalty.domain.receipts import Occasion
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
        event_ids = {event.data.receipt_id: event.id for event in events}
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
