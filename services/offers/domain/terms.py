"""The terms of one offer, and what it takes off one line."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

State = Literal["issued", "redeemed"]


@dataclass(frozen=True, slots=True)
class OfferTerms:
    """A discount in a member's wallet, on one line with its SKU or its category."""

    offer_id: UUID
    member_id: UUID
    campaign: str
    title: str
    sku: str | None
    category: str | None
    percent: int | None
    amount_minor: int | None
    currency: str
    margin_floor_percent: int | None
    """Least margin that must stay after the discount, where the cost is known; None: no floor."""
    valid_from: datetime
    valid_until: datetime
    state: State = "issued"

    def matches(self, sku: str, category: str | None) -> bool:
        """Whether a line of this SKU and category is one the offer is for."""
        if self.sku is not None:
            return sku == self.sku
        return category is not None and category == self.category


def discount_minor(terms: OfferTerms, amount_minor: int) -> int:
    """Return what the offer takes off a line of ``amount_minor``: 0 to the whole line.

    A percentage is rounded half up to the minor unit, in the member's favour: 50 % of 0.99 is
    0.50. Integers throughout; no float ever sees money.
    """
    if amount_minor <= 0:
        return 0
    if terms.percent is not None:
        return min(amount_minor, (2 * amount_minor * terms.percent + 100) // 200)
    return min(amount_minor, max(0, terms.amount_minor or 0))


def floor_price_minor(cost_minor: int, quantity_milli: int, margin_floor_percent: int) -> int:
    """Return the least price of ``quantity_milli`` that keeps the margin, rounded up.

    Margin is a share of the price: price · (1 - floor) ≥ cost.
    """
    numerator = cost_minor * quantity_milli * 100
    denominator = 1000 * (100 - margin_floor_percent)
    return -(-numerator // denominator)
