"""What is wrong with a row, in the terms of the report: a field, a code, a sentence."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic import ValidationError

from shared.errors import Malformed, PerennialError, Refused

PER_ROW_MAX = 10
"""Most problems told of one row; mending these shows the next."""


@dataclass(frozen=True, slots=True)
class RowProblem:
    """One problem of one row. ``field`` is None where it is the row as a whole."""

    row_no: int
    """The line of the file in which the row begins, counted from 1."""
    ordinal: int
    field: str | None
    code: str
    message: str


def of_validation(row_no: int, error: ValidationError) -> list[RowProblem]:
    """Name the fields that a row's model refused; never what was in them."""
    found: list[RowProblem] = []
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    for ordinal, one in enumerate(errors[:PER_ROW_MAX]):
        code = "malformed_json" if one["type"] == "json_invalid" else "invalid_request"
        field = ".".join(map(str, one["loc"])) or None
        found.append(RowProblem(row_no, ordinal, field, code, one["msg"]))
    return found


def of_error(row_no: int, error: PerennialError) -> list[RowProblem]:
    """Name what a rule refused, field by field where it said so."""
    named = error.errors if isinstance(error, Malformed) else ()
    if named:
        return [
            RowProblem(row_no, ordinal, str(one["field"]), error.code, str(one["message"]))
            for ordinal, one in enumerate(named[:PER_ROW_MAX])
        ]
    fields = _fields(error)[:PER_ROW_MAX] or [None]
    return [
        RowProblem(row_no, ordinal, field, error.code, error.detail)
        for ordinal, field in enumerate(fields)
    ]


def _fields(error: PerennialError) -> list[str | None]:
    extra: Mapping[str, Any] = error.extra if isinstance(error, Refused) else {}
    return [str(one) for one in cast("Iterable[object]", extra.get("fields", ()))]
