"""A stream of bytes becomes rows: NDJSON, or CSV by RFC 4180, never more than one row at a time."""

import csv
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import pydantic_core

from shared.errors import Malformed
from shared.imports.kinds import Cells, Kind

ROW_BYTES_MAX = 256 * 1024
"""Of a line of NDJSON, a CSV record, or a group of them."""
NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl")
CSV = ("text/csv", "application/csv")

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Row:
    """One row as JSON, or why it is none. ``row_no`` is the line that it begins in, from 1."""

    row_no: int
    body: bytes
    malformed: Malformed | None = None


def rows(kind: Kind, stream: AsyncIterator[bytes], media_type: str) -> AsyncIterator[Row]:
    """Return the rows of an upload.

    Raises ``Malformed`` (while it is read, too) where the rest of the file can not be understood:
    an unknown media type or column, a row above the limit, a quote that is never closed.
    """
    lines = _lines(stream)
    if media_type in NDJSON:
        return _ndjson(lines)
    if media_type in CSV:
        return _csv(kind, lines) if not kind.group else _groups(kind, lines)
    detail = f"Send {CSV[0]} or {NDJSON[0]}, and say which in Content-Type."
    raise Malformed("import_format", detail)


async def _lines(stream: AsyncIterator[bytes]) -> AsyncIterator[tuple[int, bytes]]:
    number, rest, first = 0, b"", True
    async for part in stream:
        *whole, rest = (rest + part).split(b"\n")
        for line in whole:
            number += 1
            yield number, line.removeprefix(_BOM) if first else line
            first = False
        if len(rest) > ROW_BYTES_MAX:
            raise _too_long(number + 1)
    if rest:
        yield number + 1, rest.removeprefix(_BOM) if first else rest


async def _ndjson(lines: AsyncIterator[tuple[int, bytes]]) -> AsyncIterator[Row]:
    async for number, line in lines:
        if len(line) > ROW_BYTES_MAX:
            raise _too_long(number)
        if line.strip():
            yield Row(number, line)


async def _records(lines: AsyncIterator[tuple[int, bytes]]) -> AsyncIterator[tuple[int, bytes]]:
    """Join lines that belong together: a record has an even number of quotes (RFC 4180, 2.6)."""
    begun, record = 0, b""
    async for number, line in lines:
        if record:
            record += b"\n" + line
        else:
            begun, record = number, line
        if len(record) > ROW_BYTES_MAX:
            raise _too_long(begun)
        if record.count(b'"') % 2:
            continue
        if record.strip():
            yield begun, record.removesuffix(b"\r")
        record = b""
    if record:
        detail = f"The quote that opens in line {begun} is never closed."
        raise Malformed("import_format", detail)


async def _cells(
    kind: Kind, lines: AsyncIterator[tuple[int, bytes]]
) -> AsyncIterator[tuple[int, Cells | Malformed]]:
    header: list[str] = []
    async for number, record in _records(lines):
        values = _split(record)
        if not header:
            if isinstance(values, Malformed):
                raise values
            header = _header(kind, values)
        elif isinstance(values, Malformed):
            yield number, values
        elif len(values) != len(header):
            detail = f"The line has {len(values)} cells, the header {len(header)}."
            yield number, Malformed("import_format", detail)
        else:
            yield (
                number,
                {name: value for name, value in zip(header, values, strict=True) if value != ""},
            )
    if not header:
        raise Malformed("import_format", "The file is empty: a CSV file begins with its columns.")


def _split(record: bytes) -> list[str] | Malformed:
    try:
        return next(csv.reader([record.decode()], strict=True))
    except UnicodeDecodeError:
        return Malformed("import_format", "The line is not UTF-8.")
    except csv.Error as error:
        return Malformed("import_format", f"The line is not CSV by RFC 4180: {error}.")


def _header(kind: Kind, names: Sequence[str]) -> list[str]:
    cleaned = [name.strip() for name in names]
    errors = [
        *(
            {"field": name, "message": "is no column"}
            for name in cleaned
            if name not in kind.columns
        ),
        *(
            {"field": name, "message": "is missing"}
            for name in kind.required
            if name not in cleaned
        ),
    ]
    if len(set(cleaned)) < len(cleaned):
        errors.append({"field": "header", "message": "names a column twice"})
    if errors:
        known = ", ".join(kind.columns)
        detail = f"The columns do not fit; a file of {kind.name} may have {known}."
        raise Malformed("import_format", detail, errors=errors)
    return cleaned


async def _csv(kind: Kind, lines: AsyncIterator[tuple[int, bytes]]) -> AsyncIterator[Row]:
    async for number, cells in _cells(kind, lines):
        if isinstance(cells, Malformed):
            yield Row(number, b"", cells)
        else:
            yield _row(kind, number, [cells])


async def _groups(kind: Kind, lines: AsyncIterator[tuple[int, bytes]]) -> AsyncIterator[Row]:
    """Gather neighbouring records of one group; a bad one among them spoils its group alone."""
    begun, gathered, size = 0, list[Cells](), 0
    spoilt: Malformed | None = None
    async for number, cells in _cells(kind, lines):
        if isinstance(cells, Malformed):
            if not gathered:
                yield Row(number, b"", cells)
            else:
                spoilt = cells
            continue
        if gathered and any(cells.get(name) != gathered[0].get(name) for name in kind.group):
            yield Row(begun, b"", spoilt) if spoilt else _row(kind, begun, gathered)
            gathered, size, spoilt = [], 0, None
        if not gathered:
            begun = number
        size += sum(map(len, cells.values()))
        if size > ROW_BYTES_MAX:
            raise _too_long(begun)
        gathered.append(cells)
    if gathered:
        yield Row(begun, b"", spoilt) if spoilt else _row(kind, begun, gathered)


def _row(kind: Kind, row_no: int, records: Sequence[Cells]) -> Row:
    try:
        return Row(row_no, pydantic_core.to_json(kind.body(records)))
    except Malformed as error:
        return Row(row_no, b"", error)


def _too_long(row_no: int) -> Malformed:
    detail = f"The row that begins in line {row_no} has more than {ROW_BYTES_MAX} bytes."
    return Malformed("import_format", detail)
