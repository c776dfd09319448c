"""Rules of forms: periods, languages, who entered, which consents bind; and the page's token."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain import forms, tokens
from services.ingest.domain.forms import Form, Period, Sweepstakes, Texts
from services.ingest.domain.tokens import Shown
from shared import ids

KEY = b"k" * 32
AT = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
SHOWN = Shown(version=7, language="de-CH", shown_at=AT, nonce=b"n" * 16)


def form(*languages: str) -> Form:
    texts = Texts(title="T", intro="", submit="S", thanks="Th")
    return Form(
        kind="contact",
        label="L",
        source="s",
        country=None,
        texts=dict.fromkeys(languages, texts),
        fields=(),
        consents=(),
        sweepstakes=None,
        opens_at=None,
        closes_at=None,
        previous_valid_minutes=60,
        retention_days=365,
        hosted=True,
    )


@pytest.mark.parametrize(
    ("period", "at", "expected"),
    [
        ("once", "2026-11-22T14:00:00+00:00", "once"),
        ("day", "2026-11-22T22:59:59+00:00", "2026-11-22"),
        ("day", "2026-11-22T23:00:00+00:00", "2026-11-23"),
        ("day", "2026-10-24T22:00:00+00:00", "2026-10-25"),  # the day of 25 hours
        ("day", "2026-10-25T22:59:59+00:00", "2026-10-25"),
        ("week", "2027-01-03T22:59:59+00:00", "2026-W53"),
        ("week", "2027-01-03T23:00:00+00:00", "2027-W01"),
        ("month", "2026-11-30T22:59:59+00:00", "2026-11"),
        ("month", "2026-11-30T23:00:00+00:00", "2026-12"),
    ],
)
def test_periods_are_those_of_the_zone(period: Period, at: str, expected: str) -> None:
    rules = Sweepstakes(period, "Europe/Berlin", ("email",))

    assert forms.period_of(rules, datetime.fromisoformat(at)) == expected


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("", "en"),
        ("*", "en"),
        ("de", "de"),
        ("de-AT,en;q=0.5", "de"),
        ("fr;q=0.2, de;q=0.9", "de"),
        ("pt", "pt-BR"),
        ("pt-PT", "pt-BR"),
        ("it, ru", "en"),
        ("de;q=0, pt-BR;q=0.1", "pt-BR"),
        ("de;q=nonsense", "en"),
        ("DE", "de"),
    ],
)
def test_the_closest_language_is_shown(accepted: str, expected: str) -> None:
    offered = form("en", "de", "pt-BR")

    assert forms.language(offered, tokens.languages_of(accepted)) == expected


def test_entries_count_by_address_without_its_tag() -> None:
    rules = Sweepstakes("once", "UTC", ("email", "card"))

    assert forms.entrants(rules, {"email": "ann+a+b@example.org", "phone": "+49"}) == [
        ("email", "ann@example.org")
    ]
    assert forms.entrants(rules, {"email": "+@example.org"}) == [("email", "+@example.org")]


def test_a_consent_binds_only_whom_the_address_belongs_to() -> None:
    asked = [("marketing", "email"), ("marketing", "sms"), ("service", "inbox")]

    assert forms.binding(asked, ["email"]) == [asked[0], asked[2]]
    assert forms.binding(asked, ["card", "phone"]) == [asked[1], asked[2]]


def test_of_two_members_the_card_decides() -> None:
    ann, bob = ids.new_id(), ids.new_id()

    assert forms.owner_of({"email": ann, "card": bob}) == (bob, ("card",))
    assert forms.owner_of({"email": ann, "phone": ann}) == (ann, ("email", "phone"))
    assert forms.owner_of({}) == (None, ())


def test_a_token_says_what_was_shown_for_a_day() -> None:
    token = tokens.sign(SHOWN, "autumn", KEY)

    assert tokens.read(token, "autumn", KEY, at=AT + timedelta(hours=24)) == SHOWN
    assert tokens.read(token, "autumn", KEY, at=AT + timedelta(hours=24, seconds=1)) is None
    assert tokens.read(token, "autumn", KEY, at=AT - timedelta(seconds=1)) is None


def test_a_token_is_good_for_its_form_and_key_alone() -> None:
    token = tokens.sign(SHOWN, "autumn", KEY)

    assert tokens.read(token, "winter", KEY, at=AT) is None
    assert tokens.read(token, "autumn", b"o" * 32, at=AT) is None


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_token_with_one_byte_changed_is_none(place: int, change: int) -> None:
    raw = bytearray(tokens._decoded(tokens.sign(SHOWN, "autumn", KEY)))
    raw[place % len(raw)] ^= change
    forged = tokens.base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("=")

    assert tokens.read(forged, "autumn", KEY, at=AT) is None


@given(st.text(max_size=250))
def test_anything_else_is_no_token(text: str) -> None:
    assert tokens.read(text, "autumn", KEY, at=AT) is None


def test_another_page_is_another_submission() -> None:
    other = Shown(version=7, language="de-CH", shown_at=AT, nonce=b"m" * 16)

    assert SHOWN.submission_id != other.submission_id
    assert SHOWN.submission_id == tokens.Shown(8, "en", AT, b"n" * 16).submission_id
