"""The rows of an upload, parsed while it arrives: the file itself is never held.

A JSON array is cut between two items about every ``CHUNK_BYTES``, and each piece is parsed as an
array of its own. Where to cut is a guess from the braces, which the parser proves: a piece that was
cut anywhere else is no JSON. Only then the strings are looked at too.
"""

import re
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

import pydantic_core
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import Field, TypeAdapter, ValidationError

from services.ingest.api import bodies
from shared.errors import Malformed, PerennialError
from shared.http.raw import invalid_body
from shared.http.turns import Turns

ROWS_MAX = 1_000
ROW_BYTES_MAX = 256 * 1024
CHUNK_BYTES = 64 * 1024
"""About 25 purchases of ten lines, which take some milliseconds."""
_NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl")
_BRACES_MAX = 4 * bodies.LINES_MAX
"""How far back a place to cut is looked for: more than a purchase has."""
_TOKENS = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{},"]', re.DOTALL)

_ANY_ARRAY = TypeAdapter(list[object])
_ARRAY = TypeAdapter(Annotated[list[bodies.Purchase], Field(max_length=ROWS_MAX)])

Row = bodies.Purchase | PerennialError | RequestValidationError


def read(
    request: Request, turns: Turns, *, chunk_bytes: int = CHUNK_BYTES
) -> AsyncIterator[Sequence[Row]]:
    """Return the rows in their order, some at a time; a row that is not acceptable is its error.

    Raises ``RequestValidationError`` or ``Malformed`` where the document as a whole is not.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    parts = _parts(request, chunk_bytes)
    return _lines(parts, turns) if media_type in _NDJSON else _items(parts, turns, chunk_bytes)


def too_many() -> Malformed:
    """Return the refusal of an upload with more than ``ROWS_MAX`` rows."""
    return Malformed("invalid_request", f"A batch has at most {ROWS_MAX} rows.")


async def _parts(request: Request, most_bytes: int) -> AsyncIterator[bytes]:
    async for part in request.stream():
        for start in range(0, len(part), most_bytes):
            yield part[start : start + most_bytes]


async def _lines(parts: AsyncIterator[bytes], turns: Turns) -> AsyncIterator[Sequence[Row]]:
    rest = b""
    async for part in parts:
        *lines, rest = (rest + part).split(b"\n")
        if len(rest) > ROW_BYTES_MAX:
            raise _too_large()
        if lines:
            async with turns.take():
                rows = [_parse(line) for line in lines if line.strip()]
            yield rows
    if rest.strip():
        yield [_parse(rest)]


async def _items(
    parts: AsyncIterator[bytes], turns: Turns, chunk_bytes: int
) -> AsyncIterator[Sequence[Row]]:
    text, was_cut = bytearray(), False
    async for part in parts:
        text += part
        if len(text) < chunk_bytes:
            continue
        async with turns.take():
            rows, cut = _piece(text)
        if cut:
            # What is left is an array again, as soon as its end is here.
            text[: cut + 1] = b"["
            was_cut = True
            yield rows
        elif len(text) > chunk_bytes + ROW_BYTES_MAX:
            raise _too_large()
    rows = _array(bytes(text))
    if was_cut and not rows:
        raise Malformed("malformed_json", "The array ends with a comma.")
    yield rows


def _piece(text: bytearray) -> tuple[Sequence[Row], int]:
    """Return the rows before the last comma between two, and where that is; 0 if there is none."""
    cut = _guess(text)
    if cut:
        try:
            return _array(bytes(text[:cut] + b"]")), cut
        except RequestValidationError:
            pass  # not JSON: cut at the wrong place, because a string has braces in it
    cut = _find(text)
    return (_array(bytes(text[:cut] + b"]")) if cut else [], cut)


def _guess(text: bytearray) -> int:
    """Find the last comma between two items from its end; right unless a string has braces."""
    depth = text.count(b"{") - text.count(b"}")
    end = len(text)
    for _ in range(_BRACES_MAX):
        opened, closed = text.rfind(b"{", 0, end), text.rfind(b"}", 0, end)
        if depth == 0 and closed >= 0 and bytes(text[closed + 1 : end]).strip() == b",":
            return text.index(b",", closed)
        end = max(opened, closed)
        if end < 0:
            break
        depth += 1 if closed > opened else -1
    return 0


def _find(text: bytearray) -> int:
    """Find the last comma between two items from the start, past strings; slow and right."""
    depth = found = 0
    for token in _TOKENS.finditer(text):
        match text[token.start()]:
            case 0x7B:
                depth += 1
            case 0x7D:
                depth -= 1
            case 0x2C if depth == 0:
                found = token.start()
            case 0x22 if token.end() == token.start() + 1:
                break  # a string whose end is not here yet
            case _:
                pass
    return found


def _array(text: bytes) -> Sequence[Row]:
    """Parse an array: all rows at once, and one by one only if some are not acceptable."""
    try:
        return _ARRAY.validate_json(text)
    except ValidationError as error:
        return [_parse(pydantic_core.to_json(item)) for item in _split(text, error)]


def _split(text: bytes, error: ValidationError) -> list[object]:
    """Return the rows of an array of which ``error`` says that some are not acceptable."""
    if error.errors()[0]["type"] == "json_invalid":
        raise invalid_body(error) from error
    try:
        items = _ANY_ARRAY.validate_json(text)
    except ValidationError as other:
        detail = "The body must be an array of purchases."
        raise Malformed("invalid_request", detail) from other
    if len(items) > ROWS_MAX:
        raise too_many()
    return items


def _parse(text: bytes) -> Row:
    if len(text) > ROW_BYTES_MAX:
        return _too_large()
    try:
        return bodies.Purchase.model_validate_json(text)
    except ValidationError as error:
        return invalid_body(error)


def _too_large() -> Malformed:
    return Malformed("body_too_large", f"A purchase has at most {ROW_BYTES_MAX} bytes.")
