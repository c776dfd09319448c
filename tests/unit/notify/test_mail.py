"""Mails: what the headers say, and what can not get into them."""

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import SMTP
from uuid import UUID

import pytest

from services.notify.domain import mail, wording
from services.notify.domain.mail import Letter, UnusableAddress

SENDER = mail.address("hello@perennial.example", "Perennial")
AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
URL = "https://shop.example/u/" + "t" * 68
LETTER = Letter(
    message_id=UUID(int=7),
    to_address="ada@example.org",
    to_name="Ada Example",
    subject="Für dich: 2 offers",
    html="<p>Hällo</p>" + "x" * 3_000,
    text="Hällo",
    unsubscribe_url=URL,
)


def test_mail_offers_the_one_click_way_out() -> None:
    raw = mail.compose(LETTER, sender=SENDER, at=AT).as_bytes()
    parsed = message_from_bytes(raw, policy=SMTP)
    assert parsed["List-Unsubscribe"] == f"<{URL}>"
    assert parsed["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    # Unfolded and unencoded on the wire: some providers read no further.
    assert f"List-Unsubscribe: <{URL}>\r\n".encode() in raw


def test_mail_has_text_and_html_and_a_lasting_id() -> None:
    parsed = message_from_bytes(mail.compose(LETTER, sender=SENDER, at=AT).as_bytes(), policy=SMTP)
    assert parsed["Message-ID"] == f"<{UUID(int=7)}@perennial.example>"
    assert parsed["Subject"] == "Für dich: 2 offers"
    assert parsed["To"] == "Ada Example <ada@example.org>"
    plain, html = parsed.iter_parts()
    assert plain.get_content().strip() == "Hällo"
    assert "Hällo" in html.get_content()


def test_no_line_is_longer_than_smtp_allows() -> None:
    raw = mail.compose(LETTER, sender=SENDER, at=AT).as_bytes()
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")


def test_service_mail_has_no_way_out() -> None:
    composed = mail.compose(replace(LETTER, unsubscribe_url=None), sender=SENDER, at=AT)
    assert composed["List-Unsubscribe"] is None
    assert composed["List-Unsubscribe-Post"] is None


@pytest.mark.parametrize(
    "bad",
    ["ada@example.org\r\nBcc: eve@example.org", "ada", "", "@", "ada@", "a@b, c@d", "<a@b.c>",
     "ada@exämple.org", "ada@example.org\n", "ada example@example.org"],
)  # fmt: skip
def test_bad_addresses_are_refused(bad: str) -> None:
    with pytest.raises(UnusableAddress):
        mail.compose(replace(LETTER, to_address=bad), sender=SENDER, at=AT)


def test_a_name_can_not_begin_another_header() -> None:
    evil = replace(LETTER, to_name='Ada"\r\nBcc: eve@example.org\r\n')
    parsed = message_from_bytes(mail.compose(evil, sender=SENDER, at=AT).as_bytes(), policy=SMTP)
    assert parsed["Bcc"] is None
    assert [one.addr_spec for one in parsed["To"].addresses] == ["ada@example.org"]


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (500, "USD", "5.00 USD"),
        (5, "EUR", "0.05 EUR"),
        (500, "JPY", "500 JPY"),
        (1_234_567, "KWD", "1,234.567 KWD"),
        (-150, "USD", "-1.50 USD"),
    ],
)
def test_money_has_its_currencys_decimals(amount: int, currency: str, shown: str) -> None:
    assert wording.money(amount, currency) == shown


def test_days_are_the_members_own() -> None:
    midnight = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)
    assert wording.day(midnight, "America/New_York") == "29 November 2026"
    assert wording.day(midnight, None) == "30 November 2026"
    assert wording.day(midnight, "No/Where") == "30 November 2026"
    assert wording.day(midnight, "../etc/passwd") == "30 November 2026"
