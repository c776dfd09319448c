"""Programmes for the tests: small, and the one that the demo ships."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from services.loyalty.domain.bonuses import Bonus
from services.loyalty.domain.caps import Cap
from services.loyalty.domain.ladder import Tier, TierPolicy
from services.loyalty.domain.programme import (
    Base,
    Excluded,
    Programme,
    Shortfall,
    Taken,
    Version,
    Worth,
)
from services.loyalty.domain.rewards import Reward
from services.loyalty.domain.terms import Expiry, Pending
from services.loyalty.settings import programme

DEMO_FILE = Path(__file__).parents[3] / "deploy" / "programme" / "demo.yaml"
_YEAR = Expiry(12)
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def version(
    name: str = "v1",
    *,
    since: datetime = BEGAN,
    base: int = 10,
    bonuses: tuple[Bonus, ...] = (),
    caps: tuple[Cap, ...] = (),
    pending: Pending | None = None,
    rewards: tuple[Reward, ...] = (),
    shortfall: Shortfall = "debt",
    expiry: Expiry = _YEAR,
    expiry_notice_days: int = 0,
    returns_take: Taken = "all",
) -> Version:
    """10 a dollar, fresh produce double, fuel nothing, and ``bonuses``; good for twelve months."""
    return Version(
        version=name,
        effective_from=since,
        base=Base("base", f"{base} points per dollar", base),
        bonuses=(
            Bonus(
                "fresh",
                "Fresh produce counts double",
                multiplier_percent=200,
                categories=frozenset({"BANANAS"}),
            ),
            *bonuses,
        ),
        excluded=Excluded("fuel", "Fuel earns nothing", frozenset({"FUEL"})),
        expiry=expiry,
        caps=caps,
        pending=pending,
        rewards=rewards,
        shortfall=shortfall,
        expiry_notice_days=expiry_notice_days,
        returns_take=returns_take,
    )


TIERS = (Tier("Silver", 10_000), Tier("Gold", 30_000))


def small(
    *versions: Version, policy: TierPolicy | None = None, tiers: tuple[Tier, ...] = TIERS
) -> Programme:
    """Two tiers, at 100 and 300 dollars a year."""
    known = versions or (version(),)
    return Programme(
        name="Test",
        currency="USD",
        minor_per_unit=100,
        minor_digits=2,
        time_zone=ZoneInfo("America/New_York"),
        worth=Worth(1000, 100),
        tiers=tiers,
        versions=known,
        by_name={one.version: one for one in known},
        tier_policy=policy or TierPolicy(),
    )


def demo() -> Programme:
    """The programme of the demo, from its file."""
    return programme.load(DEMO_FILE)
