"""The table of ``returns.yaml``, as events and as what the ledger has to say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import yaml

from services.loyalty.domain.caps import Cap
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.terms import Pending
from shared.contracts.purchases import Receipt, ReceiptLine, ReturnedLine
from tests import builders
from tests.unit.loyalty import programmes

ZONE = ZoneInfo("America/New_York")
PEOPLE: Mapping[str, UUID | None] = {"Ann": UUID(int=1), "Ben": UUID(int=2), "nobody": None}

Posted = tuple[str, UUID, int]
"""Receipt's letter, member, points."""


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    name: str
    programme: Programme
    events: Sequence[Any]
    entries: Sequence[Posted]
    worth: Mapping[str, int]
    letters: Mapping[UUID, str]
    """Receipt id → its letter in the table."""


def load() -> list[Case]:
    """Read the table."""
    rows = yaml.safe_load(Path(__file__).with_name("returns.yaml").read_text("utf-8"))
    return [_case(row) for row in rows]


def _case(row: Mapping[str, Any]) -> Case:
    net: dict[str, Receipt] = {}
    events: list[Any] = []
    for step in row["steps"]:
        letter, event = _event(step, net)
        net[letter] = event.data
        events.append(event)
    return Case(
        name=row["case"],
        programme=_programme(row.get("caps", {}), row.get("pending_only")),
        events=events,
        entries=[_posted(text) for text in row["entries"]],
        worth=row["worth"],
        letters={receipt.receipt_id: letter for letter, receipt in net.items()},
    )


def _programme(caps: Mapping[Any, int], days: int | None) -> Programme:
    known = tuple(
        Cap(f"{per}-cap", f"At most {points} points a {per}", per, points)
        for per, points in caps.items()
    )
    version = programmes.version(caps=known)
    if days is not None:
        version = replace(version, pending=Pending(days), returns_take="pending_only")
    return programmes.small(version)


def _event(step: Mapping[str, Any], net: Mapping[str, Receipt]) -> tuple[str, Any]:
    if letter := step.get("sell"):
        at = _time(step["at"])
        return letter, builders.purchase_recorded(
            receipt_no=letter,
            member_id=PEOPLE[step.get("to", "Ann")],
            business_date=at.date(),
            occurred_at=at,
            lines=_lines(step["lines"]),
        )
    if letter := step.get("return"):
        when = {"time": _time(step["at"])} if "at" in step else {}
        back = _returned(step, net[letter])
        return letter, builders.purchase_returned(net[letter], back, **when)
    if letter := step.get("void"):
        return letter, builders.purchase_voided(net[letter])
    if letter := step.get("amend"):
        return letter, builders.purchase_amended(net[letter], _lines(step["lines"]))
    letter = step["attribute"]
    member_id = PEOPLE[step["to"]]
    assert member_id is not None
    return letter, builders.purchase_attributed(net[letter], member_id)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def _lines(amounts: Mapping[str, int]) -> list[ReceiptLine]:
    return [
        builders.line(number, category=category, amount_minor=amount)
        for number, (category, amount) in enumerate(amounts.items(), 1)
    ]


def _returned(step: Mapping[str, Any], of: Receipt) -> list[ReturnedLine] | None:
    if "lines" not in step:
        return None
    numbers = {line.category: line.line_no for line in of.lines}
    return [
        ReturnedLine(line_no=numbers[category], quantity_milli=0, amount_minor=amount)
        for category, amount in step["lines"].items()
    ]


def _posted(text: str) -> Posted:
    letter, points, *name = text.split()
    member_id = PEOPLE[name[0] if name else "Ann"]
    assert member_id is not None
    return letter, member_id, int(points)
