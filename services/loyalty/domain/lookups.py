"""A version's bonus rules as look-ups: sets of rules are numbers, with one bit for each rule.

The rule that excludes has the bit behind the last bonus. Entries keep such numbers for ever, so
the meaning of a bit is that of its version's document.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import NamedTuple
from zoneinfo import ZoneInfo

from services.loyalty.domain import bonuses as rules
from services.loyalty.domain.bonuses import PERCENT, Bonus
from services.loyalty.domain.receipts import Line, Receipt

COMBINATIONS_MAX = 4_096
"""Remembered of a version; far more than any shop's receipts show at once."""


class Combination(NamedTuple):
    """What a set of rules that apply to one line comes to."""

    given: int
    """Those that are given, after stacking."""
    rate: int
    """Hundredths of a point per currency unit."""
    qualifies: bool
    """Whether the amount counts towards a tier."""
    of_receipt: int
    """Those that the receipt earns as a whole."""


class _Chooser:
    """Which rules a value of a receipt, such as its store, leaves open."""

    def __init__(self, wanted: Sequence[AbstractSet[str]], every: int) -> None:
        self.asked = any(wanted)
        asking = rules.bits(place for place, values in enumerate(wanted) if values)
        self._otherwise = every & ~asking
        self._by_value = {value: self._otherwise | named for value, named in _named(wanted).items()}

    def choose(self, value: str) -> int:
        return self._by_value.get(value, self._otherwise)


def _named(wanted: Sequence[AbstractSet[str]]) -> dict[str, int]:
    """Return for each value the rules that name it."""
    named: dict[str, int] = {}
    for place, values in enumerate(wanted):
        for value in values:
            named[value] = named.get(value, 0) | 1 << place
    return named


