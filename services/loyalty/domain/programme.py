"""The programme: what a purchase is worth, as immutable versions of its rules."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from services.loyalty.domain.bonuses import Bonus
from services.loyalty.domain.caps import Cap, Per
from services.loyalty.domain.challenges import Challenge
from services.loyalty.domain.ladder import Ladder, Tier, TierPolicy
from services.loyalty.domain.lookups import Lookups
from services.loyalty.domain.occasions import Birthday, Referral
from services.loyalty.domain.rewards import Reward
from services.loyalty.domain.terms import Expiry, Pending

Shortfall = Literal["debt", "down_to_zero"]
Taken = Literal["all", "pending_only"]


@dataclass(frozen=True, slots=True)
class Base:
    """What one currency unit earns in every category that no rule excludes."""

    rule: str
    title: str
    points_per_unit: int


@dataclass(frozen=True, slots=True)
class Excluded:
    """What earns nothing and does not count towards a tier."""

    rule: str
    title: str
    categories: frozenset[str] = frozenset()
    skus: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Worth:
    """``points`` points are worth ``minor`` minor units; parts of it are rounded down."""

    points: int
    minor: int


@dataclass(frozen=True, slots=True)
class Version:
    """One immutable version of the rules."""

    version: str
    effective_from: datetime
    base: Base
    expiry: Expiry
    bonuses: tuple[Bonus, ...] = ()
    excluded: Excluded | None = None
    caps: tuple[Cap, ...] = ()
    pending: Pending | None = None
    """What points wait for; None where they can be spent at once."""
    shortfall: Shortfall = "debt"
    """What becomes of points that were taken and turn out not to be there: a debt of the member,
    or a loss of the programme, which leaves the member with nothing."""
    returns_take: Taken = "all"
    """Which points of goods that come back are taken: those that have begun, too, or not."""
    expiry_notice_days: int = 0
    """How long before their end a member is told that points end; 0 for never."""
    challenges: tuple[Challenge, ...] = ()
    birthday: Birthday | None = None
    referral: Referral | None = None
    rewards: tuple[Reward, ...] = ()

    lookups: Lookups = field(init=False, repr=False, compare=False)
    """The same rules as ``settle`` reads them."""

    def __post_init__(self) -> None:
        """Compile the rules once."""
        excluded = self.excluded or Excluded("", "")
        lookups = Lookups(
            self.base.points_per_unit, self.bonuses, excluded.categories, excluded.skus
        )
        object.__setattr__(self, "lookups", lookups)

    @property
    def titles(self) -> Mapping[str, str]:
        """Return the titles of what is given beside receipts, by rule."""
        awarding = (*self.challenges, self.birthday, self.referral)
        return {one.rule: one.title for one in awarding if one is not None}

    def reward(self, reward_id: str) -> Reward | None:
        """Return the reward of that id, if this version has it."""
        return next((one for one in self.rewards if one.reward_id == reward_id), None)


@dataclass(frozen=True, slots=True)
class Programme:
    """All versions of the rules, oldest first, and what does not change between them."""

    name: str
    currency: str
    minor_per_unit: int
    time_zone: ZoneInfo
    worth: Worth
    tiers: tuple[Tier, ...]
    """By rising threshold."""
    versions: tuple[Version, ...]
    by_name: Mapping[str, Version] = field(hash=False)
    minor_digits: int
    """Digits behind the point of an amount: 2 for USD, 0 for JPY."""
    tier_policy: TierPolicy = field(default_factory=TierPolicy)

    capped_per: Per | None = field(init=False)
    """The longest period that any version caps; None if receipts stand alone."""
    challenges: Mapping[str, Challenge] = field(init=False, hash=False)
    """Of all versions, by rule: a later one may change title and points of one, not its shape."""

    ladder: Ladder = field(init=False, repr=False, compare=False)
    """The tiers, as members climb them."""

    by_tier: bool = field(init=False)
    """Whether rules of any version ask for the member's tier."""

    by_birthday: bool = field(init=False)
    """Whether rules of any version ask for the member's birthday."""

    by_inactivity: bool = field(init=False)
    """Whether points of any version end by inactivity."""

    def __post_init__(self) -> None:
        """Look once what every receipt asks."""
        object.__setattr__(self, "ladder", Ladder(self.tiers, self.tier_policy, self.time_zone))
        periods = {cap.per for version in self.versions for cap in version.caps}
        longest = next((per for per in ("month", "day") if per in periods), None)
        object.__setattr__(self, "capped_per", longest)
        known = {one.rule: one for version in self.versions for one in version.challenges}
        object.__setattr__(self, "challenges", known)
        idle = any(one.expiry.inactive_months is not None for one in self.versions)
        object.__setattr__(self, "by_inactivity", idle)
        asked = [one.lookups for one in self.versions]
        object.__setattr__(self, "by_tier", any(one.tiered for one in asked))
        object.__setattr__(self, "by_birthday", any(one.of_birthdays for one in asked))

    def with_versions(self, more: Iterable[Version]) -> "Programme":
        """Return the same with further versions, each at its place in time.

        One of a name that is here already stands in its place.
        """
        by_name = {**self.by_name, **{one.version: one for one in more}}
        versions = tuple(sorted(by_name.values(), key=lambda one: one.effective_from))
        return replace(self, versions=versions, by_name=by_name)

    def period(self, day: date) -> tuple[datetime, datetime] | None:
        """Return from when until when, in UTC, sales can touch the worth of one on ``day``."""
        if self.capped_per is None:
            return None
        return _period(day, self.capped_per, self.time_zone)

    def in_force(self, at: datetime) -> Version | None:
        """Return the version in force at ``at``; None before the programme began."""
        for version in reversed(self.versions):
            if version.effective_from <= at:
                return version
        return None

    def forgives(self, at: datetime) -> bool:
        """Whether the programme bears what lacks of points that were taken at ``at``."""
        version = self.in_force(at)
        return version is not None and version.shortfall == "down_to_zero"

    def notice_until(self, now: datetime) -> datetime | None:
        """Return up to when points end that members are told of; None where they are not."""
        version = self.in_force(now)
        if version is None or not version.expiry_notice_days:
            return None
        return now + timedelta(days=version.expiry_notice_days)

    def value_minor(self, points: int) -> int:
        """Return what ``points`` are worth in minor units, rounded down."""
        return points * self.worth.minor // self.worth.points


@lru_cache(maxsize=4_096)
def _period(day: date, per: Per, zone: ZoneInfo) -> tuple[datetime, datetime]:
    first, last = day, day + timedelta(days=1)
    if per == "month":
        first = day.replace(day=1)
        last = (first + timedelta(days=31)).replace(day=1)
    since, until = (
        datetime(one.year, one.month, one.day, tzinfo=zone).astimezone(UTC) for one in (first, last)
    )
    return since, until
