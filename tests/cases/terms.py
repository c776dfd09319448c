"""The table of ``terms.yaml``, as steps and as what the ledger has to say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import yaml

from services.loyalty.domain.programme import Programme, Version
from services.loyalty.settings.rules import RulesDocument
from shared.contracts.purchases import Receipt
from tests import builders
from tests.unit.loyalty import programmes

ZONE = ZoneInfo("America/New_York")
RULES: Mapping[str, Any] = {
    "rounding": "floor_per_line",
    "base": {"rule": "base", "title": "10 points per dollar", "points_per_unit": 10},
    "expiry": {"months": 12},
}


@dataclass(frozen=True)
class Step:
    """Something that happens: a purchases event, or points that are spent."""

    at: datetime
    event: Any = None
    spend: int = 0


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    name: str
    programme: Programme
    steps: Sequence[Step]
    until: datetime
    entries: Sequence[str]
    has: Mapping[str, int]


def load(member_id: UUID = builders.MEMBER) -> list[Case]:
    """Read the table, with all of it about that member."""
    rows = yaml.safe_load(Path(__file__).with_name("terms.yaml").read_text("utf-8"))
    return [_case(row, member_id) for row in rows]


def _case(row: Mapping[str, Any], member_id: UUID) -> Case:
    net: dict[str, Receipt] = {}
    has = {"available": 0, "pending": 0, "held": 0, "debt": 0, "lost": 0}
    versions = [_version("v1", programmes.BEGAN, row.get("terms", {}))]
    if "later" in row:
        terms = dict(row["later"])
        versions.append(_version("v2", _time(terms.pop("from")), terms))
    return Case(
        name=row["case"],
        programme=programmes.small(*versions),
        steps=[_step(step, net, member_id) for step in row["steps"]],
        until=_time(row["until"]),
        entries=row["entries"],
        has={**has, **row["has"]},
    )


def _version(name: str, since: datetime, terms: Mapping[str, Any]) -> Version:
    return RulesDocument.model_validate({**RULES, **terms}).compiled(name, since)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def _step(step: Mapping[str, Any], net: dict[str, Receipt], member_id: UUID) -> Step:
    at = _time(step["at"])
    if "spend" in step:
        return Step(at, spend=step["spend"])
    if letter := step.get("sell"):
        line = builders.line(category="BREAD", amount_minor=step["points"] * 10)
        event: Any = builders.purchase_recorded(
            receipt_no=letter, member_id=member_id, occurred_at=at, lines=[line]
        )
    else:
        letter = step["return"]
        event = builders.purchase_returned(net[letter], time=at)
    net[letter] = event.data
    return Step(at, event)
