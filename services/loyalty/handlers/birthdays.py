"""Points for birthdays: given by the clock, once in a calendar year."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain import awards
from services.loyalty.domain.awards import Award
from services.loyalty.domain.closing import Batch
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.terms import ends_at, midnight
from services.loyalty.handlers import announce, books
from services.loyalty.store import awards as award_store
from services.loyalty.store import birthdays as store
from services.loyalty.store.birthdays import Day
from shared import ids
from shared.db import Tx

CHUNK = 500
LOOK_BACK_DAYS = 7
"""A birthday is made up for when nobody was running on the day."""


async def give_due(tx: Tx, context: LoyaltyContext, *, limit: int = CHUNK) -> int:
    """Give up to ``limit`` members the points for their birthday; return how many got them.

    Whoever changes their birth date gets nothing more in the same calendar year, and who comes
    twice, or at once in two processes, finds under the account's lock that it was given.
    """
    programme = await context.rules.follow(tx)
    now = context.clock.now()
    version = programme.in_force(now)
    if version is None or version.birthday is None:
        return 0
    rule, days = version.birthday, _due_days(programme, now)
    due = await store.list_due(tx, days, rule.rule, limit=limit)
    if not due:
        return 0
    members = await books.lock(tx, [one.member_id for one in due], context)
    due = await store.list_due(tx, days, rule.rule, limit=limit, among=list(members))
    today = now.astimezone(programme.time_zone).date()
    given = [
        Award(
            award_id=awards.award_id(one.member_id, rule.rule, one.year),
            member_id=one.member_id,
            kind="birthday",
            rule=rule.rule,
            period=one.year,
            points=rule.points,
            programme_version=version.version,
            earned_at=now,
            begins_at=now,
            expires_at=ends_at(version.expiry, today, programme.time_zone),
        )
        for one in due
    ]
    await award_store.write(tx, given)
    gifts = [awards.change(None, one, _cause(one.award_id), programme) for one in given]
    book = books.open_book(members, context)
    closed = await books.write(tx, Batch(book, now, gifts=gifts))
    await announce.on_ledger(tx, book, closed)
    return len(given)


def _due_days(programme: Programme, now: datetime) -> Sequence[Day]:
    """Return the birthdays that are due, none from before the rule was in force."""
    version = programme.in_force(now)
    assert version is not None
    assert version.birthday is not None
    zone, early = programme.time_zone, timedelta(days=version.birthday.days_before)
    today = now.astimezone(zone).date()
    began = version.effective_from.astimezone(zone).date()
    due = (today - timedelta(days=back) for back in range(LOOK_BACK_DAYS))
    return [
        Day(day + early, midnight(day + timedelta(days=1), zone)) for day in due if day >= began
    ]


def _cause(award_id: UUID) -> UUID:
    return ids.derived_id(award_id, "birthday")
