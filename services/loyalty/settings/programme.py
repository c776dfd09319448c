"""The programme's document (YAML), checked when a process starts and compiled for the domain."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.loyalty.domain.caps import Cap
from services.loyalty.domain.programme import Programme, Rate, Tier, Version, Worth
from shared.errors import Malformed

RuleId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Title = Annotated[str, Field(min_length=1, max_length=200)]
Categories = Annotated[tuple[str, ...], Field(min_length=1, max_length=10_000)]


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BaseRule(_Document):
    """What every category earns unless a rule says otherwise."""

    rule: RuleId
    title: Title
    points_per_unit: int = Field(ge=0, le=100_000)


class BonusRule(BaseRule):
    """What some categories earn on top of the base rate."""

    categories: Categories


class ExcludedRule(_Document):
    """Categories that earn nothing and do not count towards a tier."""

    rule: RuleId
    title: Title
    categories: Categories


class Expiry(_Document):
    """Points expire at the end of the month, ``months`` after the month of earning."""

    months: int = Field(ge=1, le=240)


class CapRule(_Document):
    """At most ``points`` for a receipt, or in a calendar day or month of the time zone."""

    rule: RuleId
    title: Title
    per: Literal["receipt", "day", "month"]
    points: int = Field(ge=1, le=1_000_000_000)


class VersionDocument(_Document):
    """One immutable version of the rules."""

    version: RuleId
    effective_from: AwareDatetime
    rounding: Literal["floor_per_line"]
    base: BaseRule
    bonus: BonusRule | None = None
    excluded: ExcludedRule | None = None
    caps: tuple[CapRule, ...] = ()
    expiry: Expiry

    @model_validator(mode="after")
    def _one_rule_per_category(self) -> Self:
        bonus = set(self.bonus.categories if self.bonus else ())
        both = bonus.intersection(self.excluded.categories if self.excluded else ())
        if both:
            message = f"categories with a bonus and excluded: {', '.join(sorted(both))}"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _one_cap_per_period(self) -> Self:
        if len({cap.per for cap in self.caps}) != len(self.caps):
            message = "two caps of the same period"
            raise ValueError(message)
        return self


class TierDocument(_Document):
    """A tier and the net spend of a calendar year that carries it."""

    name: Annotated[str, Field(min_length=1, max_length=50)]
    threshold_minor: int = Field(ge=1)


class WorthDocument(_Document):
    """What points are worth."""

    points: int = Field(ge=1)
    minor: int = Field(ge=0)


class ProgrammeDocument(_Document):
    """The whole file."""

    name: Title
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    minor_per_unit: int = Field(ge=1, le=10_000)
    time_zone: str
    worth: WorthDocument
    tiers: tuple[TierDocument, ...] = ()
    versions: Annotated[tuple[VersionDocument, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            message = f"no such time zone: {self.time_zone}"
            raise ValueError(message) from error
        _rising("tiers.threshold_minor", [tier.threshold_minor for tier in self.tiers])
        _rising(
            "versions.effective_from", [item.effective_from.timestamp() for item in self.versions]
        )
        if len({item.version for item in self.versions}) != len(self.versions):
            message = "two versions have the same name"
            raise ValueError(message)
        return self


def _rising(name: str, values: Sequence[float]) -> None:
    if any(later <= earlier for earlier, later in itertools.pairwise(values)):
        message = f"{name} must rise from one to the next"
        raise ValueError(message)


def load(path: Path) -> Programme:
    """Read and check the file; raises ``Malformed`` naming each field that is wrong."""
    try:
        document = ProgrammeDocument.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except yaml.YAMLError as error:
        raise Malformed("programme_malformed", f"{path} is not YAML: {error}") from error
    except ValidationError as error:
        errors = [
            {"field": ".".join(map(str, item["loc"])), "message": item["msg"]}
            for item in error.errors()
        ]
        detail = "; ".join(f"{item['field']}: {item['message']}" for item in errors)
        raise Malformed("programme_malformed", f"{path}: {detail}", errors=errors) from error
    return compile_programme(document)


def compile_programme(document: ProgrammeDocument) -> Programme:
    """Return the domain's form: categories become look-ups."""
    versions = tuple(_compile_version(item) for item in document.versions)
    return Programme(
        name=document.name,
        currency=document.currency,
        minor_per_unit=document.minor_per_unit,
        time_zone=ZoneInfo(document.time_zone),
        worth=Worth(document.worth.points, document.worth.minor),
        tiers=tuple(Tier(tier.name, tier.threshold_minor) for tier in document.tiers),
        versions=versions,
        by_name={item.version: item for item in versions},
        minor_digits=len(str(document.minor_per_unit - 1)) if document.minor_per_unit > 1 else 0,
    )


def _compile_version(document: VersionDocument) -> Version:
    base = document.base
    rates = [Rate(base.points_per_unit, (base.rule,), base.title)]
    rate_of: dict[str | None, tuple[int, int]] = {}
    if bonus := document.bonus:
        per_unit = base.points_per_unit + bonus.points_per_unit
        rate_of |= dict.fromkeys(bonus.categories, (len(rates), per_unit))
        rates.append(Rate(per_unit, (base.rule, bonus.rule), bonus.title))
    if excluded := document.excluded:
        rate_of |= dict.fromkeys(excluded.categories, (len(rates), 0))
        rates.append(Rate(0, (excluded.rule,), excluded.title, qualifies=False))
    return Version(
        version=document.version,
        effective_from=document.effective_from,
        rates=tuple(rates),
        rate_of=rate_of,
        expiry_months=document.expiry.months,
        caps=tuple(Cap(cap.rule, cap.title, cap.per, cap.points) for cap in document.caps),
    )
