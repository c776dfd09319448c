"""Quotes: what a basket would get now. Nothing is written."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from services.offers.context import OffersContext
from services.offers.domain import quoting
from services.offers.domain.quoting import BasketLine, Considered, Quote
from services.offers.handlers import profiles
from services.offers.store import offers, reference
from shared.db import Tx

PAST_SHOWN = timedelta(days=30)
"""An offer that ended or was used is still explained for so long."""
OFFERS_CONSIDERED = 500


@dataclass(frozen=True, slots=True)
class Basket:
    """What the till asks about. ``offer_ids`` empty: everything in the wallet counts."""

    member_id: UUID
    currency: str
    lines: tuple[BasketLine, ...]
    offer_ids: frozenset[UUID] = frozenset()


async def quote(tx: Tx, basket: Basket, context: OffersContext) -> Quote:
    """Return the basket with the best discounts of the member's wallet, each offer explained."""
    now = context.clock.now()
    rows = await offers.list_wallet(
        tx, basket.member_id, since=now - PAST_SHOWN, after=None, limit=OFFERS_CONSIDERED
    )
    await profiles.require_member(tx, basket.member_id, known=bool(rows))
    lines = await _priced(tx, basket)
    wallet = [offers.terms_of(row) for row in rows]
    if basket.offer_ids:
        wallet = [offer for offer in wallet if offer.offer_id in basket.offer_ids]
    answer = quoting.quote(lines, wallet, currency=basket.currency, now=now)
    missing = basket.offer_ids - {offer.offer_id for offer in wallet}
    unknown = [
        Considered(offer_id, "not_found", "This member has no such offer.")
        for offer_id in sorted(missing)
    ]
    return replace(answer, considered=(*answer.considered, *unknown))


async def _priced(tx: Tx, basket: Basket) -> Sequence[BasketLine]:
    """Return the lines with their cost, and with the catalogue's category where the till has none.

    Both are our own knowledge: a till is not asked what an article costs the shop.
    """
    skus = sorted({line.sku for line in basket.lines})
    costs = await reference.load_costs(tx, skus, currency=basket.currency)
    categories = await reference.load_categories(tx, skus)
    return [
        replace(
            line,
            cost_minor=costs.get(line.sku),
            category=line.category or categories.get(line.sku),
        )
        for line in basket.lines
    ]
