"""Adjustments: points given or taken by hand, above a limit by two people."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, get_args
from uuid import UUID

from services.loyalty.domain.accounts import ADJUSTED
from services.loyalty.domain.lots import Lot
from services.loyalty.domain.postings import Gift, SpendChange
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.spending import ADJUSTMENT, Spend
from services.loyalty.domain.terms import ends_at
from shared.errors import Refused

State = Literal["pending_approval", "posted", "rejected"]
Reason = Literal[
    "goodwill", "complaint", "missing_purchase", "wrong_booking", "promotion", "misuse", "other"
]
"""Goes into the ledger, which nobody can edit: a code, so that nothing personal gets there."""
REASONS: tuple[Reason, ...] = get_args(Reason)

_WORDS: Mapping[str, str] = {
    "goodwill": "as a gesture of goodwill",
    "complaint": "after a complaint",
    "missing_purchase": "for a purchase that was not recorded",
    "wrong_booking": "since something had been booked wrongly",
    "promotion": "for a promotion",
    "misuse": "because of misuse",
    "other": "for another reason",
}

ALONE_FOR = timedelta(hours=24)
"""How far back the limit of one person looks, so that many small ones are not a way around it."""


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What somebody asked for, and what became of it."""

    adjustment_id: UUID
    member_id: UUID
    points: int
    """Negative takes from the member; never 0."""
    reason: str
    state: State
    asked_by: str
    """The key that asked for it."""
    asked_at: datetime
    expires_at: datetime | None = None
    """When points that are given end: as wished, once posted as they do; None also for never."""
    note: str | None = None
    """Free text for the office; erased with the member."""
    decided_by: str | None = None
    """The second key; None where the first could do it alone, or while nobody has."""
    decided_at: datetime | None = None


def words(reason: str) -> str:
    """Return a reason in words; a code that this version does not know stands for itself."""
    return _WORDS.get(reason, reason)


def approve(adjustment: Adjustment, by: str, now: datetime) -> Adjustment:
    """Let a second key agree; the same one again gets what it had got, ``adjustment`` itself.

    Raises ``Refused`` for the key that asked, and for what is decided otherwise.
    """
    return _decide(adjustment, "posted", by, now)


def reject(adjustment: Adjustment, by: str, now: datetime) -> Adjustment:
    """Let a second key refuse, on the same terms."""
    return _decide(adjustment, "rejected", by, now)


def _decide(adjustment: Adjustment, verdict: State, by: str, now: datetime) -> Adjustment:
    if adjustment.state == "pending_approval":
        if by == adjustment.asked_by:
            detail = "Who asked for it can not decide on it."
            raise Refused("second_person_needed", detail, status=403)
        return replace(adjustment, state=verdict, decided_by=by, decided_at=now)
    if (adjustment.state, adjustment.decided_by) == (verdict, by):
        return adjustment
    detail = f"The adjustment is {adjustment.state}."
    raise Refused("adjustment_decided", detail, state=adjustment.state)


def must_not_have_ended(adjustment: Adjustment, now: datetime) -> None:
    """Raise ``Refused`` (409) where what is given would have ended already."""
    if adjustment.expires_at is not None and adjustment.expires_at <= now:
        detail = "These points would have ended already."
        raise Refused("lot_expired", detail, fields=["expires_at"])


def with_end(adjustment: Adjustment, programme: Programme, now: datetime) -> Adjustment:
    """Give points that are posted at ``now`` the end of the rules in force, if none was wished."""
    version = programme.in_force(now)
    if adjustment.points < 0 or adjustment.expires_at is not None or version is None:
        return adjustment
    zone = programme.time_zone
    return replace(
        adjustment, expires_at=ends_at(version.expiry, now.astimezone(zone).date(), zone)
    )


def as_gift(adjustment: Adjustment, programme: Programme, now: datetime) -> Gift:
    """Return points that are given as they are posted: a lot that begins now."""
    key, version = adjustment.adjustment_id, programme.in_force(now)
    follows = version is not None and adjustment.expires_at is None
    months = version.expiry.inactive_months if version and follows else None
    lot = Lot(adjustment.member_id, key, adjustment.points, now, adjustment.expires_at, months)
    return Gift(lot, ADJUSTED, "adjustment", key, now, adjustment.reason)


def as_spend(adjustment: Adjustment, now: datetime) -> SpendChange:
    """Return points that are taken as they are posted: drawn from lots like a spend."""
    points = -adjustment.points
    spend = Spend(
        spend_id=adjustment.adjustment_id,
        member_id=adjustment.member_id,
        points=points,
        taken=points,
        captured=points,
        state="captured",
        at=now,
        expires_at=now,
        identified_by=ADJUSTMENT,
        opened_by=adjustment.asked_by,
        closed_at=now,
    )
    return SpendChange(None, spend, adjustment.adjustment_id, now, adjustment.reason)
