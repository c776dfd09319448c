"""An upload that arrives in pieces is read as if it came whole."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import pydantic_core
import pytest
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.api import bodies, rows
from shared.errors import Malformed
from shared.http.turns import Turns
from tests.service.ingest.conftest import purchase_body

# What a place to cut could be mistaken by: braces, commas, quotes and escapes in a string.
_TRICKY = st.text(st.sampled_from('{}[],:"\\ aé\U0001f95d'), max_size=30)
_ROWS = st.lists(_TRICKY, min_size=1, max_size=12)


class _Upload:
    """A request of which the route sees headers and stream."""

    def __init__(self, parts: Sequence[bytes], media_type: str = "application/json") -> None:
        self._parts = parts
        self.headers = {"content-type": media_type}

    async def stream(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield part


def _in_parts(text: bytes, size: int) -> list[bytes]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def _purchase(number: int, description: str) -> dict[str, Any]:
    line = {"line_no": 1, "sku": "1", "quantity": 1, "amount_minor": 1, "description": description}
    return purchase_body(str(number), lines=[line, line | {"line_no": 2}], total_minor=2)


async def _read(parts: Sequence[bytes], media_type: str = "application/json") -> list[rows.Row]:
    upload = cast("Request", _Upload(parts, media_type))
    return [row async for some in rows.read(upload, Turns(), chunk_bytes=700) for row in some]


@given(descriptions=_ROWS, size=st.integers(1, 2_000), indent=st.sampled_from([None, 2]))
@settings(max_examples=150)
async def test_array_in_pieces_is_the_array(
    descriptions: list[str], size: int, indent: int | None
) -> None:
    sent = [_purchase(number, text) for number, text in enumerate(descriptions)]
    body = json.dumps(sent, indent=indent, ensure_ascii=False).encode()
    whole = [bodies.Purchase.model_validate_json(pydantic_core.to_json(row)) for row in sent]
    assert await _read(_in_parts(body, size)) == whole


@given(descriptions=_ROWS, size=st.integers(1, 2_000))
@settings(max_examples=50)
async def test_lines_in_pieces_are_the_lines(descriptions: list[str], size: int) -> None:
    sent = [_purchase(number, text) for number, text in enumerate(descriptions)]
    body = b"\n".join(json.dumps(row).encode() for row in sent)
    whole = [bodies.Purchase.model_validate_json(pydantic_core.to_json(row)) for row in sent]
    assert await _read(_in_parts(body, size), "application/x-ndjson") == whole


async def test_rows_that_are_not_acceptable_keep_their_place() -> None:
    sent = [_purchase(number, "{" * (number % 3)) for number in range(20)]
    sent[7]["total_minor"] = 3
    sent[19]["currency"] = "XXX1"
    found = await _read(_in_parts(json.dumps(sent).encode(), 100))
    refused = [n for n, row in enumerate(found) if isinstance(row, RequestValidationError)]
    assert refused == [7, 19]
    assert [row.receipt_no for row in found if isinstance(row, bodies.Purchase)] == [
        str(number) for number in range(20) if number not in refused
    ]


@pytest.mark.parametrize("spoil", ["[,", "{", ",]", "}]", "", "]]", '"]', ",,"])
@pytest.mark.parametrize("count", [1, 9])
async def test_what_is_no_array_is_refused(count: int, spoil: str) -> None:
    row = json.dumps(_purchase(1, "a")).encode()
    body = {
        "[,": b"[," + b",".join([row] * count) + b"]",
        ",,": b"[" + b",,".join([row] * (count + 1)) + b"]",
    }.get(spoil, b"[" + b",".join([row] * count) + spoil.encode())
    with pytest.raises((RequestValidationError, Malformed)):
        await _read(_in_parts(body, 333))


async def test_row_without_an_end_is_not_held_for_ever() -> None:
    part = b" " * 65_536
    with pytest.raises(Malformed):
        await _read([b"[{", *[part] * 100])
