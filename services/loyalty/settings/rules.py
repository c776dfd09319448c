"""One version of the rules as a document: base rate, bonuses, what is excluded, caps, expiry."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import (
    AwareDatetime,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from services.loyalty.domain.bonuses import PERCENT, Bonus, Hours
from services.loyalty.domain.caps import Cap
from services.loyalty.domain.conditions import WrongExpression, compile_condition
from services.loyalty.domain.programme import Base, Excluded, Tier, Version
from services.loyalty.settings.awards import (
    CHALLENGES_MAX,
    BirthdayRule,
    ChallengeRule,
    ReferralRule,
)
from services.loyalty.settings.parts import (
    WEEKDAYS,
    Document,
    IdentifierKind,
    Name,
    Names,
    RuleId,
    SalesChannel,
    TimeOfDay,
    Title,
    Weekday,
    WrittenInstant,
    wrong,
)
from services.loyalty.settings.rewards import REWARDS_MAX, TIERS_MAX, RewardRule
from services.loyalty.settings.terms import ExpiryRule, PendingRule, ReturnsRule
from shared.errors import Malformed

RULES_MAX = 50
"""Bonus rules of a version: sets of them are kept as numbers that every JSON reader takes."""


class BaseRule(Document):
    """What every category earns unless a rule says otherwise."""

    rule: RuleId
    title: Title
    points_per_unit: int = Field(strict=True, ge=0, le=100_000)


class HoursDocument(Document):
    """From one time of day up to another, both of the programme's time zone.

    Where ``until`` is earlier than ``from``, the window lies past midnight.
    """

    from_: TimeOfDay = Field(alias="from")
    until: TimeOfDay

    @model_validator(mode="after")
    def _is_a_window(self) -> Self:
        if self.from_ == self.until:
            raise PydanticCustomError("hours", "from and until are the same")
        return self

    def compiled(self) -> Hours:
        """Return the domain's form."""
        return Hours(_minute(self.from_), _minute(self.until))


class BonusRule(Document):
    """What a receipt or its lines earn on top of the base rate, by exactly one of three effects.

    All predicates that are given must hold; a line counts for the rule that names its category or
    its SKU, and every line where it names neither.
    """

    rule: RuleId
    title: Title

    points_per_unit: int | None = Field(strict=True, default=None, ge=1, le=100_000)
    """Added to the base rate."""
    multiplier_percent: int | None = Field(strict=True, default=None, gt=100, le=10_000)
    """Times the base rate: 200 doubles it, and two rules that double make it three times."""
    points_per_receipt: int | None = Field(strict=True, default=None, ge=1, le=1_000_000)
    """Once for a receipt with a line that counts."""

    categories: Names = ()
    skus: Names = ()
    stores: Names = ()
    weekdays: Annotated[tuple[Weekday, ...], Field(max_length=7)] = ()
    hours: HoursDocument | None = None
    sales_channels: Annotated[tuple[SalesChannel, ...], Field(max_length=4)] = ()
    identified_by: Annotated[tuple[IdentifierKind, ...], Field(max_length=5)] = ()
    tiers: Annotated[tuple[Name, ...], Field(max_length=TIERS_MAX)] = ()
    """One of these was held just before the sale, by all that is known of the member."""
    birthday: Literal["day", "month"] | None = None
    """The sale is on the member's birthday, or in its month, of the time zone."""
    minimum_spend_minor: int = Field(strict=True, default=0, ge=0, le=10**12)
    """Paid for the receipt, without what is excluded."""
    minimum_quantity_milli: int = Field(strict=True, default=0, ge=0, le=10**12)
    """Thousandths of the sales unit, of the lines that count."""
    when: str | None = Field(default=None, min_length=1)
    """A condition in CEL on the receipt; see ``docs/howto/programmes.md`` for what it sees."""

    stacking: Literal["add", "best_of", "exclusive"] = "add"
    priority: int = Field(strict=True, default=0, ge=-1_000, le=1_000)

    @field_validator("when")
    @classmethod
    def _is_a_condition(cls, text: str | None) -> str | None:
        if text is not None:
            try:
                compile_condition(text)
            except WrongExpression as error:
                # The mistakes travel in the context: the message alone has no place for a caret.
                raise PydanticCustomError(
                    "condition",
                    "{told}",
                    {"told": str(error), "mistakes": [asdict(one) for one in error.mistakes]},
                ) from error
        return text

    @model_validator(mode="after")
    def _has_one_effect(self) -> Self:
        effects = (self.points_per_unit, self.multiplier_percent, self.points_per_receipt)
        if sum(effect is not None for effect in effects) != 1:
            message = "must have one of points_per_unit, multiplier_percent, points_per_receipt"
            raise PydanticCustomError("effect", message)
        return self

    def compiled(self) -> Bonus:
        """Return the domain's form."""
        return Bonus(
            rule=self.rule,
            title=self.title,
            points_per_unit=self.points_per_unit or 0,
            multiplier_percent=self.multiplier_percent or PERCENT,
            points_per_receipt=self.points_per_receipt or 0,
            skus=frozenset(self.skus),
            categories=frozenset(self.categories),
            stores=frozenset(self.stores),
            weekdays=frozenset(WEEKDAYS.index(one) + 1 for one in self.weekdays),
            hours=self.hours.compiled() if self.hours else None,
            sales_channels=frozenset(self.sales_channels),
            identified_by=frozenset(self.identified_by),
            tiers=frozenset(self.tiers),
            birthday=self.birthday,
            minimum_spend_minor=self.minimum_spend_minor,
            minimum_quantity_milli=self.minimum_quantity_milli,
            when=compile_condition(self.when) if self.when else None,
            stacking=self.stacking,
            priority=self.priority,
        )


