"""What is announced of tiers: changes and notices, each once.

What a member has been told is kept with the account. Whoever holds the account's lock compares
it with where the member stands now; who comes second finds no difference.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from services.loyalty.domain.accounts import MemberState
from services.loyalty.domain.ladder import Counting, Ladder
from services.loyalty.domain.tiers import Standing


@dataclass(frozen=True, slots=True)
class TierChange:
    """A member moved between tiers."""

    cause_id: UUID
    """The event that moved it, or the review that saw the clock do it."""
    member_id: UUID
    at: datetime
    previous: str | None
    tier: str | None
    period: int
    counted: int
    """In the best window that counts then."""
    imported: bool = False


@dataclass(frozen=True, slots=True)
class ToStay:
    """What keeps a level that would be lost otherwise."""

    missing: int
    last_day: date
    """On which it still counts for that."""


@dataclass(frozen=True, slots=True)
class TierNotice:
    """A tier will be lost if nothing more happens."""

    member_id: UUID
    at: datetime
    """When the member is told."""
    tier: str
    falls_to: str | None
    falls_at: datetime
    stay: ToStay
    """What keeps it."""


def count(ladder: Ladder, member: MemberState, before: Counting, after: Counting) -> bool:
    """Move what a receipt counts from its old state to the new; whether a tier may follow.

    It does not where all that counts in the period carries the same level as before: most
    purchases end here. A window that rolls has no such period, and who ever took something back
    may have held another level meanwhile.
    """
    same_period, same_returns = before.year == after.year, before.returns == after.returns
    same = before.qualifying_minor == after.qualifying_minor and same_period and same_returns
    if same and (not ladder.by_points or before.base_worth == after.base_worth):
        return False
    moved = ladder.rolling or bool(member.returned) or not same_returns
    for receipt, sign in ((before, -1), (after, 1)):
        net, back = ladder.counted(receipt)
        if net or back:
            level = ladder.level(member.spend.get(receipt.year, 0))
            member.count(receipt.year, sign * net, sign * back)
            moved = moved or ladder.level(member.spend[receipt.year]) != level
    return moved


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a member's tier is looked at, and as of when."""

    member_id: UUID
    cause_id: UUID
    as_of: datetime
    at: datetime | None = None
    """When that happened; None where it is the clock alone."""
    imported: bool = False


def review(
    ladder: Ladder, member: MemberState, found: Standing, cause: Cause
) -> tuple[TierChange | None, TierNotice | None]:
    """Bring what was announced of a member to where they stand; return what is to be announced.

    A notice is returned as long as it is due: whether it was given before, the table knows.
    """
    change = notice = None
    as_of = cause.as_of
    name = ladder.name(found.level)
    if name != member.tier:
        period = ladder.period_at(as_of)
        change = TierChange(
            cause_id=cause.cause_id,
            member_id=cause.member_id,
            at=cause.at or min(member.tier_review_at or as_of, as_of),
            previous=member.tier,
            tier=name,
            period=period,
            counted=_best(ladder, member.spend, period),
            imported=cause.imported,
        )
        member.tier, member.tier_at = name, as_of
    stay = to_stay(ladder, member.spend, found, as_of)
    if found.notice_at and found.notice_at <= as_of and found.falls_at and stay and name:
        falls_to = ladder.name(found.falls_to)
        notice = TierNotice(cause.member_id, as_of, name, falls_to, found.falls_at, stay)
    member.tier_review_at = found.looked_at_again
    return change, notice


def to_stay(
    ladder: Ladder, sums: Mapping[int, int], found: Standing, as_of: datetime
) -> ToStay | None:
    """Return what keeps the level; None where there is none, or nothing that takes it away.

    Of a calendar year it is what keeps the tier for one more year.
    """
    if not found.level or found.falls_at is None:
        return None
    end = ladder.period_at(as_of)
    if found.in_grace:
        until = found.falls_at
    elif ladder.rolling:
        until = ladder.later(found.falls_at, -ladder.policy.grace_days)
        end = ladder.period_at(until)
    else:
        until = ladder.starts(end + 1)
    missing = ladder.thresholds[found.level - 1] - ladder.window(sums, end)
    return ToStay(max(0, missing), ladder.last_day(until))


def _best(ladder: Ladder, sums: Mapping[int, int], period: int) -> int:
    """Return what counts in the best window that carries in a period by itself."""
    return max(ladder.window(sums, end) for end in range(period - ladder.kept, period + 1))
