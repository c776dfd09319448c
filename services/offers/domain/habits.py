"""What a member usually buys: sums over receipts that do not care about their order.

A receipt adds a contribution to its member's sums; a later revision adds the difference to the
contribution of the revision before. Counts and money are integers, so any order of arrival ends
in equal rows. Weights are doubles: two orders agree to a relative 1e-9 as long as what was taken
away again is less than ten half-lives younger than what stays (each half-life of distance costs
one bit of the 52).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

HALF_LIFE = timedelta(days=90)
"""A purchase counts half after this time. Stored weights depend on it: changing it means
rebuilding the sums. Chosen on real baskets, see docs/adr/0031."""

WEIGHT_EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
"""Weights are stored as seen from here, so that adding is all that ever happens to them."""

INTERVAL_FROM_PURCHASES = 3
"""Two purchases show one gap, which is no habit yet."""

DUE_FROM = 0.9
DUE_UNTIL = 3.0
"""A thing is due from 0.9 to 3 usual intervals after its last purchase; later, it was given up."""

_DAY_S = 86_400


def weight_of(at: datetime) -> float:
    """Return the stored weight of one purchase at ``at``: doubles with each half-life."""
    return 2.0 ** ((at - WEIGHT_EPOCH) / HALF_LIFE)


def weight_now(stored: float, now: datetime) -> float:
    """Return a stored sum of weights as seen at ``now``: a purchase of just now weighs 1."""
    return stored * 2.0 ** ((WEIGHT_EPOCH - now) / HALF_LIFE)


@dataclass(frozen=True, slots=True)
class Line:
    """What was kept of one line of a receipt; ``discount_minor`` is as sold."""

    sku: str
    category: str | None
    quantity_milli: int
    amount_minor: int
    discount_minor: int = 0

    @property
    def kept(self) -> bool:
        """Whether anything of the line is left: goods (also free ones) or money."""
        return self.quantity_milli > 0 or self.amount_minor > 0


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt's net state at one revision, as far as profiles need it.

    ``bought_at`` is never later than the receipt's arrival, so that a till whose clock runs ahead
    cannot outweigh everything else. ``lines`` are the kept ones only.
    """

    receipt_id: UUID
    revision: int
    member_id: UUID | None
    bought_at: datetime
    currency: str
    lines: tuple[Line, ...]
    offer_ids: tuple[UUID, ...] = ()


@dataclass(slots=True)
class Change:
    """How the sums of one thing move; all fields but the times are differences."""

    first_at: datetime
    last_at: datetime
    category: str | None = None
    purchases: int = 0
    weight: float = 0.0
    lines: int = 0
    discounted_lines: int = 0
    quantity_milli: int = 0
    spend_minor: int = 0

    def take(self, lines: int, discounted: int, quantity_milli: int, spend_minor: int) -> None:
        """Add the figures of a line; all of them negative to take it away."""
        self.lines += lines
        self.discounted_lines += discounted
        self.quantity_milli += quantity_milli
        self.spend_minor += spend_minor

    def visit(self, at: datetime, sign: int, weight: float) -> None:
        """Add or take away one purchase at ``at``."""
        self.purchases += sign
        self.weight += sign * weight
        self.first_at = min(self.first_at, at)
        self.last_at = max(self.last_at, at)


Key = tuple[UUID, str]
"""A member and what they buy: a SKU or a category."""

Things = dict[UUID, dict[str, "Change"]]
"""Changes by member, then by SKU or category."""

K = TypeVar("K")


@dataclass(slots=True)
class Changes:
    """What a batch of receipts does to profiles.

    ``lost`` are the things of which a purchase was taken away: their first and last time cannot
    be had from sums and must be read from the receipts again.
    """

    members: dict[UUID, Change] = field(default_factory=dict[UUID, Change])
    products: Things = field(default_factory=dict[UUID, dict[str, Change]])
    categories: Things = field(default_factory=dict[UUID, dict[str, Change]])
    lost_members: set[UUID] = field(default_factory=set[UUID])
    lost_products: set[Key] = field(default_factory=set[Key])
    lost_categories: set[Key] = field(default_factory=set[Key])


