"""How a file of an operator is read: NDJSON and CSV, whatever the pieces it arrives in."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from shared.errors import Malformed
from shared.imports import reading
from shared.imports.kinds import Kind, values


async def _apply(*_: object) -> Sequence[Any]:
    return ()


def _joined(records: Sequence[Mapping[str, str]]) -> Mapping[str, object]:
    return {"key": records[0]["key"], "lines": [record.get("text") for record in records]}


FLAT = Kind(
    name="things",
    row=BaseModel,
    columns=("key", "text", "points"),
    required=("key",),
    body=lambda records: values(records[0], ("points",)),
    apply=_apply,
)
GROUPED = Kind(
    name="things",
    row=BaseModel,
    columns=("key", "text"),
    required=("key",),
    body=_joined,
    apply=_apply,
    group=("key",),
)


async def read(
    kind: Kind, text: bytes, media_type: str = "text/csv", *, piece: int = 7
) -> list[tuple[int, Any]]:
    """Read ``text`` in pieces; a row's JSON, or the sentence that says why it is none."""

    async def stream() -> AsyncIterator[bytes]:
        for at in range(0, len(text), piece):
            yield text[at : at + piece]

    return [
        (row.row_no, row.malformed.detail if row.malformed else json.loads(row.body))
        async for row in reading.rows(kind, stream(), media_type)
    ]


@pytest.mark.parametrize("piece", [1, 5, 1_000])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
async def test_quotes_commas_and_line_breaks_in_cells_are_kept(piece: int, end: bytes) -> None:
    lines = (b"key,text", b'a,"one, ""two"""', b'b,"first', b'second"', b"c,last")

    found = await read(FLAT, end.join(lines), piece=piece)

    assert found == [
        (2, {"key": "a", "text": 'one, "two"'}),
        (3, {"key": "b", "text": "first" + end.decode() + "second"}),
        (5, {"key": "c", "text": "last"}),
    ]


async def test_spreadsheets_mark_and_blank_lines_say_nothing() -> None:
    found = await read(FLAT, b"\xef\xbb\xbfkey,text\n\na,\n\n")

    assert found == [(3, {"key": "a"})]


async def test_whole_numbers_become_numbers_and_nothing_else_does() -> None:
    found = await read(FLAT, b"key,points\n1,12\n2,1.5\n3,-4\n4,1e3\n")

    assert [row["points"] for _, row in found] == [12, "1.5", -4, "1e3"]


async def test_lines_of_one_receipt_are_one_row_that_begins_at_its_first() -> None:
    found = await read(GROUPED, b"key,text\na,1\na,2\nb,3\na,4\n")

    assert found == [
        (2, {"key": "a", "lines": ["1", "2"]}),
        (4, {"key": "b", "lines": ["3"]}),
        (5, {"key": "a", "lines": ["4"]}),
    ]


async def test_a_bad_line_spoils_its_group_alone() -> None:
    found = await read(GROUPED, b"key,text\na,1\na\na,2\nb,3\n")

    assert found == [
        (2, "The line has 1 cells, the header 2."),
        (5, {"key": "b", "lines": ["3"]}),
    ]


async def test_a_line_that_is_no_text_is_named_and_the_next_one_read() -> None:
    found = await read(FLAT, b"key,text\n\xff,x\nb,y\n")

    assert found == [(2, "The line is not UTF-8."), (3, {"key": "b", "text": "y"})]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "empty"),
        (b"key,colour\n", "columns"),
        (b"text\n", "columns"),
        (b"key,key\n", "columns"),
        (b'key,text\na,"never closed\nb,c\n', "line 2 is never closed"),
        (b"key,text\na," + b"x" * reading.ROW_BYTES_MAX, "bytes"),
    ],
)
async def test_a_file_that_can_not_be_understood_is_refused_as_a_whole(
    text: bytes, says: str
) -> None:
    with pytest.raises(Malformed) as refused:
        await read(FLAT, text, piece=10_000)

    assert refused.value.code == "import_format"
    assert says in refused.value.detail


async def test_an_unknown_media_type_is_refused() -> None:
    with pytest.raises(Malformed, match="Content-Type"):
        await read(FLAT, b"key\n", "application/x-www-form-urlencoded")


@given(
    rows=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=20)),
    piece=st.integers(1, 50),
)
async def test_ndjson_is_the_same_whatever_pieces_it_comes_in(rows: list[str], piece: int) -> None:
    text = "\n".join(json.dumps(row) for row in rows).encode()

    found = await read(FLAT, text, "application/x-ndjson", piece=piece)

    assert found == list(enumerate(rows, 1))
