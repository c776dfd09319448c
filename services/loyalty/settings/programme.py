"""The programme's document (YAML), checked when a process starts and compiled for the domain."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import Field, ValidationError, model_validator

from services.loyalty.domain.challenges import Challenge, reshaped
from services.loyalty.domain.programme import Programme, Tier, Worth
from services.loyalty.settings.parts import Document, Title
from services.loyalty.settings.rewards import unknown_tiers
from services.loyalty.settings.rules import VersionDocument
from shared.errors import Malformed


class TierDocument(Document):
    """A tier and the net spend of a calendar year that carries it."""

    name: Annotated[str, Field(min_length=1, max_length=50)]
    threshold_minor: int = Field(ge=1)


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
        known: dict[str, Challenge] = {}
        for item in self.versions:
            compiled = [one.compiled() for one in item.challenges]
            if changed := reshaped(known, compiled):
                message = f"{item.version} changes what counts for {changed[0]}: use another name"
                raise ValueError(message)
            known |= {one.rule: one for one in compiled}
        for version in self.versions:
            for path, told in unknown_tiers(version.rewards, [tier.name for tier in self.tiers]):
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
        tiers=tuple(Tier(tier.name, tier.threshold_minor) for tier in document.tiers),
        versions=versions,
        by_name={item.version: item for item in versions},
        minor_digits=len(str(document.minor_per_unit - 1)) if document.minor_per_unit > 1 else 0,
    )
