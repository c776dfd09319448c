"""Events of the ``loyalty`` topic."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from shared.contracts.envelope import SAFE_INT, Contract, Event, Points


class PointsMovement(Contract):
    """Points that one receipt event gave or took, and the balance after it."""

    member_id: UUID
    """Whose account."""
    receipt_id: UUID
    """The receipt that the points are for."""
    store_id: str
    """Where it was printed."""
    points: Points
    """Positive; the event type says the direction."""
    available: Points
    """The member's spendable balance right after."""
    expires_at: AwareDatetime | None = None
    """When the points earned here end, if they do."""
    programme_version: str
    """The rules that were applied: those in force when the sale happened."""
    explain: str
    """In words a member understands: why this many."""
    imported: bool = False
    """For a receipt taken over from another system: nobody is told of it."""


class OpeningLot(Contract):
    """Points that a member brought from another system, and the balance after them."""

    member_id: UUID
    """Whose account."""
    lot_id: UUID
    """Of the lot that they are."""
    points: Points
    """What was left of it; positive."""
    available: Points
    """The member's spendable balance right after."""
    earned_at: AwareDatetime
    """When they were earned there."""
    expires_at: AwareDatetime
    """When they end."""
    explain: str
    """In words a member understands: where they come from."""


class Spending(Contract):
    """Points that a member spent, or got back of what they had spent, and the balance after it."""

    member_id: UUID
    """Whose account."""
    hold_id: UUID
    """The hold that reserved them."""
    receipt_id: UUID | None = None
    """The purchase that they paid for, where it named the hold by then."""
    points: Points
    """Positive; the event type says the direction."""
    available: Points
    """The member's spendable balance right after."""
    explain: str
    """In words a member understands."""
    reward_id: str | None = None
    """What was taken for them, or came back, if that is a reward of the programme."""


class LotEnd(Contract):
    """Points that ended unspent, and the balance after it."""

    member_id: UUID
    """Whose account."""
    lot_id: UUID
    """Of the points that were earned together; the receipt's id where they are for one."""
    points: Points
    """What ended; negative where a late fact shows that less had."""
    available: Points
    """The member's spendable balance right after."""
    explain: str
    """In words a member understands."""


class LotBegin(Contract):
    """Points that had been pending and can be spent now, and the balance after it."""

    member_id: UUID
    """Whose account."""
    lot_id: UUID
    """Of the points that were earned together; the receipt's id where they are for one."""
    points: Points
    """What began; negative where a late fact shows that it has to wait."""
    available: Points
    """The member's spendable balance right after; less where a debt was repaid first."""
    expires_at: AwareDatetime | None = None
    """When they end, if they do."""
    explain: str
    """In words a member understands."""


class Correction(Contract):
    """Points that staff gave or took by hand, and the balance after it."""

    member_id: UUID
    """Whose account."""
    adjustment_id: UUID
    """What was asked for, and by two people above a limit."""
    points: Points
    """What the member got; negative where it was taken."""
    available: Points
    """The member's spendable balance right after."""
    expires_at: AwareDatetime | None = None
    """When points that were given end, if they do."""
    reason: str
    """Its code, e.g. ``goodwill``."""
    explain: str
    """In words a member understands."""


class AwardMovement(Contract):
    """Points for a challenge, a birthday or a referral, and the balance after it."""

    member_id: UUID
    """Whose account."""
    award_id: UUID
    """What they are for; the same where it comes, changes or is taken back."""
    rule: str
    """Of the programme's version, e.g. ``three-visits``."""
    points: Points
    """What the member got; negative where it is not deserved any more."""
    available: Points
    """The member's spendable balance right after."""
    begins_at: AwareDatetime | None = None
    """From when on they can be spent; null while goods are still to come."""
    expires_at: AwareDatetime | None = None
    """When they end, if they do."""
    programme_version: str
    """The rules that give them."""
    explain: str
    """In words a member understands."""


class Passage(Contract):
    """Points that passed between two members of whom one took over, and the balance after it."""

    member_id: UUID
    """Whose account; another event tells of the other side."""
    other_id: UUID
    """The other member; ``member.changed.v1`` says who took over from whom."""
    points: Points
    """What the member got; negative where it went. At a merge, and when a late fact changes what
    the merged member had left, or the merge is undone."""
    available: Points
    """The member's spendable balance right after."""
    explain: str
    """In words a member understands."""


class WriteOff(Contract):
    """Points that were taken and not there, which the shop bears; and the balance after it."""

    member_id: UUID
    """Whose account."""
    points: Points
    """What the member need not repay; negative where late points serve it after all."""
    available: Points
    """The member's spendable balance right after."""
    explain: str
    """In words a member understands."""


class EndAhead(Contract):
    """Points that a member has, and that end soon unless they are spent."""

    member_id: UUID
    """Whose account."""
    points: Points
    """Positive."""
    ends_at: AwareDatetime
    """The first instant at which they are gone; as things stand, where that may move."""
    value_minor: int
    """What they are worth, in minor units."""
    currency: str
    """ISO 4217."""
    last_day: str
    """The last day on which they can be spent, in words."""
    explain: str
    """In words a member understands."""