def changes(pairs: Iterable[tuple[Receipt | None, Receipt]], *, currency: str) -> Changes:
    """Return the differences that ``(state before, state now)`` of receipts make.

    Spend counts in ``currency`` only; purchases in another one count as purchases without money.
    """
    result = Changes()
    for old, new in pairs:
        if old is not None and old.member_id is not None:
            _contribute(result, old, -1, currency)
            _note_lost(result, old, new)
        if new.member_id is not None:
            _contribute(result, new, 1, currency)
    return result


def _contribute(result: Changes, receipt: Receipt, sign: int, currency: str) -> None:
    member_id, at = receipt.member_id, receipt.bought_at
    if member_id is None or not receipt.lines:
        return
    weight = weight_of(at)
    money = sign if receipt.currency == currency else 0
    total = _change(result.members, member_id, at, None)
    total.visit(at, sign, weight)
    # Per member first: hashing a UUID is Python code, and a receipt has one member, many lines.
    products = result.products.setdefault(member_id, {})
    categories = result.categories.setdefault(member_id, {})
    seen_products: set[str] = set()
    seen_categories: set[str] = set()
    for line in receipt.lines:
        figures = (
            sign,
            sign if line.discount_minor > 0 else 0,
            sign * line.quantity_milli,
            money * line.amount_minor,
        )
        total.take(*figures)
        product = _change(products, line.sku, at, line.category)
        product.take(*figures)
        if line.sku not in seen_products:
            seen_products.add(line.sku)
            product.visit(at, sign, weight)
        if line.category is None:
            continue
        category = _change(categories, line.category, at, None)
        category.take(*figures)
        if line.category not in seen_categories:
            seen_categories.add(line.category)
            category.visit(at, sign, weight)


def _change(found: dict[K, Change], key: K, at: datetime, category: str | None) -> Change:
    """Return the change of ``key``; of several categories the greatest name stays.

    Any rule would do that gives the same answer in every order; tills hardly ever disagree.
    """
    change = found.get(key)
    if change is None:
        change = found[key] = Change(at, at, category)
    elif category is not None and (change.category is None or category > change.category):
        change.category = category
    return change


def _note_lost(result: Changes, old: Receipt, new: Receipt) -> None:
    """Note what ``old`` had and ``new`` has not, or has at another time or member."""
    member_id = old.member_id
    if member_id is None:
        return
    moved = (new.member_id, new.bought_at) != (member_id, old.bought_at)
    if old.lines and (moved or not new.lines):
        result.lost_members.add(member_id)
    kept_products = set[str]() if moved else {line.sku for line in new.lines}
    kept_categories = set[str | None]() if moved else {line.category for line in new.lines}
    for line in old.lines:
        if line.sku not in kept_products:
            result.lost_products.add((member_id, line.sku))
        if line.category is not None and line.category not in kept_categories:
            result.lost_categories.add((member_id, line.category))


@dataclass(frozen=True, slots=True)
class Habit:
    """The sums of one thing that a member buys, read back. ``weight`` is as stored."""

    key: str
    purchases: int
    weight: float
    lines: int
    discounted_lines: int
    quantity_milli: int
    spend_minor: int
    first_at: datetime
    last_at: datetime

    @property
    def interval_days(self) -> float | None:
        """The usual time between two purchases, at least 1; None where there is no habit yet.

        Three purchases on one day are a big day, not a habit.
        """
        span_days = (self.last_at - self.first_at).total_seconds() / _DAY_S
        if self.purchases < INTERVAL_FROM_PURCHASES or span_days < 1:
            return None
        return max(1.0, span_days / (self.purchases - 1))

    @property
    def usual_spend_minor(self) -> int:
        """Mean spend per purchase, rounded half up."""
        return (2 * self.spend_minor + self.purchases) // (2 * self.purchases)

    @property
    def discount_share(self) -> float:
        """Share of its lines that were bought on discount."""
        return self.discounted_lines / self.lines if self.lines else 0.0

    def days_since(self, now: datetime) -> float:
        """Return the days since the last purchase; never negative."""
        return max(0.0, (now - self.last_at).total_seconds() / _DAY_S)

    def is_due(self, now: datetime) -> bool:
        """Whether about a usual interval has passed, and not so long that it was given up."""
        interval = self.interval_days
        if interval is None:
            return False
        return DUE_FROM * interval <= self.days_since(now) <= DUE_UNTIL * interval
