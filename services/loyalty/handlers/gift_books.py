"""The books of gift money: the closing of a day, and the audit."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain.gift_cards import (
    EXPIRED,
    LOADED,
    LOST,
    REDEEMED,
    REFUNDED,
    REWARDED,
    SOLD,
)
from services.loyalty.store import gift_books
from services.loyalty.store.gift_books import GiftAuditReport
from shared.db import Tx

__all__ = ["Closing", "GiftAuditReport", "audit", "closing"]


@dataclass(frozen=True, slots=True)
class Closing:
    """What the shop owed on gift cards before a day, what moved it, and what it owed after."""

    opening_minor: int
    sold_minor: int
    rewarded_minor: int
    loaded_minor: int
    redeemed_minor: int
    refunded_minor: int
    expired_minor: int
    lost_minor: int
    complete: bool
    """Whether the day is over; until then the movements are those so far."""

    @property
    def closing_minor(self) -> int:
        """What was owed at the end."""
        moved = self.sold_minor + self.rewarded_minor + self.loaded_minor + self.redeemed_minor
        moved += self.refunded_minor + self.expired_minor + self.lost_minor
        return self.opening_minor + moved


async def closing(tx: Tx, day: date, context: LoyaltyContext) -> Closing:
    """Add up one day of the programme's time zone, by when entries were posted."""
    zone = context.programme.time_zone
    since = datetime.combine(day, time.min, zone)
    until = datetime.combine(day + timedelta(days=1), time.min, zone)
    opening, moved = await gift_books.movements(tx, since, until)
    return Closing(
        opening_minor=opening,
        sold_minor=moved.get(SOLD, 0),
        rewarded_minor=moved.get(REWARDED, 0),
        loaded_minor=moved.get(LOADED, 0),
        redeemed_minor=moved.get(REDEEMED, 0),
        refunded_minor=moved.get(REFUNDED, 0),
        expired_minor=moved.get(EXPIRED, 0),
        lost_minor=moved.get(LOST, 0),
        complete=until <= context.clock.now(),
    )


async def audit(tx: Tx) -> GiftAuditReport:
    """Return what adding up every card, hold and entry showed."""
    return await gift_books.audit(tx)
