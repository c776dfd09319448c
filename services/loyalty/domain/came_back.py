"""What came back of a receipt, and why that took points or did not."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from services.loyalty.domain.becoming import ReceiptState
from services.loyalty.domain.programme import Programme


@dataclass(frozen=True, slots=True)
class CameBack:
    """What came off a receipt at one time."""

    at: datetime
    amount_minor: int
    """Of what counts for a tier."""
    points: int
    """Taken, before caps and bonuses for tiers; below 0 where what was kept is worth more without
    it."""
    words: str


def tell(state: ReceiptState, programme: Programme) -> Iterable[CameBack]:
    """Yield what came off a receipt, the earliest first."""
    for at, amount_minor, points in state.returns:
        day = at.astimezone(programme.time_zone).date()
        words = f"Goods came back on {day}: {_taken(state, at, points)}."
        yield CameBack(at, amount_minor, points, words)


def _taken(state: ReceiptState, at: datetime, points: int) -> str:
    if points:
        apart = "caps and bonuses for tiers" if state.by_level else "caps"
        return f"{points} points less, before {apart}"
    if state.approval == "rejected":
        return "the receipt was not approved and has no points"
    stays = state.version is not None and state.version.returns_take == "pending_only"
    if stays and state.begins_at is not None and state.begins_at <= at:
        return "their points had become available, and the programme lets them stay"
    return "they had no points"
