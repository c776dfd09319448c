"""The form of API keys."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.auth import new_key, parse_key
from shared.auth.failures import FAILURES_PER_WINDOW, TRACKED_MAX, WINDOW_S, Failures
from shared.auth.keys import ALPHABET

KEY = new_key()


def test_new_keys_have_the_published_form_and_never_repeat() -> None:
    keys = {new_key() for _ in range(200)}
    assert len(keys) == 200
    for key in keys:
        prefix, key_id, rest = key.split("_")
        assert (prefix, len(key_id), len(rest)) == ("prn", 12, 38)
        assert set(key_id + rest) <= set(ALPHABET)


def test_parsed_key_keeps_only_the_hash_of_its_secret() -> None:
    parsed = parse_key(KEY)
    assert parsed is not None
    assert parsed.key_id == KEY[4:16]
    assert parsed.secret_sha256 == hashlib.sha256(KEY[17:49].encode()).hexdigest()
    assert parsed.matches(parsed.secret_sha256)
    assert not parsed.matches("0" * 64)
    assert KEY[17:49] not in repr(parsed)
    assert parsed.secret_sha256 not in repr(parsed)


@pytest.mark.parametrize(
    "text",
    ["", "prn", KEY[:-1], KEY + "0", " " + KEY, KEY + "\n", "lyt" + KEY[3:], KEY.replace("_", "-")],
    ids=["empty", "prefix", "short", "long", "space", "newline", "another prefix", "dashes"],
)
def test_what_is_no_key_is_not_parsed(text: str) -> None:
    assert parse_key(text) is None


@given(place=st.integers(4, len(KEY) - 1), letter=st.sampled_from(ALPHABET))
def test_one_mistyped_character_is_always_noticed(place: int, letter: str) -> None:
    typed = KEY[:place] + letter + KEY[place + 1 :]
    assert (parse_key(typed) is None) == (typed != KEY)


@given(st.text(max_size=80))
def test_any_text_is_refused_without_an_error(text: str) -> None:
    assert parse_key(text) is None


class Watch:
    """A clock for the limiter, turned by hand."""

    now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_failures_beyond_the_limit_wait_for_the_window_to_end() -> None:
    watch = Watch()
    failures = Failures(monotonic=watch)
    assert [failures.count("a") for _ in range(FAILURES_PER_WINDOW)] == [0.0] * FAILURES_PER_WINDOW
    watch.now += 10
    assert failures.count("a") == WINDOW_S - 10
    assert failures.count("b") == 0.0
    watch.now += WINDOW_S
    assert failures.count("a") == 0.0


def test_limiter_forgets_the_oldest_rather_than_growing() -> None:
    failures = Failures()
    for number in range(TRACKED_MAX + 50):
        failures.count(str(number))
    assert len(failures._windows) == TRACKED_MAX
