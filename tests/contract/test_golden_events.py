"""Events as they were first written still parse, to the same values.

``golden/<type>.json`` is written by hand and never changed once released. A type that gained a
field gets one more file, ``golden/<type>.<what>.json``, and keeps the old one.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from shared import ids
from shared.contracts import publish
from shared.contracts.envelope import Event
from shared.contracts.purchases import Receipt
from shared.contracts.topics import TOPICS, type_name

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.json"))
TOPIC_OF = {type_name(event): topic for topic in TOPICS.values() for event in topic.types}

each_golden = pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def parse(path: Path) -> Event:
    return TOPIC_OF[read(path)["type"]].parse(path.read_bytes())


def same(written: object, parsed: object) -> bool:
    """Whether the parsed value says all that was written; times compare as instants."""
    if isinstance(written, dict):
        return isinstance(parsed, dict) and all(
            name in parsed and same(value, parsed[name]) for name, value in written.items()
        )
    if isinstance(written, list):
        return (
            isinstance(parsed, list)
            and len(written) == len(parsed)
            and all(same(one, other) for one, other in zip(written, parsed, strict=True))
        )
    if written != parsed and isinstance(written, str) and isinstance(parsed, str):
        return datetime.fromisoformat(written) == datetime.fromisoformat(parsed)
    return type(written) is type(parsed) and written == parsed


@each_golden
def test_golden_event_still_parses_to_what_was_written(path: Path) -> None:
    parsed = json.loads(parse(path).model_dump_json())

    assert same(read(path), parsed)


@each_golden
def test_golden_event_is_valid_by_the_published_schema(path: Path) -> None:
    written = read(path)

    jsonschema.validate(
        written, publish.schemas()[written["type"]], cls=jsonschema.Draft202012Validator
    )


@each_golden
def test_golden_event_with_a_field_of_tomorrow_still_parses(path: Path) -> None:
    tomorrow = read(path)
    tomorrow["data"]["a_field_of_tomorrow"] = {"nested": [1]}
    tomorrow["tracestate"] = "a CloudEvents extension"

    event = TOPIC_OF[tomorrow["type"]].parse(json.dumps(tomorrow).encode())

    assert event == parse(path)


def test_every_event_type_has_a_golden_event() -> None:
    assert {read(path)["type"] for path in GOLDEN} == TOPIC_OF.keys()


@pytest.mark.parametrize("path", [p for p in GOLDEN if p.stem.startswith("purchase.")])
def test_golden_receipt_has_the_ids_and_totals_that_contracts_promise(path: Path) -> None:
    event = parse(path)
    receipt = event.data  # pyright: ignore[reportAttributeAccessIssue]  of every purchase event
    assert isinstance(receipt, Receipt)

    assert receipt.receipt_id == ids.receipt_id(
        receipt.store_id, receipt.terminal_id, receipt.business_date, receipt.receipt_no
    )
    assert event.id == ids.receipt_event_id(receipt.receipt_id, event.type, receipt.revision)
    assert event.subject == str(receipt.member_id)
    assert receipt.total_minor == sum(line.amount_minor for line in receipt.lines)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("total_minor", 6.11),
        ("total_minor", -1),
        ("total_minor", 2**53),
        ("currency", "usd"),
        ("occurred_at", "2026-11-22T14:05:00"),
        ("receipt_id", "not-a-uuid"),
        ("revision", 0),
        ("lines", None),
    ],
)
def test_receipt_with_an_impossible_value_is_refused(field: str, value: object) -> None:
    event = read(Path(__file__).parent / "golden" / "purchase.recorded.v1.json")
    event["data"][field] = value

    with pytest.raises(ValueError, match=field):
        TOPICS["purchases"].parse(json.dumps(event).encode())


def test_an_event_of_another_topic_is_refused() -> None:
    stranger = (Path(__file__).parent / "golden" / "offer.issued.v1.json").read_bytes()

    with pytest.raises(ValueError, match=r"offer\.issued\.v1"):
        TOPICS["purchases"].parse(stranger)
