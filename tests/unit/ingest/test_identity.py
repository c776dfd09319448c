"""Identifiers have one normal form and a keyed hash."""

import pytest

from shared import identity
from shared.errors import Malformed


@pytest.mark.parametrize(
    ("kind", "value", "region", "normal"),
    [
        ("card", " 9840001234\n", None, "9840001234"),
        ("card", "AbC", None, "AbC"),
        ("app_id", "x-1", None, "x-1"),
        ("email", " Ann.Lee@Example.ORG ", None, "ann.lee@example.org"),
        ("phone", "+1 (202) 555-0143", None, "+12025550143"),
        ("phone", "(202) 555-0143", "US", "+12025550143"),
        ("phone", "030 901820", "DE", "+4930901820"),
        (
            "member_id",
            "018F0000-0000-7000-8000-000000000001",
            None,
            "018f0000-0000-7000-8000-000000000001",
        ),
    ],
)
def test_identifier_has_one_normal_form(
    kind: str, value: str, region: str | None, normal: str
) -> None:
    assert identity.normalise(kind, value, region=region) == normal


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("card", "  "),
        ("card", "a\0b"),
        ("card", "9" * 255),
        ("email", "ann"),
        ("email", "ann@host"),
        ("email", "a b@example.org"),
        ("phone", "(202) 555-0143"),
        ("phone", "+1"),
        ("phone", "ann"),
        ("member_id", "1"),
        ("passport", "1"),
    ],
)
def test_what_can_not_be_an_identifier_is_malformed_and_not_repeated(kind: str, value: str) -> None:
    with pytest.raises(Malformed) as refusal:
        identity.normalise(kind, value)
    assert refusal.value.errors[0]["field"] == f"member.{kind}"
    assert value not in str(refusal.value.errors)


def test_hash_depends_on_key_and_kind() -> None:
    hashes = {
        identity.identifier_hmac(key, kind, "1")
        for key in (b"a" * 32, b"b" * 32)
        for kind in ("card", "app_id")
    }
    assert len(hashes) == 4
    assert all(len(one) == 64 for one in hashes)


def test_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        identity.read_key("ab" * 31)
