"""What can be imported: the shape of a row, its CSV form, and the handler of a chunk."""

import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from shared.db import Tx
from shared.errors import PerennialError

Outcome = Literal["applied", "unchanged"] | PerennialError
"""What became of one row; an error says why it was refused, and that nothing of it was written."""

Cells = Mapping[str, str]
"""A CSV record by column; empty cells are left out."""

Apply = Callable[[Tx, Sequence[Any], Any], Awaitable[Sequence[Outcome]]]
"""``(tx, rows, context)``: applies rows of the kind's model and answers each, in order.

Rows that are there already must be ``unchanged``: a file may be sent twice. Raises
``Unavailable`` to have the whole chunk done again.
"""


@dataclass(frozen=True)
class Kind:
    """One kind of import."""

    name: str
    """As in the path: ``/v1/imports/<name>``."""
    row: type[BaseModel]
    """What a row must be; a line of NDJSON is its JSON."""
    columns: tuple[str, ...]
    """Columns that a CSV file may have."""
    required: tuple[str, ...]
    """Columns that it must have."""
    body: Callable[[Sequence[Cells]], Mapping[str, object]]
    """Makes the row's JSON of its CSV records: one, or all of a group."""
    apply: Apply
    group: tuple[str, ...] = ()
    """Columns by whose values neighbouring records belong to one row; none, one record a row."""


_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)


def values(cells: Cells, whole: Collection[str] = ()) -> dict[str, object]:
    """Return the cells as JSON values: columns in ``whole`` as numbers, where they are some.

    What is no whole number stays text, and the row's model says so.
    """
    return {
        name: int(text) if name in whole and _WHOLE.fullmatch(text) else text
        for name, text in cells.items()
    }
