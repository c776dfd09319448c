"""Unsubscribe tokens: nobody can make one up or bend one."""

import base64
from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain import matrix, tokens
from services.notify.domain.tokens import Leave

KEY = b"k" * 32
OTHER = b"o" * 32
LEAVE = Leave(uuid4(), "offers", "email", uuid4())


@pytest.mark.parametrize("topic", matrix.TOPICS)
@pytest.mark.parametrize("channel", matrix.CHANNELS)
def test_token_says_what_was_signed(topic: matrix.Topic, channel: matrix.Channel) -> None:
    leave = replace(LEAVE, topic=topic, channel=channel)
    assert tokens.read(tokens.sign(leave, KEY), [KEY]) == leave


def test_token_is_safe_in_a_path() -> None:
    token = tokens.sign(LEAVE, KEY)
    assert len(token) == tokens.LENGTH
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(st.integers(min_value=0, max_value=51 * 8 - 1))
def test_one_bent_bit_makes_a_token_worthless(bit: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(tokens.sign(LEAVE, KEY)))
    raw[bit // 8] ^= 1 << bit % 8
    assert tokens.read(base64.urlsafe_b64encode(bytes(raw)).decode(), [KEY]) is None


@given(st.text(max_size=100))
def test_made_up_tokens_are_worthless(token: str) -> None:
    assert tokens.read(token, [KEY]) is None


def test_made_up_token_of_the_right_shape_is_worthless() -> None:
    assert tokens.read(base64.urlsafe_b64encode(b"\x01" * 51).decode(), [KEY]) is None
    assert tokens.read("é" * tokens.LENGTH, [KEY]) is None


def test_links_of_an_older_key_still_work_until_it_is_removed() -> None:
    old = tokens.sign(LEAVE, OTHER)
    assert tokens.read(old, [KEY, OTHER]) == LEAVE
    assert tokens.read(old, [KEY]) is None