class TierMovement(Contract):
    """A member moved between tiers."""

    member_id: UUID
    """Who."""
    previous: str | None
    """The tier before; absent for none."""
    tier: str | None
    """The tier now; absent for none."""
    reason: str
    """In words a member understands."""
    imported: bool = False
    """Because of a receipt taken over from another system: nobody is told of it."""
    rose: bool = False
    """Whether it is a higher one than before."""


class TierWarning(Contract):
    """A member will lose a tier unless more is bought; re-earned, it stays and nobody says so."""

    member_id: UUID
    """Who."""
    tier: str
    """The tier that they have."""
    falls_to: str | None
    """The tier that comes then; absent for none."""
    falls_at: AwareDatetime
    """When, if nothing more happens."""
    measure: Literal["spend", "visits", "points"]
    """What the programme counts."""
    missing: Annotated[int, Field(ge=0, le=SAFE_INT)]
    """What keeps the tier: minor units of the programme's currency, visits, or points."""
    until: date
    """The last day on which that does, in the programme's time zone."""
    explain: str
    """In words a member understands."""


class ApprovalDecision(Contract):
    """What the staff decided on a receipt that was worth so much that it waited for them."""

    member_id: UUID
    """Whose receipt it is."""
    receipt_id: UUID
    """Which receipt."""
    store_id: str
    """Where it was printed."""
    verdict: Literal["approved", "rejected"]
    """A rejected receipt gives nothing, whatever becomes of it later."""
    points: Points
    """What it gives, or would have given."""
    begins_at: AwareDatetime | None = None
    """From when on they can be spent; null where they never can, or goods are still to come."""
    explain: str
    """In words a member understands."""


class PointsEarned(Event):
    """A purchase gave points."""

    type: Literal["points.earned.v1"] = "points.earned.v1"
    data: PointsMovement


class PointsReturned(Event):
    """A return, void or amendment took points back."""

    type: Literal["points.returned.v1"] = "points.returned.v1"
    data: PointsMovement


class PointsOpened(Event):
    """An opening lot was imported; nobody is told of it. ``time`` is when it was earned."""

    type: Literal["points.opened.v1"] = "points.opened.v1"
    data: OpeningLot


class PointsSpent(Event):
    """Points that were held are spent."""

    type: Literal["points.spent.v1"] = "points.spent.v1"
    data: Spending


class PointsRestored(Event):
    """Spent points came back, since what they paid for did."""

    type: Literal["points.restored.v1"] = "points.restored.v1"
    data: Spending


class PointsActivated(Event):
    """Points that had to wait can be spent; ``time`` is from when on, or when we heard of it."""

    type: Literal["points.activated.v1"] = "points.activated.v1"
    data: LotBegin


class PointsExpired(Event):
    """The end of a lot has come; ``time`` is that end."""

    type: Literal["points.expired.v1"] = "points.expired.v1"
    data: LotEnd


class PointsAdjusted(Event):
    """Staff corrected points by hand."""

    type: Literal["points.adjusted.v1"] = "points.adjusted.v1"
    data: Correction


class PointsAwarded(Event):
    """A challenge, a birthday or a referral gave points, or does not any more."""

    type: Literal["points.awarded.v1"] = "points.awarded.v1"
    data: AwardMovement


class PointsMerged(Event):
    """Points passed from a merged member to who took over, or back; nobody is told of it."""

    type: Literal["points.merged.v1"] = "points.merged.v1"
    data: Passage


class PointsWrittenOff(Event):
    """The shop bears what a member took and did not have."""

    type: Literal["points.written_off.v1"] = "points.written_off.v1"
    data: WriteOff


class PointsExpiring(Event):
    """Points are about to end; once for each end."""

    type: Literal["points.expiring.v1"] = "points.expiring.v1"
    data: EndAhead


class TierChanged(Event):
    """A member's tier changed."""

    type: Literal["tier.changed.v1"] = "tier.changed.v1"
    data: TierMovement


class TierNoticed(Event):
    """A member is told in time that a tier will be lost; ``time`` is when."""

    type: Literal["tier.notice.v1"] = "tier.notice.v1"
    data: TierWarning


class ApprovalDecided(Event):
    """The staff let the points of a receipt begin, or took them back; once for a receipt."""

    type: Literal["approval.decided.v1"] = "approval.decided.v1"
    data: ApprovalDecision


LoyaltyEvent = (
    PointsEarned
    | PointsReturned
    | PointsOpened
    | PointsSpent
    | PointsRestored
    | PointsActivated
    | PointsExpired
    | PointsAdjusted
    | PointsAwarded
    | PointsMerged
    | PointsWrittenOff
    | PointsExpiring
    | TierChanged
    | TierNoticed
    | ApprovalDecided
)