@dataclass(slots=True)
class Lookups:
    """What ``settle`` asks for each line and receipt; computed once from a version's rules."""

    base_per_unit: int
    bonuses: Sequence[Bonus]
    excluded_categories: AbstractSet[str] = frozenset()
    excluded_skus: AbstractSet[str] = frozenset()

    excluded: int = field(init=False)
    """The bit of the rule that excludes."""
    anywhere: int = field(init=False)
    """Rules that take any line, and so those of a category or SKU that no rule names."""
    by_category: Mapping[str | None, int] = field(init=False)
    by_sku: Mapping[str, int] = field(init=False)
    """What a SKU adds to its category."""
    deferred: int = field(init=False)
    """Rules with conditions that are looked at only where a line counts for them."""
    last: Sequence[tuple[int, Bonus]] = field(init=False)
    """The same, each with its bit."""
    combinations: dict[int, Combination] = field(init=False)
    """What ``combine`` has said so far."""
    _every: int = field(init=False)
    _timed: int = field(init=False)
    _scheduled: Sequence[tuple[int, Bonus]] = field(init=False)
    tiered: int = field(init=False)
    """Rules that ask for the member's tier."""
    by_fact: bool = field(init=False)
    """Whether the condition of one of them does."""
    of_birthdays: int = field(init=False)
    """Rules that ask for the member's birthday."""
    personal: int = field(init=False)
    """Both: with none, as in most versions, a receipt is worth the same whoever bought."""
    _stores: _Chooser = field(init=False)
    _channels: _Chooser = field(init=False)
    _identities: _Chooser = field(init=False)
    _tiers: _Chooser = field(init=False)

    def __post_init__(self) -> None:
        """Compile."""
        known = self.bonuses
        self.excluded = 1 << len(known)
        self._every = (self.excluded << 1) - 1
        self.anywhere = self.mask(one for one in known if not (one.skus or one.categories))
        by_category = _named([one.categories for one in known])
        self.by_category = {name: bits | self.anywhere for name, bits in by_category.items()}
        self.by_category |= dict.fromkeys(self.excluded_categories, self.excluded)
        self.by_sku = _named([one.skus for one in known])
        self.by_sku |= dict.fromkeys(self.excluded_skus, self.excluded)
        self.deferred = self.mask(one for one in known if one.deferred)
        self.last = [(1 << place, one) for place, one in enumerate(known) if one.deferred]
        self._timed = self.mask(one for one in known if one.timed)
        self._scheduled = [
            (1 << place, one) for place, one in enumerate(known) if one.weekdays or one.hours
        ]
        self._stores = _Chooser([one.stores for one in known], self._every)
        self._channels = _Chooser([one.sales_channels for one in known], self._every)
        self._identities = _Chooser([one.identified_by for one in known], self._every)
        self._tiers = _Chooser([one.tiers for one in known], self._every)
        self.tiered = self.mask(one for one in known if one.tiered)
        self.by_fact = any(one.when and one.when.tiered for one in known)
        self.of_birthdays = self.mask(one for one in known if one.birthday)
        self.personal = self.tiered | self.of_birthdays
        self.combinations = {}

    def mask(self, chosen: Iterable[Bonus]) -> int:
        """Return some of the bonuses as a mask."""
        wanted = {one.rule for one in chosen}
        return rules.bits(place for place, one in enumerate(self.bonuses) if one.rule in wanted)

    def chosen(self, mask: int) -> list[Bonus]:
        """Return the bonuses of a mask, in the order of the document."""
        return [one for place, one in enumerate(self.bonuses) if mask >> place & 1]

    def excludes(self, sku: str, category: str | None) -> bool:
        """Whether a line earns nothing and counts for nothing."""
        return sku in self.excluded_skus or category in self.excluded_categories

    def earning(self, lines: Iterable[Line]) -> list[Line]:
        """Return the lines that something was paid for, without what is excluded."""
        skus, categories = self.excluded_skus, self.excluded_categories
        return [
            one
            for one in lines
            if one.amount_minor > 0 and one.sku not in skus and one.category not in categories
        ]

    def open_to(self, receipt: Receipt, zone: ZoneInfo) -> int:
        """Return the rules that a receipt may earn by, as far as its plain predicates say."""
        open_ = self._every
        if self._stores.asked:
            open_ &= self._stores.choose(receipt.store_id)
        if self._channels.asked:
            open_ &= self._channels.choose(receipt.sales_channel)
        if self._identities.asked:
            open_ &= self._identities.choose(receipt.identified_by or "")
        if self._timed and receipt.clock_suspect:
            return open_ & ~self._timed
        if self._scheduled:
            at = receipt.occurred_at.astimezone(zone)
            weekday, minute = at.isoweekday(), at.hour * 60 + at.minute
            for bit, one in self._scheduled:
                if not one.falls_on(weekday, minute):
                    open_ &= ~bit
        return open_

    def open_at(self, tier: str) -> int:
        """Return the rules that a member of a tier, or (empty) of none, may earn by."""
        return self._tiers.choose(tier)

    def open_on(self, birthday: int) -> int:
        """Return the rules that a sale may earn by that is on a birthday, or in its month."""
        refused = (
            one
            for one in self.bonuses
            if one.birthday and not rules.BIRTHDAYS[one.birthday] & birthday
        )
        return self._every & ~self.mask(refused)

    def combine(self, mask: int) -> Combination:
        """Return what the rules of ``mask``, which apply to one line, come to."""
        known = self.combinations.get(mask)
        if known is None:
            if len(self.combinations) >= COMBINATIONS_MAX:
                self.combinations.clear()
            known = self.combinations[mask] = self._combine(mask)
        return known

    def _combine(self, mask: int) -> Combination:
        if mask & self.excluded:
            return Combination(self.excluded, 0, qualifies=False, of_receipt=0)
        applying = self.chosen(mask)
        of_line = [one for one in applying if not one.of_receipt]
        given = rules.stack(of_line, lambda one: one.adds(self.base_per_unit))
        rate = self.base_per_unit * PERCENT + sum(one.adds(self.base_per_unit) for one in given)
        of_receipt = self.mask(one for one in applying if one.of_receipt)
        return Combination(self.mask(given), rate, qualifies=True, of_receipt=of_receipt)
