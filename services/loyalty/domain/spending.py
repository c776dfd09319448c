"""Holds: points reserved for a till, and what became of them.

What was granted stands: a hold is one of the facts that lots are drawn from, at the time of its
grant. It is captured, whole or in part, or released, or ends by itself. A purchase that names it
captures it if it was open when the sale happened, however late we hear of that sale; and gives
back of it what its own goods that came back were paid with. A hold may be the price of a reward,
which is captured, and comes back, as a whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, Protocol
from uuid import UUID

from services.loyalty.domain.lots import Take
from services.loyalty.domain.receipts import Line
from shared.errors import Refused

State = Literal["held", "captured", "released", "expired"]

TTL_S = 600
TTL_S_MAX = 86_400
ADJUSTMENT = "adjustment"
"""Stands in ``identified_by`` of what was taken by hand; no till can say it."""
MERGE = "merge"
"""And of a debt that came with a merged member, as a spend of the merge's id at its time."""
CLOCK = timedelta(minutes=5)
"""How far a till's clock may be behind ours; ingest marks one that is further off."""


@dataclass(frozen=True, slots=True)
class Spend:
    """A hold, and what of it is spent."""

    spend_id: UUID
    member_id: UUID
    points: int
    """What was granted."""
    taken: int
    """What it takes from the member now: all while held, then what was captured and kept."""
    captured: int
    """What was captured of it, whatever came back of that."""
    state: State
    at: datetime
    """When it was granted."""
    expires_at: datetime
    identified_by: str
    """How the till knew the member."""
    opened_by: str
    """The key that asked for it."""
    store_id: str | None = None
    closed_at: datetime | None = None
    receipt_id: UUID | None = None
    """The purchase that captured it or came to name it."""
    receipt_revision: int = 0
    """The newest revision of that purchase which has been looked at."""
    reward_id: str | None = None
    """What it takes; None where points are spent as such."""
    programme_version: str | None = None
    """The rules that said on which terms, of a reward."""
    gift_card_minor: int | None = None
    """What the gift card has that the reward is; None for any other. No purchase captures it or
    gives it back: its money is in another ledger, which no receipt undoes."""

    @property
    def is_adjustment(self) -> bool:
        """Whether it was taken by hand: no hold, though it takes from the lots like one."""
        return self.identified_by == ADJUSTMENT

    @property
    def is_hold(self) -> bool:
        """Whether a till or an app asked for it."""
        return self.identified_by not in {ADJUSTMENT, MERGE}

    @property
    def is_debt(self) -> bool:
        """Whether it is what a member owed who was merged."""
        return self.identified_by == MERGE

    @property
    def is_activity(self) -> bool:
        """Whether the member did something, and it stands."""
        return self.taken > 0 and self.is_hold

    def take(self, *, forgiven: bool) -> Take:
        """Return what it takes from the member's lots."""
        return Take(self.at, self.spend_id, self.taken, forgiven)


class NamingReceipt(Protocol):
    """What of a receipt decides about the holds that it names."""

    @property
    def receipt_id(self) -> UUID:
        """Which receipt."""
        ...

    @property
    def revision(self) -> int:
        """Grows with each change of the receipt."""
        ...

    @property
    def occurred_at(self) -> datetime:
        """When the sale happened by the till's clock."""
        ...

    @property
    def total_minor(self) -> int:
        """Paid for what was kept."""
        ...

    @property
    def sold_total_minor(self) -> int:
        """Paid for what was sold."""
        ...

    @property
    def lines(self) -> Sequence[Line]:
        """Each at its net state."""
        ...


def is_over(spend: Spend, now: datetime) -> bool:
    """Whether an open hold has outlived its time."""
    return spend.state == "held" and spend.expires_at <= now


def capture(spend: Spend, points: int | None, now: datetime) -> Spend:
    """Spend all or ``points`` of an open hold; the rest goes back.

    Raises ``Refused`` for a hold that is not open any more, for more than it holds, and for a part
    of a reward: whoever names points wants a part.
    """
    _must_be_open(spend, now)
    if spend.reward_id is not None and points is not None:
        detail = "A reward is captured as a whole: send no points."
        raise Refused("reward_not_divisible", detail, status=422, fields=["points"])
    wanted = spend.points if points is None else points
    if wanted > spend.points:
        detail = f"The hold is for {spend.points} points."
        raise Refused("hold_exceeded", detail, fields=["points"])
    return replace(spend, state="captured", captured=wanted, taken=wanted, closed_at=now)


def release(spend: Spend, now: datetime) -> Spend:
    """Give all of an open hold back; ``Refused`` for one that is not open any more."""
    _must_be_open(spend, now)
    return replace(spend, state="released", taken=0, closed_at=now)


def expire(spend: Spend) -> Spend:
    """End a hold whose time is over."""
    return replace(spend, state="expired", taken=0, closed_at=spend.expires_at)


def name(spend: Spend, receipt: NamingReceipt, now: datetime, *, voided: bool) -> Spend:
    """Bring a hold to what a purchase that names it says at that revision.

    Returns ``spend`` itself where there is nothing to do: the revision is not newer, the hold
    belongs to another purchase, or it was not open when the sale happened, or is none, or one for
    a gift card.
    """
    if not spend.is_hold or spend.gift_card_minor is not None:
        return spend
    if spend.receipt_id is None:
        if spend.state != "captured":
            if not _was_open(spend, receipt.occurred_at):
                return spend
            captured = spend.points
        else:
            captured = spend.captured
        spend = replace(
            spend,
            state="captured",
            captured=captured,
            closed_at=spend.closed_at if spend.state == "captured" else now,
            receipt_id=receipt.receipt_id,
        )
    elif spend.receipt_id != receipt.receipt_id or spend.receipt_revision >= receipt.revision:
        return spend
    kept = 0 if voided else _kept(spend, receipt)
    return replace(spend, taken=kept, receipt_revision=receipt.revision)


def unname(spend: Spend, revision: int) -> Spend:
    """Give back what a purchase captured whose newer revision does not name the hold any more."""
    if spend.receipt_revision >= revision:
        return spend
    return replace(spend, taken=0, receipt_revision=revision)


def _kept(spend: Spend, receipt: NamingReceipt) -> int:
    """Return what stays spent: what comes back is the returned part of it, rounded down.

    A reward is not divisible: it stays until nothing of the purchase was kept.
    """
    captured, sold = spend.captured, receipt.sold_total_minor
    if spend.reward_id is not None:
        return 0 if _came_back(receipt) else captured
    if sold <= 0:
        return captured
    back = max(0, sold - receipt.total_minor)
    return captured - captured * back // sold


def _came_back(receipt: NamingReceipt) -> bool:
    """Whether no line has a piece or money left, of a sale that had.

    The pieces count beside the money: a reward may stand on the receipt as a line that is free.
    """
    return receipt.revision > 1 and not any(
        line.quantity_milli or line.amount_minor for line in receipt.lines
    )


def _was_open(spend: Spend, at: datetime) -> bool:
    if spend.state == "held":
        return True
    until = spend.closed_at if spend.state == "released" and spend.closed_at else spend.expires_at
    return spend.at - CLOCK <= at <= until


def _must_be_open(spend: Spend, now: datetime) -> None:
    state = "expired" if is_over(spend, now) else spend.state
    if state != "held":
        raise Refused("hold_not_open", f"The hold is {state}.", status=409)
