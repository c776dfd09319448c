"""Settings of loyalty, read from ``LOYALTY_…``, and the programme's document."""

from pathlib import Path
from typing import ClassVar

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from shared import identity
from shared.settings import ServiceSettings

PEER_URL = r"^(https?://[^\s]+)?$"


class LoyaltySettings(ServiceSettings):
    """What an operator can turn."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="LOYALTY_")
    service_name: ClassVar[str] = "loyalty"

    port: int = Field(default=8002, ge=1, le=65535)
    identity_key: SecretStr = Field(validation_alias=AliasChoices("IDENTITY_KEY"))
    """Hex, 32 bytes or more; the same in ingest. Hashes of identifiers are useless without it."""
    programme_file: Path = Path("deploy/programme/demo.yaml")
    gift_card_balance_minor_max: int = Field(default=1_000_000, ge=1, le=2**53 - 1)
    """Most money on one gift card, in minor units."""
    gift_card_validity_days_min: int = Field(default=1_827, ge=0, le=36_525)
    """For how long money is good that comes onto a gift card: what the law asks, five years here.
    A card without a date of expiry never ends."""
    recognised_max_points: int = Field(default=0, ge=0, le=1_000_000_000)
    """What a member may spend who is only recognised, by phone or e-mail; more needs a proof."""
    lookups_terminal_per_min: int = Field(default=30, ge=1)
    """Look-ups of members by one key in one process; raise it for a key of a whole store."""
    lookups_staff_per_min: int = Field(default=60, ge=1)
    lookups_app_per_min: int = Field(default=1_200, ge=1)
    offers_url: str = Field(default="http://127.0.0.1:8003", pattern=PEER_URL)
    """Asked for a member's export; empty where offers is not run. So ``notify_url``."""
    notify_url: str = Field(default="http://127.0.0.1:8004", pattern=PEER_URL)
    adjustment_points_max_alone: int = Field(default=5_000, ge=0)
    """What one key may correct by hand of one member within 24 hours; above it a second decides."""

    @field_validator("identity_key")
    @classmethod
    def _is_long_enough(cls, key: SecretStr) -> SecretStr:
        identity.read_key(key.get_secret_value())
        return key
