"""What loyalty's handlers, routes and jobs are given."""

import asyncio
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from services.loyalty.domain.gift_cards import Terms
from services.loyalty.domain.programme import Programme
from services.loyalty.settings import LoyaltySettings
from shared.auth.failures import Failures
from shared.http.peer import Peer
from shared.service import Context

DEVICE_FAILURES_MAX = 10
DEVICE_WINDOW_S = 900.0
"""A password is one of 10^8 and three are good: so few tries leave nothing to guess."""
EXPORTS_MAX = 4
"""Archives in the making, or on their way, at once in one process: each takes memory and disk."""


@dataclass(frozen=True)
class Brakes:
    """What one process counts, so that nobody tries codes or telephone numbers one by one."""

    lookups: Failures = field(default_factory=Failures)
    """By API key."""
    codes_of_callers: Failures = field(default_factory=Failures)
    """Codes that were not good, by API key."""
    codes_of_devices: Failures = field(
        default_factory=lambda: Failures(limit=DEVICE_FAILURES_MAX, window_s=DEVICE_WINDOW_S)
    )
    """Codes that were not good, by the device that they name."""


@dataclass(frozen=True)
class LoyaltyContext(Context):
    """The shared context, the programme in force, and the key that identifiers are hashed with."""

    # Both are frozen, so a narrower type is sound.
    settings: LoyaltySettings
    programme: Programme
    identity_key: bytes
    brakes: Brakes = field(default_factory=Brakes)
    code_failures: Failures = field(default_factory=Failures)
    """Codes of no gift card, by the key that asked."""
    peers: Mapping[str, Peer] = field(default_factory=dict[str, Peer])
    """Services that have something of a member, by name; one that is not run is left out."""
    exports: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(EXPORTS_MAX))

    @property
    def app_code_key(self) -> bytes:
        """Return what secrets of devices are derived from: a key per purpose."""
        return hmac.digest(self.identity_key, b"app codes", "sha256")

    @property
    def gift_terms(self) -> Terms:
        """Return what the settings say of gift cards."""
        return Terms(
            self.settings.gift_card_balance_minor_max,
            timedelta(days=self.settings.gift_card_validity_days_min),
        )
