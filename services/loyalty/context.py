"""What loyalty's handlers, routes and jobs are given."""

from dataclasses import dataclass, field
from datetime import timedelta

from services.loyalty.domain.gift_cards import Terms
from services.loyalty.domain.programme import Programme
from services.loyalty.settings import LoyaltySettings
from shared.auth.guard import Failures
from shared.service import Context


@dataclass(frozen=True)
class LoyaltyContext(Context):
    """The shared context, the programme in force, and the key that identifiers are hashed with."""

    settings: LoyaltySettings
    programme: Programme
    identity_key: bytes
    code_failures: Failures = field(default_factory=Failures)
    """Codes of no gift card, by the key that asked."""

    @property
    def gift_terms(self) -> Terms:
        return Terms(
            self.settings.gift_card_balance_minor_max,
            timedelta(days=self.settings.gift_card_validity_days_min),
        )
