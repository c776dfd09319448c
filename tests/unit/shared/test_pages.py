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
def test_a_cursor_comes_back_as_it_was(at: datetime, row: UUID):
    assert PLACE.decode(PLACE.encode((at, row))) == (at, row)


def test_no_cursor_is_the_first_page():
    assert PLACE.decode(None) is None


@given(st.text(max_size=60))
def test_any_other_text_is_malformed_and_nothing_worse(text: str):
    with pytest.raises(Malformed) as caught:
        PLACE.decode(text)
    assert caught.value.code == "invalid_cursor"


def test_pages_end_where_the_rows_do():
    numbers = Cursor(int)
    page = numbers.page([1, 2, 3], 2, lambda row: row)
    assert page.data == [1, 2]
    assert numbers.decode(page.next_cursor) == 2
    assert numbers.page([1, 2], 2, lambda row: row).next_cursor is None
    assert numbers.page([], 2, lambda row: row).data == []
