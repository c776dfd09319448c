"""What becomes of a receipt with an event: what it is worth, and what it counts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from services.loyalty.domain import occasions, settle
from services.loyalty.domain.ladder import EVER, Returns, without_points
from services.loyalty.domain.lots import NEVER
from services.loyalty.domain.programme import Programme, Version
from services.loyalty.domain.receipts import ReceiptEvent, ReceiptRevision
from services.loyalty.domain.settle import Settlement
from services.loyalty.domain.terms import ends_at

Approval = Literal["waiting", "approved", "rejected"]


@dataclass(slots=True)
class ReceiptState:
    """What was posted for a receipt so far; ``revision`` 0 means that it is new here."""

    member_id: UUID | None = None
    revision: int = 0
    posted: int = 0
    qualifying_minor: int = 0
    year: int = 0
    """The period in which it counts for the tier (see ``domain.ladder``)."""
    desired: int = 0
    """What it would be worth if nothing were capped."""
    occurred_at: datetime | None = None
    begins_at: datetime | None = None
    """From when on its points can be spent."""
    store_id: str = ""
    version: Version | None = None
    """The rules in force when it happened; None where nothing could be earned."""
    counts: tuple[int, ...] = ()
    """What it adds to each challenge of that version; empty where to none."""

    returns: Returns = ()
    """What came off ``qualifying_minor`` since it was sold."""
    approval: Approval | None = None
    """None where it need not wait for the staff; a decision stays whatever revision comes."""
    approved_at: datetime | None = None
    due_at: datetime | None = None
    """While it waits: when its points would begin if it did not."""
    by_level: tuple[int, ...] = ()
    """What it would be worth at each level of the tiers; empty where that is all the same."""
    level: int | None = None
    """The one that was held just before the sale; None where it is all the same."""
    sold_at: datetime | None = None
    """When we heard of it, where the till's clock was ahead; None: at ``occurred_at``."""
    birthday: int | None = None
    """Whether it was one of the member's (``bonuses.BIRTHDAYS``), as we knew when we first heard of
    it with this member; None where nobody asked."""
    day: date | None = None
    """Of the sale, once ``local_day`` was asked."""

    @property
    def base_worth(self) -> int:
        """Return what it would be worth to a member without a tier: what counts of points."""
        if self.by_level and self.approval != "rejected":
            return self.by_level[0]
        return self.desired

    def worth_at(self, level: int) -> int:
        """Return what it would be worth at a level; one behind the last is the last."""
        return self.by_level[min(level, len(self.by_level) - 1)]

    @property
    def visited_at(self) -> datetime | None:
        """Return when it kept points alive that end by inactivity; None for one without points."""
        if not self.posted or self.occurred_at is None:
            return None
        return min(self.occurred_at, self.begins_at or self.occurred_at)

    def local_day(self, at: datetime, zone: ZoneInfo) -> date:
        """Return the day of the sale, ``at``, in ``zone``."""
        if self.day is None:
            self.day = at.astimezone(zone).date()
        return self.day

    def expires_at(self, zone: ZoneInfo) -> datetime | None:
        """Return when its points end; None where they never do, or nothing could be earned."""
        if self.version is None or self.occurred_at is None:
            return None
        return ends_at(self.version.expiry, self.local_day(self.occurred_at, zone), zone)


def become(
    programme: Programme,
    event: ReceiptEvent,
    before: ReceiptState,
    *,
    born: Mapping[UUID, date],
    held: Callable[[ReceiptState], int],
) -> tuple[ReceiptState, Settlement]:
    """Return the state to which an event takes a receipt, and what it is worth.

    But for ``posted``, which the caps decide. ``born`` has the birth dates of members whose
    receipts ask for them; ``held`` says the level before the sale, where that matters.
    """
    receipt = event.data
    birthday = _birthday(programme, before, receipt, born) if programme.by_birthday else None
    net = settlement = settle.settle(receipt, programme, birthday or 0)
    after = _settled(receipt, net, programme)
    if birthday is not None:
        after.birthday = birthday
    if before.approval is not None or (after.version and after.version.pending):
        settlement = _stay(programme, receipt, net, before=before, after=after)
    if settlement.by_level and after.member_id is not None:
        settlement = _at(after, settlement, held(after))
    if after.approval is None and after.version and after.version.pending and _wait(after):
        # Until somebody has decided nothing has begun, so that all that came back is taken.
        settlement = _at(after, net, after.level or 0)
    if receipt.revision > 1 and after.member_id is not None:
        after.returns = _came_back(programme, receipt, net, after)
    return after, settlement


