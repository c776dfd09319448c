"""A reward that is a gift card: capturing its hold makes the card."""

from dataclasses import dataclass
from uuid import UUID

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain import rewards
from services.loyalty.domain.gift_cards import REWARDED
from services.loyalty.domain.spending import Spend
from services.loyalty.handlers import gift_cards, holds
from services.loyalty.handlers.gift_cards import Wanted, Who
from services.loyalty.store.gift_cards import Row
from shared.auth import Caller
from shared.db import Tx


@dataclass(frozen=True, slots=True)
class Captured:
    """A hold that is spent, and the card with the seed of its code where it was for one."""

    spend: Spend
    card: tuple[Row, str] | None


async def capture(
    tx: Tx, spend_id: UUID, caller: Caller, context: LoyaltyContext, *, points: int | None
) -> Captured:
    """Spend a hold, all of it or ``points``; the card that it is for is made and active with it.

    One transaction: there are never points spent without a card, or a card without them.
    """
    spend = await holds.capture(tx, spend_id, caller, context, points=points)
    card_id = rewards.gift_card_of(spend)
    if card_id is None or spend.gift_card_minor is None:
        return Captured(spend, None)
    wanted = Wanted(
        amount_minor=spend.gift_card_minor,
        currency=context.programme.currency,
        reference=f"reward {spend.reward_id}",
        expires_at=None,
        activate=True,
        source=REWARDED,
        gift_card_id=card_id,
    )
    who = Who(f"{caller.role} {caller.key_id}", spend.store_id)
    return Captured(spend, await gift_cards.issue(tx, wanted, who, context))
