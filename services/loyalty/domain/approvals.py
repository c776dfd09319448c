"""Approvals: what the staff decides on a receipt that is worth more than the rules let through.

A decision is made once and is a fact from then on. What the receipt gives is a function of that
fact and of its highest revision, so revisions from before and after it may come in any order.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from services.loyalty.domain import fold
from services.loyalty.domain.becoming import ReceiptState
from services.loyalty.domain.fold import Book
from services.loyalty.domain.ladder import EVER, without_points
from services.loyalty.domain.settle import Settlement
from shared import ids
from shared.errors import Refused

Verdict = Literal["approved", "rejected"]
AN_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A receipt that waits for a decision."""

    receipt_id: UUID
    member_id: UUID
    points: int
    """What it gives if it is approved, caps considered."""
    occurred_at: datetime
    store_id: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided."""

    receipt_id: UUID
    member_id: UUID
    """Whose receipt it was then."""
    verdict: Verdict
    points: int
    """What it would have given then."""
    decided_by: str
    """The key."""
    decided_at: datetime

    def repeated(self, verdict: Verdict, by: str) -> "Decision":
        """Return it to who said the same before; 409 ``approval_decided`` for all others."""
        if (self.verdict, self.decided_by) == (verdict, by):
            return self
        detail = f"The receipt is {self.verdict}."
        raise Refused("approval_decided", detail, verdict=self.verdict)


def needed(settled: Settlement) -> bool:
    """Return whether what a receipt is worth waits for the staff, unless they have decided."""
    pending = settled.version.pending if settled.version else None
    above = pending.approval_above if pending else None
    return above is not None and settled.points > above


@dataclass(frozen=True, slots=True)
class _Subject:
    receipt_id: UUID
    store_id: str
    imported: bool = False


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision as what changes a receipt's worth; there is but one for each receipt."""

    id: UUID
    time: datetime
    data: _Subject
    type: str = "approval"


def occasion(receipt_id: UUID, state: ReceiptState, now: datetime) -> Decided:
    """Return a decision on a receipt as what changes its worth."""
    subject = _Subject(receipt_id, state.store_id)
    return Decided(ids.derived_id(receipt_id, "approval"), now, subject)


def decide(book: Book, event: Decided, verdict: Verdict) -> None:
    """Bring a decision on a receipt of the book that waits into it.

    Approved points begin when the other terms say, but not before the decision. A rejected receipt
    is worth nothing, and counts for nothing but a tier by spend or visits.
    """
    before = book.receipts[event.data.receipt_id]
    after = _after(before, verdict, event.time)
    settlement = Settlement(after.desired, after.qualifying_minor, [], after.version)
    fold.bring(book, event, before, after, why="approval", settlement=settlement)


def _after(before: ReceiptState, verdict: Verdict, now: datetime) -> ReceiptState:
    due_at = before.due_at or now
    if verdict == "rejected":
        returns = without_points(before.returns, EVER)
        before = replace(before, due_at=None, begins_at=due_at)
        return replace(before, approval=verdict, desired=0, counts=(), returns=returns)
    at = now
    if before.version and before.version.returns_take == "pending_only":
        # What a till whose clock is ahead has taken back so far came back before.
        at = max([now, *(one.at + AN_INSTANT for one in before.returns)])
    begins_at = max(due_at, at)
    return replace(before, approval=verdict, due_at=None, approved_at=at, begins_at=begins_at)