def _at(after: ReceiptState, worth: Settlement, level: int) -> Settlement:
    """Let a receipt be worth what it is at a level, unless it was rejected; return that."""
    after.by_level, there = worth.points_by_level, worth.at(level)
    after.level = level if after.by_level else None
    if after.approval != "rejected":
        after.desired = there.points
    return there


def at_level(before: ReceiptState, level: int) -> ReceiptState:
    """Return a receipt at another level. What the staff decided on it stays."""
    after = replace(before, level=level)
    if before.approval != "rejected":
        after.desired = before.worth_at(level)
    if before.approval in {None, "waiting"}:
        after.approval, after.due_at = None, None
        after.begins_at = before.due_at or before.begins_at
        _wait(after)
    return after


def _birthday(
    programme: Programme,
    before: ReceiptState,
    receipt: ReceiptRevision,
    born: Mapping[UUID, date],
) -> int | None:
    """Return whether it was the member's birthday: as it was said before, or as we know now."""
    version = programme.in_force(receipt.occurred_at)
    if version is None or not version.lookups.of_birthdays or receipt.member_id is None:
        return None
    if before.birthday is not None and before.member_id == receipt.member_id:
        return before.birthday
    day = receipt.occurred_at.astimezone(programme.time_zone).date()
    return occasions.birthday(born.get(receipt.member_id), day)


def _settled(
    receipt: ReceiptRevision, settlement: Settlement, programme: Programme
) -> ReceiptState:
    """Return the receipt's state as its net state says it."""
    zone = programme.time_zone
    after = ReceiptState(receipt.member_id, receipt.revision, occurred_at=receipt.occurred_at)
    day = after.local_day(receipt.occurred_at, zone)
    if receipt.received_at < receipt.occurred_at:
        after.sold_at = receipt.received_at
    after.year = programme.ladder.period(day)
    after.store_id = receipt.store_id
    if after.member_id is not None and settlement.version is not None:
        after.desired = settlement.points
        after.qualifying_minor = settlement.qualifying_minor
        after.version, after.counts = settlement.version, settlement.counts
    after.begins_at = settle.begins_at(receipt, after.version, day, zone)
    return after


def _stay(
    programme: Programme,
    receipt: ReceiptRevision,
    net: Settlement,
    *,
    before: ReceiptState,
    after: ReceiptState,
) -> Settlement:
    """Let a receipt be what the staff decided on it; return what it is worth then.

    That is more than ``net`` where points stay that had begun when goods came back.
    """
    if before.approval == "rejected":
        after.approval, after.desired, after.counts = before.approval, 0, ()
        return net
    if before.approval == "approved" and before.approved_at and after.begins_at:
        after.approval, after.approved_at = before.approval, before.approved_at
        after.begins_at = max(after.begins_at, before.approved_at)
    if after.version is None or after.begins_at is None:
        return net
    kept = settle.keep(net, receipt, programme, after.begins_at, birthday=after.birthday or 0)
    after.desired = kept.points
    return kept


def _wait(after: ReceiptState) -> bool:
    """Let a receipt wait for the staff that is worth too much to go without; whether it is."""
    pending = after.version.pending if after.version else None
    above = pending.approval_above if pending else None
    if above is None or after.desired <= above:
        return False
    after.approval, after.due_at, after.begins_at = "waiting", after.begins_at, NEVER
    return True


def _came_back(
    programme: Programme, receipt: ReceiptRevision, net: Settlement, after: ReceiptState
) -> Returns:
    """Return what came off what a receipt counts; points that stay, or never were, did not."""
    found = settle.came_back(receipt, net, programme, birthday=after.birthday or 0)
    if not found or after.version is None or after.begins_at is None:
        return found
    if after.approval == "rejected":
        return without_points(found, EVER)
    since = settle.stays_from(receipt, after.version, after.begins_at)
    return found if since is None else without_points(found, since)
