"""What is posted: for receipts, and for whatever else moves points between accounts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.loyalty.domain.accounts import (
    ADJUSTED,
    ISSUED,
    MERGED,
    PENDING,
    REDEEMED,
    Leg,
    MemberState,
    gain,
)
from services.loyalty.domain.fold import Change
from services.loyalty.domain.lots import Drawn, Lot
from services.loyalty.domain.spending import Spend
from services.loyalty.domain.why import Why


class Posting(NamedTuple):
    """What a change of a receipt moved; two legs where a debt is repaid or made."""

    change: Change
    legs: Sequence[Leg]

    @property
    def points(self) -> int:
        """Return what the member got; negative where it was taken."""
        return self.change.points


class Move(NamedTuple):
    """What anything else moved: a hold, its end, the beginning or the end of a lot."""

    member_id: UUID
    cause_id: UUID
    occurred_at: datetime
    why: Why
    about: UUID
    """The hold or the lot."""
    points: int
    """What the member got; negative where it was taken."""
    legs: Sequence[Leg]
    ends_at: datetime | None = None
    """The end of the lot."""
    receipt_id: UUID | None = None
    """The purchase that a hold paid for."""
    reason: str | None = None
    """Of an adjustment: its code."""
    rule: str | None = None
    """Of an award: what it is for."""
    reward_id: str | None = None
    """What a hold takes, if that is a reward."""
    programme_version: str | None = None
    """The rules that said on which terms."""
    begins_at: datetime | None = None
    other_id: UUID | None = None
    """Of a merge: the member on its other side."""

    @property
    def waits(self) -> bool:
        """Whether points that could be spent are pending again."""
        return self.why == "activation" and self.legs[-1].to_account == PENDING


class Gift(NamedTuple):
    """A lot that is not for a receipt, and the account of the programme that it comes from.

    One of 0 points stands for a lot that is taken back.
    """

    lot: Lot
    source: str
    why: Why
    cause_id: UUID
    occurred_at: datetime
    reason: str | None = None
    before: Lot | None = None
    """The lot whose place it takes."""
    rule: str | None = None
    programme_version: str | None = None

    @property
    def points(self) -> int:
        """Return what is to be posted; negative takes from the member."""
        return self.lot.points - (self.before.points if self.before else 0)


class SpendChange(NamedTuple):
    """A hold before (None: it is new) and after something happened to it."""

    before: Spend | None
    after: Spend
    cause_id: UUID
    occurred_at: datetime
    reason: str | None = None

    @property
    def draws(self) -> bool:
        """Whether it changes what is taken from lots: capturing all that is held does not."""
        return self.before is None or self.before.taken != self.after.taken


@dataclass(slots=True)
class Holdings:
    """All lots of a member, as posted, and all that takes from them."""

    lots: dict[UUID, tuple[Lot, Drawn]] = field(default_factory=dict[UUID, tuple[Lot, Drawn]])
    spends: dict[UUID, Spend] = field(default_factory=dict[UUID, Spend])
    passed_debt: Spend | None = None
    """Of a merged member: what stands for their debt in the books of the one who took over."""
    visits: dict[UUID, datetime] = field(default_factory=dict[UUID, datetime])
    """Receipt → when it gave points; only where points of the member end by inactivity."""
    left_only: bool = False
    """Whether these are but the lots with something left, and nothing of what took from them: all
    that a spend needs which comes after all others (``drawing.draw_left``)."""


@dataclass(slots=True)
class LotWrites:
    """Lots to insert, to write over and to delete."""

    new: list[tuple[Lot, Drawn]] = field(default_factory=list[tuple[Lot, Drawn]])
    changed: list[tuple[Lot, Drawn]] = field(default_factory=list[tuple[Lot, Drawn]])
    gone: list[tuple[UUID, UUID]] = field(default_factory=list[tuple[UUID, UUID]])


@dataclass(slots=True)
class Closing:
    """What is written: entries in the order of each member's ledger, and lots."""

    entries: list[Posting | Move] = field(default_factory=list[Posting | Move])
    lots: LotWrites = field(default_factory=LotWrites)
    spends: list[SpendChange] = field(default_factory=list[SpendChange])
    """Beside those of the batch: debts that came with merged members."""


def post_change(member: MemberState, change: Change, *, active: bool) -> Posting:
    """Post what a change of a receipt moves: to what can be spent, or to what is pending."""
    return Posting(change, _differ(member, ISSUED, change.points, active=active))


def post_gift(member: MemberState, gift: Gift, *, active: bool) -> Move:
    """Post a lot that is not for a receipt."""
    lot, points = gift.lot, gift.points
    return Move(
        member_id=lot.member_id,
        cause_id=gift.cause_id,
        occurred_at=gift.occurred_at,
        why=gift.why,
        about=lot.lot_id,
        ends_at=lot.expires_at,
        points=points,
        legs=_differ(member, gift.source, points, active=active),
        reason=gift.reason,
        rule=gift.rule,
        programme_version=gift.programme_version,
        begins_at=lot.activates_at,
    )


def _differ(member: MemberState, source: str, points: int, *, active: bool) -> list[Leg]:
    if not active:
        return member.defer(source, points)
    if points < 0:
        return member.take(source, -points)
    return member.give(source, points)


def post_passage(member: MemberState, move: Move, points: int, *, pending: bool = False) -> Move:
    """Return ``move`` with its legs: ``points`` come from another member, negative ones go there.

    A debt that comes is a negative number of points, one that goes a positive one.
    """
    if pending:
        legs = member.defer(MERGED, points)
    elif points > 0:
        legs = member.give(MERGED, points)
    else:
        legs = member.take(MERGED, -points)
    got = sum(gain(leg.from_account, leg.to_account, leg.points) for leg in legs)
    return move._replace(points=got, legs=legs)


def post_spend(member: MemberState, spend: SpendChange) -> Move:
    """Post what becomes of a hold, or what was taken by hand."""
    before, after = spend.before, spend.after
    why: Why
    legs: list[Leg]
    if before is None and after.is_adjustment:
        why, legs = "adjustment", member.take(ADJUSTED, after.taken)
    elif before is None:
        why, legs = "hold", member.hold(after.points)
    elif before.state == "held":
        back = before.taken - after.taken
        why = "capture" if after.taken else "release"
        legs = member.capture(after.taken) if after.taken else []
        if back:
            legs += member.release(back)
    elif after.taken > before.taken:
        why, legs = "capture", member.take(REDEEMED, after.taken - before.taken)
    else:
        why, legs = "returned", member.give(REDEEMED, before.taken - after.taken)
    points = sum(gain(leg.from_account, leg.to_account, leg.points) for leg in legs)
    return Move(
        member_id=after.member_id,
        cause_id=spend.cause_id,
        occurred_at=spend.occurred_at,
        why=why,
        about=after.spend_id,
        receipt_id=after.receipt_id,
        points=points,
        legs=legs,
        reason=spend.reason,
        reward_id=after.reward_id,
        programme_version=after.programme_version,
    )
