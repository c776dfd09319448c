"""Structs read what the contracts read, and let nothing through that they refuse."""

import json
from copy import deepcopy
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from shared.contracts import structs
from shared.contracts.topics import TOPICS, Topic, type_name

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.json"))
LEFT_OUT = (("returns", []), ("voided", False), ("fulfilled_at", None))
TOPIC_OF = {type_name(event): topic for topic in TOPICS.values() for event in topic.types}


@cache
def reader(topic: str) -> structs.Reader:
    return structs.fast_reader(TOPICS[topic].types)


def topic_of(written: dict[str, Any]) -> Topic:
    return TOPIC_OF[written["type"]]


def instants(value: Any) -> Any:
    """Read times as instants: two libraries write them in two ways.

    Lines from which nothing came off say so by leaving ``returns`` out, or by an empty list; so do
    receipts that were not voided, or are no order.
    """
    if isinstance(value, dict):
        return {name: instants(one) for name, one in value.items() if (name, one) not in LEFT_OUT}
    if isinstance(value, list):
        return [instants(one) for one in value]
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return value


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_struct_holds_what_the_contract_holds(path: Path) -> None:
    value = path.read_bytes()
    topic = topic_of(json.loads(value))

    event = reader(topic.name)(value)

    contract = topic.parse(value)
    ours = json.loads(structs.encode(event)) | {"dataschema": contract.dataschema}
    assert instants(ours) == instants(json.loads(contract.model_dump_json()))
    assert (event.id, event.type, event.time) == (contract.id, contract.type, contract.time)


def leaves(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to each scalar."""
    if isinstance(value, dict):
        return [way for name, one in value.items() for way in leaves(one, (*path, name))]
    if isinstance(value, list):
        return [way for at, one in enumerate(value) for way in leaves(one, (*path, at))]
    return [path]


def replaced(value: Any, path: tuple[Any, ...], by: object) -> Any:
    changed = deepcopy(value)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = by
    return changed


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=40),
    st.datetimes().map(datetime.isoformat),
    st.uuids().map(str),
    st.sampled_from(["", "USD", "usd", "pos", "2026-11-22", [], {}, [1]]),
)


@given(st.sampled_from(GOLDEN), st.data())
def test_a_struct_refuses_what_the_contract_refuses(path: Path, data: st.DataObject) -> None:
    written = json.loads(path.read_bytes())
    topic = topic_of(written)
    way = data.draw(st.sampled_from(leaves(written)))
    spoilt = json.dumps(replaced(written, way, data.draw(SCALARS))).encode()

    try:
        topic.parse(spoilt)
    except ValueError:
        with pytest.raises(structs.Unreadable):
            reader(topic.name)(spoilt)


@pytest.mark.parametrize(
    ("way", "value", "said"),
    [
        (("data", "lines", 0, "amount_minor"), -1, "$.data.lines[0].amount_minor"),
        (("data", "currency"), "Ann's secret", "$.data.currency"),
        (("data", "occurred_at"), "2026-11-22T14:05:00", "$.data.occurred_at"),
        (("type",), "offer.issued.v1", "$.type"),
    ],
)
def test_the_reason_names_the_field_and_never_the_value(
    way: tuple[Any, ...], value: object, said: str
) -> None:
    written = json.loads((GOLDEN[0].parent / "purchase.recorded.v1.json").read_bytes())
    spoilt = json.dumps(replaced(written, way, value)).encode()

    with pytest.raises(structs.Unreadable) as refusal:
        TOPICS["purchases"].read(spoilt)

    assert said in str(refusal.value)
    assert "secret" not in str(refusal.value)


ID = "0193a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b"


@pytest.mark.parametrize("written", [ID, ID.upper()])
def test_an_id_is_the_one_that_is_written(written: str) -> None:
    sale = json.loads((GOLDEN[0].parent / "purchase.recorded.v1.json").read_bytes())

    event = TOPICS["purchases"].read(json.dumps(replaced(sale, ("id",), written)).encode())

    assert (event.id, hash(event.id)) == (UUID(ID), hash(UUID(ID)))


@pytest.mark.parametrize(
    "written", [ID[:-1], ID[:8] + ID[9:], "----" + ID.replace("-", ""), ID[:-1] + "x", 5, [5], None]
)
def test_an_id_that_is_none_is_refused_without_its_value(written: object) -> None:
    sale = json.loads((GOLDEN[0].parent / "purchase.recorded.v1.json").read_bytes())

    with pytest.raises(structs.Unreadable) as refusal:
        TOPICS["purchases"].read(json.dumps(replaced(sale, ("id",), written)).encode())

    assert str(refusal.value) == "Invalid UUID - at `$.id`"


@pytest.mark.parametrize("value", [b"", b"{", b"\xff\xfe", b"null", b"[]", b'{"type":'])
def test_bytes_that_are_no_event_are_unreadable(value: bytes) -> None:
    for topic in TOPICS.values():
        with pytest.raises(structs.Unreadable):
            topic.read(value)


def test_a_field_of_an_unknown_kind_is_refused_when_the_process_starts() -> None:
    class Odd(BaseModel):
        mapping: dict[str, int]

    with pytest.raises(TypeError, match="dict"):
        structs.struct(Odd)


def test_limits_are_kept_inside_optional_fields() -> None:
    class Half(BaseModel):
        percent: Annotated[int, Field(ge=1, le=100)] | None = None

    decode = msgspec.json.Decoder(structs.struct(Half)).decode

    assert decode(b'{"percent": 100}').percent == 100
    with pytest.raises(msgspec.ValidationError):
        decode(b'{"percent": 101}')