class ExcludedRule(Document):
    """Categories and SKUs that earn nothing and do not count towards a tier."""

    rule: RuleId
    title: Title
    categories: Names = ()
    skus: Names = ()

    @model_validator(mode="after")
    def _excludes_something(self) -> Self:
        if not (self.categories or self.skus):
            raise PydanticCustomError("excluded", "must name categories or skus")
        return self


class CapRule(Document):
    """At most ``points`` for a receipt, or in a calendar day or month of the time zone."""

    rule: RuleId
    title: Title
    per: Literal["receipt", "day", "month"]
    points: int = Field(strict=True, ge=1, le=1_000_000_000)


class RulesDocument(Document):
    """What a version of the rules says, whenever it is in force."""

    rounding: Literal["floor_per_line"]
    base: BaseRule
    bonuses: Annotated[tuple[BonusRule, ...], Field(max_length=RULES_MAX)] = ()
    excluded: ExcludedRule | None = None
    caps: tuple[CapRule, ...] = ()
    expiry: ExpiryRule
    pending: PendingRule | None = None
    returns: ReturnsRule = ReturnsRule()
    expiry_notice_days: int = Field(default=0, strict=True, ge=0, le=365)
    """How long before their end members are told of points that end; 0 for never. The rules that
    are in force then decide, whichever the points were earned by."""
    challenges: Annotated[tuple[ChallengeRule, ...], Field(max_length=CHALLENGES_MAX)] = ()
    birthday: BirthdayRule | None = None
    referral: ReferralRule | None = None
    rewards: Annotated[tuple[RewardRule, ...], Field(max_length=REWARDS_MAX)] = ()

    @field_validator("returns")
    @classmethod
    def _leave_what_was_pending(cls, rule: ReturnsRule, info: ValidationInfo) -> ReturnsRule:
        pending: PendingRule | None = info.data.get("pending")
        waits = pending is not None and (pending.days or pending.fulfilment)
        if rule.take == "pending_only" and "pending" in info.data and not waits:
            told = "take: pending_only needs pending points: pending with days or fulfilment"
            raise wrong("returns", told)
        return rule

    @model_validator(mode="after")
    def _know_whether_it_waits(self) -> Self:
        """Refuse what would let a late sale decide both whether points wait and which ones stay."""
        waits = self.pending is not None and self.pending.approval_above is not None
        tiered = any(one.compiled().tiered for one in self.bonuses)
        if self.returns.take == "pending_only" and waits and tiered:
            told = "returns: pending_only can not stand with approval_above and rules on tiers"
            raise wrong("returns", told)
        return self

    @model_validator(mode="after")
    def _each_reward_has_its_name(self) -> Self:
        names = [one.reward for one in self.rewards]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise wrong("rewards", f"two rewards have the name {twice[0]}")
        return self

    @model_validator(mode="after")
    def _one_rule_per_category(self) -> Self:
        if self.excluded is None:
            return self
        for bonus in self.bonuses:
            both = {*bonus.categories} & {*self.excluded.categories}
            both |= {*bonus.skus} & {*self.excluded.skus}
            if both:
                named = ", ".join(sorted(both))
                raise wrong("rules", f"both in {bonus.rule} and excluded: {named}")
        return self

    @model_validator(mode="after")
    def _one_cap_per_period(self) -> Self:
        if len({cap.per for cap in self.caps}) != len(self.caps):
            raise wrong("caps", "two caps of the same period")
        return self

    @model_validator(mode="after")
    def _each_rule_has_its_name(self) -> Self:
        single = (self.excluded, self.birthday, self.referral)
        given = (self.base, *self.bonuses, *self.caps, *self.challenges, *filter(None, single))
        names = [one.rule for one in given]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise wrong("rules", f"two rules have the name {twice[0]}")
        return self

    def compiled(self, version: str, effective_from: datetime) -> Version:
        """Return the domain's form, of that name and from that instant on."""
        excluded = self.excluded
        return Version(
            version=version,
            effective_from=effective_from,
            base=Base(self.base.rule, self.base.title, self.base.points_per_unit),
            expiry=self.expiry.compiled(),
            bonuses=tuple(one.compiled() for one in self.bonuses),
            excluded=(
                Excluded(
                    excluded.rule,
                    excluded.title,
                    frozenset(excluded.categories),
                    frozenset(excluded.skus),
                )
                if excluded
                else None
            ),
            caps=tuple(Cap(cap.rule, cap.title, cap.per, cap.points) for cap in self.caps),
            pending=self.pending.compiled() if self.pending else None,
            shortfall=self.returns.shortfall,
            returns_take=self.returns.take,
            expiry_notice_days=self.expiry_notice_days,
            challenges=tuple(one.compiled() for one in self.challenges),
            birthday=self.birthday.compiled() if self.birthday else None,
            referral=self.referral.compiled() if self.referral else None,
            rewards=tuple(one.compiled() for one in self.rewards),
        )


