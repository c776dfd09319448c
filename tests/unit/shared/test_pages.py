"""Cursors."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Malformed
from shared.http.pages import Cursor

PLACE = Cursor(tuple[datetime, UUID])


@given(st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_a_cursor_comes_back_as_it_was(at: datetime, row: UUID) -> None:
    assert PLACE.decode(PLACE.encode((at, row))) == (at, row)


def test_no_cursor_is_the_first_page() -> None:
    assert PLACE.decode(None) is None


@given(st.text(max_size=60))
def test_any_other_text_is_malformed_and_nothing_worse(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        PLACE.decode(text)
    assert caught.value.code == "invalid_cursor"


def test_pages_end_where_the_rows_do() -> None:
    numbers = Cursor(int)
    page = numbers.page([1, 2, 3], 2, int)
    assert page.data == [1, 2]
    assert numbers.decode(page.next_cursor) == 2
    assert numbers.page([1, 2], 2, int).next_cursor is None
    assert numbers.page(list[int](), 2, int).data == []
