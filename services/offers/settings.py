"""Settings of the offers service, prefix ``OFFERS_``."""

from typing import ClassVar
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings

PSEUDO_CATEGORIES = ("COUPON/MISC ITEMS", "COUPONS/STORE & MFG", "COUPON", "FUEL")
"""What tills book as articles though nobody is to be offered it."""


class OffersSettings(ServiceSettings):
    """One frozen object per process."""

    model_config = SettingsConfigDict(env_prefix="OFFERS_", frozen=True, extra="ignore")
    service_name: ClassVar[str] = "offers"

    port: int = Field(default=8003, ge=1, le=65535)
    currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$")
    """Spend in profiles is counted in this currency, and campaigns are planned in it."""
    time_zone: str = "UTC"
    """IANA name; a campaign's day, week or month is counted in it."""
    excluded_categories: tuple[str, ...] = PSEUDO_CATEGORIES
    """Never recommended and never offered (JSON array in the environment)."""
    issue_chunk_members: int = Field(default=200, ge=1, le=2_000)
    """Members planned in one transaction."""
    popularity_max_age_s: float = Field(default=900.0, gt=0)
    """Issuing sums popularity anew when the last sums are older."""

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        """Fail at start, not in the night's job."""
        ZoneInfo(name)
        return name
