"""Sales and returns by their days, and the policies that tests of tiers go by."""

from dataclasses import dataclass
from datetime import UTC, datetime

from services.loyalty.domain.becoming import ReceiptState
from services.loyalty.domain.ladder import Ladder, Tier, TierPolicy, merged
from tests.unit.loyalty import programmes

ZONE = programmes.small().time_zone
TIERS = (Tier("Silver", 100), Tier("Gold", 300), Tier("Platinum", 600))

YEARS = TierPolicy()
GRACE = TierPolicy(grace_days=31, notice_days=14)
STEP = TierPolicy(downgrade="one_step", grace_days=31)
KEPT = TierPolicy(downgrade="none", grace_days=31)
ROLLING = TierPolicy(rolling_months=6, grace_days=10)
VISITS = TierPolicy(measure="visits", grace_days=31)


def day(text: str) -> datetime:
    """Return noon of a day, as ``2026-03-05``; midnight in New York with a trailing ``^``."""
    if text.endswith("^"):
        return datetime.fromisoformat(text[:-1]).replace(tzinfo=ZONE).astimezone(UTC)
    return datetime.fromisoformat(f"{text}T12:00:00+00:00")


@dataclass(frozen=True)
class Sold:
    """A sale of so much, and what came back of it: when and how much."""

    on: str
    amount: int
    back: tuple[tuple[str, int], ...] = ()

    def state(self, ladder: Ladder) -> ReceiptState:
        """Return it at its net state; each minor unit is worth a point."""
        back = [(day(on), amount) for on, amount in self.back]
        returns, net = merged(back, back), self.amount - sum(amount for _, amount in back)
        return ReceiptState(
            qualifying_minor=net,
            desired=net,
            year=ladder.period_at(day(self.on)),
            occurred_at=day(self.on),
            returns=returns,
        )
