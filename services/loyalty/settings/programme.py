"""The programme's document (YAML), checked when a process starts and compiled for the domain."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import Field, ValidationError, model_validator

from services.loyalty.domain.challenges import Challenge, reshaped
from services.loyalty.domain.ladder import Measure, Tier, TierPolicy
from services.loyalty.domain.programme import Programme, Worth
from services.loyalty.settings.parts import Document, Title
from services.loyalty.settings.rules import VersionDocument, unknown_tiers
from shared.errors import Malformed


class TierDocument(Document):
    """A tier, and the net spend (or whatever ``tier_policy`` measures) that carries it."""

    name: Annotated[str, Field(min_length=1, max_length=50)]
    threshold_minor: int | None = Field(default=None, ge=1)
    """In minor units, where spend is measured."""
    threshold: int | None = Field(default=None, ge=1)
    """Where it is visits or points."""

    @property
    def carries(self) -> int:
        """Return the one that is given."""
        return self.threshold_minor or self.threshold or 0


class RollingWindow(Document):
    """A receipt counts for so many months, to the end of the last."""

    rolling_months: int = Field(ge=1, le=60)


class TierPolicyDocument(Document):
    """How tiers are counted, and how they are lost; the defaults are what every field's is."""

    measure: Measure = "spend"
    window: Literal["calendar_year"] | RollingWindow = "calendar_year"
    """What a calendar year carries lasts to the end of the next."""
    downgrade: Literal["none", "one_step", "rederive"] = "rederive"
    """What the end of a period does to a tier that is not carried any more."""
    notice_days: int = Field(default=0, ge=0, le=365)
    """So long before a tier falls the member is told; 0: not at all."""
    grace_days: int = Field(default=0, ge=0, le=366)
    """So long a tier stays that is not carried any more."""

    def compiled(self) -> TierPolicy:
        """Return the domain's form."""
        months = None if self.window == "calendar_year" else self.window.rolling_months
        return TierPolicy(self.measure, months, self.downgrade, self.notice_days, self.grace_days)


class WorthDocument(Document):
    """What points are worth."""

    points: int = Field(ge=1)
    minor: int = Field(ge=0)


class ProgrammeDocument(Document):
    """The whole file."""

    name: Title
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    minor_per_unit: int = Field(ge=1, le=10_000)
    time_zone: str
    worth: WorthDocument
    tiers: tuple[TierDocument, ...] = ()
    tier_policy: TierPolicyDocument = Field(default_factory=TierPolicyDocument)
    versions: Annotated[tuple[VersionDocument, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            message = f"no such time zone: {self.time_zone}"
            raise ValueError(message) from error
        name = "threshold_minor" if self.tier_policy.measure == "spend" else "threshold"
        other = "threshold" if name == "threshold_minor" else "threshold_minor"
        if any(getattr(tier, name) is None or getattr(tier, other) for tier in self.tiers):
            message = f"tiers by {self.tier_policy.measure} have a {name}, and no {other}"
            raise ValueError(message)
        if len({tier.name for tier in self.tiers}) != len(self.tiers):
            message = "two tiers have the same name"
            raise ValueError(message)
        _rising(f"tiers.{name}", [tier.carries for tier in self.tiers])
        _rising(
            "versions.effective_from", [item.effective_from.timestamp() for item in self.versions]
        )
        if len({item.version for item in self.versions}) != len(self.versions):
            message = "two versions have the same name"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        known: dict[str, Challenge] = {}
        for item in self.versions:
            compiled = [one.compiled() for one in item.challenges]
            if changed := reshaped(known, compiled):
                message = f"{item.version} changes what counts for {changed[0]}: use another name"
                raise ValueError(message)
            known |= {one.rule: one for one in compiled}
        for version in self.versions:
            for path, told in unknown_tiers(version, [tier.name for tier in self.tiers]):
                message = f"{version.version}: {path}: {told}"
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
    """Return the domain's form."""
    versions = tuple(item.compiled(item.version, item.effective_from) for item in document.versions)
    return Programme(
        name=document.name,
        currency=document.currency,
        minor_per_unit=document.minor_per_unit,
        time_zone=ZoneInfo(document.time_zone),
        worth=Worth(document.worth.points, document.worth.minor),
        tiers=tuple(Tier(tier.name, tier.carries) for tier in document.tiers),
        tier_policy=document.tier_policy.compiled(),
        versions=versions,
        by_name={item.version: item for item in versions},
        minor_digits=len(str(document.minor_per_unit - 1)) if document.minor_per_unit > 1 else 0,
    )
