"""Referrals: who brought whom, and what both sides get for it; pure functions.

Both sides wait from the new member's first purchase on until it is past its return window. What
is decided then stands, whatever comes back later.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from services.loyalty.domain.awards import Award, award_id
from services.loyalty.domain.occasions import Referral
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.terms import ends_at, midnight

State = Literal["waiting", "pending", "earned", "lapsed"]

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""Without what is read for something else: 0 and O, 1, I and L."""
CODE_LENGTH = 8
TILLS_CATCH_UP = timedelta(days=7)
"""So much longer a purchase of the last day may take to arrive."""


@dataclass(frozen=True, slots=True)
class Referred:
    """A new member and who brought them, by the rules of the day of the enrolment."""

    referred_id: UUID
    member_id: UUID
    """The referrer."""
    programme_version: str
    minimum_minor: int
    """What the first purchase must be worth."""
    counts_from: datetime
    counts_until: datetime
    """Purchases from when until when count."""
    state: State = "waiting"
    receipt_id: UUID | None = None
    """The purchase that both sides wait for."""
    survives_at: datetime | None = None
    """When its return window is over."""

    @property
    def lapses_at(self) -> datetime:
        """Return when nothing can come of it any more."""
        return self.counts_until + TILLS_CATCH_UP


@dataclass(frozen=True, slots=True)
class Purchase:
    """The first purchase that counts."""

    receipt_id: UUID
    occurred_at: datetime


def new_code() -> str:
    """Return a code that a member can give to friends: one of 8 × 10^11."""
    return "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))


def normal(code: str) -> str:
    """Return a code as it is kept, however it was typed."""
    return code.replace("-", "").replace(" ", "").upper()


def begin(
    referred_id: UUID, member_id: UUID, programme: Programme, now: datetime
) -> Referred | None:
    """Return what a new member and a referrer wait for; None where the rules offer nothing.

    A purchase of the day of the enrolment counts, also one from before it.
    """
    version = programme.in_force(now)
    if version is None or version.referral is None:
        return None
    day = now.astimezone(programme.time_zone).date()
    return Referred(
        referred_id=referred_id,
        member_id=member_id,
        programme_version=version.version,
        minimum_minor=version.referral.minimum_spend_minor,
        counts_from=midnight(day, programme.time_zone),
        counts_until=midnight(
            day + timedelta(days=version.referral.within_days + 1), programme.time_zone
        ),
    )


def terms(known: Referred, programme: Programme) -> Referral:
    """Return the rule that a referral goes by: that of the day of the enrolment."""
    rule = programme.by_name[known.programme_version].referral
    assert rule is not None  # or it would not have begun
    return rule


def decide(
    known: Referred,
    first: Purchase | None,
    programme: Programme,
    *,
    now: datetime,
    is_member: bool,
) -> Referred:
    """Return what has become of it: by the first purchase that is kept, as we know it now."""
    rule = terms(known, programme)
    if not is_member or (first is None and known.lapses_at <= now):
        return replace(known, state="lapsed", receipt_id=None, survives_at=None)
    if first is None:
        return replace(known, state="waiting", receipt_id=None, survives_at=None)
    survives_at = first.occurred_at
    if rule.return_days:
        day = first.occurred_at.astimezone(programme.time_zone).date()
        survives_at = midnight(day + timedelta(days=rule.return_days), programme.time_zone)
    state: State = "earned" if survives_at <= now else "pending"
    return replace(known, state=state, receipt_id=first.receipt_id, survives_at=survives_at)


def deserved(known: Referred, first: Purchase | None, programme: Programme) -> Iterator[Award]:
    """Yield what both sides get, the new member first; with 0 points while that is nothing."""
    rule, waits = terms(known, programme), first is not None and known.survives_at is not None
    earned_at = first.occurred_at if first else known.counts_from
    day = earned_at.astimezone(programme.time_zone).date()
    version = programme.by_name[known.programme_version]
    sides = (
        (known.referred_id, "referred", 0, rule.points_referred),
        (known.member_id, str(known.referred_id), day.year, rule.points_referrer),
    )
    for member_id, about, period, points in sides:
        yield Award(
            award_id=award_id(member_id, rule.rule, about),
            member_id=member_id,
            kind="referral",
            rule=rule.rule,
            period=period,
            points=points if waits else 0,
            programme_version=version.version,
            earned_at=earned_at,
            begins_at=known.survives_at or earned_at,
            expires_at=ends_at(version.expiry, day, programme.time_zone),
        )
