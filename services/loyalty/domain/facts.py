"""What conditions see of a receipt; computed where one asks, since most receipts meet none."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from services.loyalty.domain.bonuses import Bonus
from services.loyalty.domain.lookups import Lookups
from services.loyalty.domain.receipts import Line, Receipt


class Facts(Mapping[str, object]):
    """One receipt, as the rules of one version see it; by the names of ``conditions.FACTS``."""

    def __init__(
        self, receipt: Receipt, lookups: Lookups, zone: ZoneInfo, *, tier: str = ""
    ) -> None:
        self.receipt = receipt
        self.tier = tier
        """Of the member; empty for none."""
        self.earning = lookups.earning(receipt.lines)
        """The lines that something was paid for, without what is excluded."""
        self._zone = zone
        self._paid: dict[str, int] | None = None

    @property
    def kept(self) -> list[Line]:
        """Return the lines that something was paid for."""
        return [one for one in self.receipt.lines if one.amount_minor > 0]

    def quantity_milli(self, bonus: Bonus) -> int:
        """Return how much was kept of the lines that count for a rule."""
        counting = [one for one in self.earning if bonus.names(one.sku, one.category)]
        return sum(one.quantity_milli for one in counting)

    def spend_minor(self) -> int:
        """Return what was paid for the receipt, without what is excluded."""
        return sum([one.amount_minor for one in self.earning])

    def allow(self, bonus: Bonus) -> bool:
        """Whether the conditions of a rule hold that no look-up decides.

        Raises ``conditions.EvaluationFailed`` where its expression gives no answer.
        """
        if bonus.minimum_spend_minor and self.spend_minor() < bonus.minimum_spend_minor:
            return False
        wanted = bonus.minimum_quantity_milli
        if wanted and self.quantity_milli(bonus) < wanted:
            return False
        return bonus.when is None or bonus.when.holds(self)

    def __getitem__(self, name: str) -> object:
        return _LOOK[name](self)

    def __iter__(self) -> Iterator[str]:
        return iter(_LOOK)

    def __len__(self) -> int:
        return len(_LOOK)

    def at(self) -> datetime:
        """Return when it happened, where the programme lives."""
        return self.receipt.occurred_at.astimezone(self._zone)

    def by_category(self) -> dict[str, int]:
        """Return what was paid in each category."""
        if self._paid is None:
            paid: dict[str, int] = {}
            for one in self.kept:
                if one.category is not None:
                    paid[one.category] = paid.get(one.category, 0) + one.amount_minor
            self._paid = paid
        return self._paid

    def by_sku(self) -> dict[str, int]:
        """Return how much was kept of each SKU."""
        kept: dict[str, int] = {}
        for one in self.kept:
            kept[one.sku] = kept.get(one.sku, 0) + one.quantity_milli
        return kept


_LOOK: Mapping[str, Callable[[Facts], object]] = {
    "total_minor": lambda facts: facts.receipt.total_minor,
    "spend_minor": lambda facts: facts.spend_minor(),
    "line_count": lambda facts: len(facts.kept),
    "store_id": lambda facts: facts.receipt.store_id,
    "sales_channel": lambda facts: facts.receipt.sales_channel,
    "identified_by": lambda facts: facts.receipt.identified_by or "",
    "tier": lambda facts: facts.tier,
    "weekday": lambda facts: facts.at().isoweekday(),
    "hour": lambda facts: facts.at().hour,
    "day": lambda facts: facts.at().day,
    "month": lambda facts: facts.at().month,
    "categories": lambda facts: list(facts.by_category()),
    "skus": lambda facts: list(facts.by_sku()),
    "category_minor": lambda facts: facts.by_category(),
    "sku_milli": lambda facts: facts.by_sku(),
}
