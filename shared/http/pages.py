"""Lists in pages: ``limit`` and an opaque ``cursor`` in, ``{data, next_cursor}`` out."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, TypeAdapter, ValidationError

from shared.errors import Malformed

Item = TypeVar("Item")
Position = TypeVar("Position")

LIMIT_MAX = 100

Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="Most items of one page.")]
"""Use as ``limit: Limit = 50``."""
CursorText = Annotated[
    str | None, Query(max_length=512, description="`next_cursor` of the page before.")
]
"""Use as ``cursor: CursorText = None``."""


class Page(BaseModel, Generic[Item]):
    """One page of a list; ``next_cursor`` is null on the last."""

    data: list[Item]
    next_cursor: str | None = None


class Cursor(Generic[Position]):
    """Encodes the place of a row in its order, such as ``Cursor(tuple[datetime, UUID])``.

    Opaque, not secret: a position holds nothing that the caller has not just seen, and a forged
    one can only start the caller's own list elsewhere.
    """

    def __init__(self, shape: type[Position]) -> None:
        """``shape`` is the type of a position."""
        self._adapter: TypeAdapter[Position] = TypeAdapter(shape)

    def encode(self, position: Position) -> str:
        """Return the text that stands for ``position``."""
        return base64.urlsafe_b64encode(self._adapter.dump_json(position)).decode().rstrip("=")

    def decode(self, text: str | None) -> Position | None:
        """Return the position, None for the first page; raises ``Malformed``."""
        if text is None:
            return None
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            return self._adapter.validate_json(raw)
        except (binascii.Error, ValueError, ValidationError) as error:
            raise Malformed(
                "invalid_cursor",
                "The cursor is not one of ours.",
                errors=[{"field": "cursor", "message": "must be a next_cursor that we gave"}],
            ) from error

    def page(
        self, rows: Sequence[Item], limit: int, position: Callable[[Item], Position]
    ) -> Page[Item]:
        """Make a page of ``rows``, of which the caller has read ``limit + 1``."""
        shown = list(rows[:limit])
        more = len(rows) > limit
        return Page(data=shown, next_cursor=self.encode(position(shown[-1])) if more else None)
