"""Codes of gift cards: readable, checked, and as random as what they are made of."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from services.loyalty.domain import gift_codes

DIGESTS = st.binary(min_size=32, max_size=32)


@given(DIGESTS)
def test_a_code_is_read_as_it_is_printed_and_as_it_is_typed(digest: bytes) -> None:
    code = gift_codes.from_digest(digest)
    printed = gift_codes.grouped(code)

    assert gift_codes.read(printed) == code
    assert gift_codes.read(printed.lower().replace("-", " ")) == code
    assert gift_codes.read(printed.replace("8", "B").replace("5", "s").replace("2", "Z")) == code
    assert gift_codes.masked(code[-4:]) == "****-****-****-" + code[-4:]


@given(DIGESTS)
def test_any_one_wrong_character_and_any_two_that_changed_places_are_noticed(
    digest: bytes,
) -> None:
    code = gift_codes.from_digest(digest)
    wrong = [
        code[:at] + other + code[at + 1 :]
        for at in range(gift_codes.LENGTH)
        for other in gift_codes.ALPHABET
        if other != code[at]
    ]
    for one, two in combinations(range(gift_codes.LENGTH), 2):
        if code[one] != code[two]:
            turned = list(code)
            turned[one], turned[two] = turned[two], turned[one]
            wrong.append("".join(turned))

    assert [one for one in wrong if gift_codes.read(one)] == []


def test_a_code_has_more_than_60_random_bits_in_characters_that_look_different() -> None:
    assert len(gift_codes.ALPHABET) ** (gift_codes.LENGTH - 1) > 2**72
    assert set(gift_codes.ALPHABET).isdisjoint("01OISBZ")


def test_other_text_is_no_code() -> None:
    assert gift_codes.read("") is None
    assert gift_codes.read("FRA9-9GX5-WN52") is None
    assert gift_codes.read("0RA9-9GX5-WN52-EC22") is None
