"""Awards: points for more than one receipt, or for none: challenges, birthdays, referrals."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.loyalty.domain.accounts import ISSUED
from services.loyalty.domain.lots import Lot
from services.loyalty.domain.postings import Gift
from services.loyalty.domain.programme import Programme
from shared import ids

Kind = Literal["challenge", "birthday", "referral"]


@dataclass(frozen=True, slots=True)
class Award:
    """Points that a rule gives beside those of receipts; a lot has its id while it gives any."""

    award_id: UUID
    member_id: UUID
    kind: Kind
    rule: str
    period: int
    """Of a challenge that in which it was reached, of a birthday the year, otherwise 0."""
    points: int
    """0 where it was taken back."""
    programme_version: str
    earned_at: datetime
    begins_at: datetime
    expires_at: datetime | None

    def lot(self, programme: Programme) -> Lot:
        """Return its points as they are posted; its version says whether they end by inactivity."""
        version = programme.by_name.get(self.programme_version)
        return Lot(
            member_id=self.member_id,
            lot_id=self.award_id,
            points=self.points,
            activates_at=self.begins_at,
            expires_at=self.expires_at,
            inactive_months=version.expiry.inactive_months if version else None,
        )

    def taken_back(self) -> "Award":
        """Return what is left of it once it is not deserved any more."""
        return replace(self, points=0)


def award_id(member_id: UUID, rule: str, about: int | str) -> UUID:
    """Return the id under which a rule gives something to a member: once, whoever computes it."""
    return ids.derived_id(member_id, f"award:{rule}:{about}")


def change(before: Award | None, after: Award, cause_id: UUID, programme: Programme) -> Gift:
    """Return what is posted where an award comes, changes or goes."""
    return Gift(
        lot=after.lot(programme),
        source=ISSUED,
        why="award",
        cause_id=cause_id,
        occurred_at=after.earned_at,
        before=before.lot(programme) if before and before.points else None,
        rule=after.rule,
        programme_version=after.programme_version,
    )
