"""docs/events says what the code says, and no release is broken by it."""

import json
import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.contracts import publish
from shared.contracts.envelope import Contract
from shared.contracts.topics import TOPICS
from tests.contract.compatibility import breaks

RELEASED = sorted((publish.DOCS / "released").glob("*/*.json"))
Change = Callable[[dict[str, Any]], object]


def load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def test_committed_event_documents_equal_generated_ones() -> None:
    stale = publish.stale(publish.files())

    assert not stale, "run 'make events' and commit the result"


def test_stale_notices_a_changed_a_missing_and_a_leftover_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "DOCS", tmp_path)
    expected = publish.files()
    publish.write(expected)
    assert not publish.stale(expected)

    (tmp_path / "asyncapi.yaml").write_text("changed", encoding="utf-8")
    (tmp_path / "points.earned.v1.json").unlink()
    (tmp_path / "gone.v1.json").write_text("{}", encoding="utf-8")

    assert {path.name for path in publish.stale(expected)} == {
        "asyncapi.yaml",
        "points.earned.v1.json",
        "gone.v1.json",
    }
    publish.write(expected)
    assert not publish.stale(expected)


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = yaml.safe_load((publish.DOCS / "asyncapi.yaml").read_text(encoding="utf-8"))

    for reference in re.findall(r"'\$ref': '([^']+)'", str(document)):
        if reference.startswith("./"):
            assert (publish.DOCS / reference).is_file(), reference
            continue
        node = document
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def test_asyncapi_document_tells_topic_key_retention_and_publisher() -> None:
    document = yaml.safe_load((publish.DOCS / "asyncapi.yaml").read_text(encoding="utf-8"))

    assert document["channels"].keys() == TOPICS.keys()
    for name, channel in document["channels"].items():
        topic = TOPICS[name]
        kept = channel["bindings"]["kafka"]["topicConfiguration"]
        assert topic.key in channel["description"]
        assert ("retention.ms" in kept) is not topic.compacted
        assert [f"{publisher}.{name}" in document["operations"] for publisher in topic.publishers]


def contracts(of: type[Contract]) -> list[type[Contract]]:
    below = [each for child in of.__subclasses__() for each in contracts(child)]
    return [each for each in (of, *below) if each.__module__.startswith("shared.contracts")]


@pytest.mark.parametrize("contract", contracts(Contract), ids=lambda each: each.__name__)
def test_every_contract_field_says_what_it_means(contract: type[Contract]) -> None:
    own_words = {"type", "data"}  # the event's docstring says both

    for name, field in contract.model_fields.items():
        assert field.description or name in own_words, f"{contract.__name__}.{name}"


@pytest.mark.parametrize("contract", contracts(Contract), ids=lambda each: each.__name__)
def test_no_contract_has_a_fraction_for_money_or_points(contract: type[Contract]) -> None:
    for name, field in contract.model_fields.items():
        assert "float" not in str(field.annotation), f"{contract.__name__}.{name}"
        assert "Decimal" not in str(field.annotation), f"{contract.__name__}.{name}"


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_released_event_is_compatible_with_the_code(path: Path) -> None:
    """Old events must be read by new code (replays), new events by old code (rolling deploys)."""
    released, current = load(path), publish.schemas().get(path.stem)
    assert current is not None, f"{path.stem} was released: readers still get it"

    assert not breaks(writer=released, reader=current), "the code refuses events of that release"
    assert not breaks(writer=current, reader=released), "that release refuses events of the code"


def test_there_is_a_released_baseline_to_compare_with() -> None:
    assert RELEASED


BASELINE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "points": {"type": "integer", "minimum": 0},
        "reason": {"enum": ["earned", "returned"], "type": "string"},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
    },
    "required": ["id", "points", "reason", "lines"],
    "$defs": {
        "Line": {
            "type": "object",
            "properties": {"sku": {"type": "string"}},
            "required": ["sku"],
        }
    },
}


def changed(change: Change) -> dict[str, Any]:
    schema = deepcopy(BASELINE)
    change(schema)
    return schema


def add_optional(schema: dict[str, Any]) -> None:
    schema["properties"]["store"] = {"type": "string", "default": ""}


def add_optional_to_line(schema: dict[str, Any]) -> None:
    schema["$defs"]["Line"]["properties"]["brand"] = {"type": "string"}


def reword(schema: dict[str, Any]) -> None:
    schema["properties"]["points"]["description"] = "whole points"


def add_required(schema: dict[str, Any]) -> None:
    add_optional(schema)
    schema["required"].append("store")


def add_required_to_line(schema: dict[str, Any]) -> None:
    add_optional_to_line(schema)
    schema["$defs"]["Line"]["required"].append("brand")


def make_points_text(schema: dict[str, Any]) -> None:
    schema["properties"]["points"] = {"type": "string"}


def make_id_a_date(schema: dict[str, Any]) -> None:
    schema["properties"]["id"]["format"] = "date"


def tighten_bound(schema: dict[str, Any]) -> None:
    schema["properties"]["points"]["minimum"] = 1


def narrow_reason(schema: dict[str, Any]) -> None:
    schema["properties"]["reason"]["enum"].remove("returned")


def widen_reason(schema: dict[str, Any]) -> None:
    schema["properties"]["reason"]["enum"].append("adjusted")


def drop_required(schema: dict[str, Any]) -> None:
    del schema["properties"]["points"]
    schema["required"].remove("points")


def let_id_be_any_text(schema: dict[str, Any]) -> None:
    del schema["properties"]["id"]["format"]


@pytest.mark.parametrize("change", [add_optional, add_optional_to_line, reword])
def test_gate_lets_a_harmless_change_pass(change: Change) -> None:
    now = changed(change)

    assert not breaks(writer=BASELINE, reader=now)
    assert not breaks(writer=now, reader=BASELINE)


@pytest.mark.parametrize(
    "change",
    [
        add_required,
        add_required_to_line,
        make_points_text,
        make_id_a_date,
        tighten_bound,
        narrow_reason,
    ],
)
def test_gate_stops_code_that_refuses_old_events(change: Change) -> None:
    assert breaks(writer=BASELINE, reader=changed(change))


@pytest.mark.parametrize(
    "change", [make_points_text, widen_reason, drop_required, let_id_be_any_text]
)
def test_gate_stops_events_that_old_code_refuses(change: Change) -> None:
    assert breaks(writer=changed(change), reader=BASELINE)