class VersionDocument(RulesDocument):
    """One immutable version of the rules."""

    version: RuleId
    effective_from: AwareDatetime


class DraftDocument(RulesDocument):
    """A version that is still being written, in the shape of ``VersionDocument``."""

    version: RuleId | None = None
    """Where it is given, the one of the path."""
    effective_from: WrittenInstant | None = None
    """Not kept: publishing says from when."""

    def rules(self) -> dict[str, object]:
        """Return what is kept of it, as JSON values; what has its default is left out."""
        return self.model_dump(
            mode="json",
            by_alias=True,
            exclude={"version", "effective_from"},
            exclude_defaults=True,
        )


def _minute(time_of_day: str) -> int:
    hours, _, minutes = time_of_day.partition(":")
    return int(hours) * 60 + int(minutes)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong in a document; place and caret where it is in an expression."""

    path: str
    """Such as ``bonuses.0.when``; empty for what concerns several fields."""
    message: str
    line: int | None = None
    column: int | None = None
    caret: str | None = None


def read(document: Mapping[str, object]) -> RulesDocument:
    """Return a version's rules; raises ``Malformed`` where there is anything wrong with them."""
    try:
        return RulesDocument.model_validate(document)
    except ValidationError as error:
        errors = [{"field": one.path, "message": one.message} for one in problems(error)]
        raise Malformed("programme_malformed", "The rules are not valid.", errors=errors) from error


def check(document: object, tiers: Iterable[Tier]) -> list[Finding]:
    """Return all that is wrong with a draft, in a programme of those tiers."""
    try:
        draft = DraftDocument.model_validate(document)
    except ValidationError as error:
        return problems(error)
    return [Finding(*told) for told in unknown_tiers(draft, [one.name for one in tiers])]


def check_tiers(document: RulesDocument, tiers: Iterable[Tier]) -> None:
    """Raise ``Malformed`` where a reward or a bonus is for a tier that is none of those."""
    told = unknown_tiers(document, [one.name for one in tiers])
    errors = [{"field": path, "message": message} for path, message in told]
    if errors:
        raise Malformed("programme_malformed", "The rules are not valid.", errors=errors)


def unknown_tiers(document: RulesDocument, tiers: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield path and message of each tier that a rule names and the programme has not."""
    for part, rules in (("bonuses", document.bonuses), ("rewards", document.rewards)):
        for place, rule in enumerate(rules):
            for name in rule.tiers:
                if name not in tiers:
                    yield f"{part}.{place}.tiers", f"the programme has no tier {name}"


def problems(error: ValidationError) -> list[Finding]:
    """Return what pydantic found, one by one; each mistake in an expression has its place."""
    found: list[Finding] = []
    for one in error.errors(include_url=False, include_input=False):
        path = ".".join(map(str, one["loc"]))
        mistakes = one.get("ctx", {}).get("mistakes")
        if mistakes:
            found += [Finding(path, **mistake) for mistake in mistakes]
        else:
            found.append(Finding(path, one["msg"]))
    return found
