"""Forms as a shop would write them, and how tests send them."""

from typing import Any
from uuid import uuid4

import httpx

from tests.service.ingest.conftest import ADMIN, bearer

ADMINS = bearer(ADMIN)


def both(english: str, german: str) -> dict[str, str]:
    """Return a text in the two languages of the examples."""
    return {"en": english, "de": german}


EMAIL = {"name": "email", "kind": "email", "required": True, "label": both("E-mail", "E-Mail")}
PHONE = {"name": "phone", "kind": "phone", "label": both("Phone", "Telefon")}
NAME = {"name": "name", "kind": "name", "label": both("Your name", "Ihr Name")}
MESSAGE = {
    "name": "message",
    "kind": "text",
    "required": True,
    "chars_max": 200,
    "label": both("Your message", "Ihre Nachricht"),
    "hint": both("What may we do for you?", "Was können wir tun?"),
}
NEWSLETTER = {
    "purpose": "marketing",
    "channel": "email",
    "wording": both(
        "Yes, send me offers by e-mail, at most once a week.",
        "Ja, schicken Sie mir Angebote per E-Mail, höchstens einmal pro Woche.",
    ),
}
SMS = {
    "purpose": "marketing",
    "channel": "sms",
    "wording": both("Yes, send me offers by SMS.", "Ja, schicken Sie mir Angebote per SMS."),
}


def form_body(kind: str = "contact", **changes: Any) -> dict[str, Any]:
    """Return a form of ``kind`` in English and German, with ``changes``."""
    fields = {
        "sign_up": [NAME, EMAIL, PHONE],
        "contact": [NAME, EMAIL, MESSAGE],
        "sweepstakes": [NAME, EMAIL, PHONE],
    }[kind]
    texts = {
        "en": {
            "title": "Join us",
            "submit": "Send",
            "thanks": "Thank you!",
            "intro": "Hello.\n\nHi.",
        },
        "de": {"title": "Mitmachen", "submit": "Senden", "thanks": "Vielen Dank!"},
    }
    rules = {"period": "day", "time_zone": "Europe/Berlin", "one_entry_per": ["email"]}
    return {
        "kind": kind,
        "label": "Autumn",
        "source": "autumn-flyer",
        "country": "DE",
        "texts": texts,
        "fields": fields,
        "consents": [NEWSLETTER] if kind == "contact" else [NEWSLETTER, SMS],
        **({"sweepstakes": rules} if kind == "sweepstakes" else {}),
    } | changes


ANSWERS = {
    "sign_up": {"name": "Ann Lee", "email": "Ann@Example.org", "phone": "030 1234567"},
    "contact": {"name": "Ann Lee", "email": "ann@example.org", "message": "My tea was cold."},
    "sweepstakes": {"name": "Ann Lee", "email": "ann@example.org"},
}


def submission_body(kind: str = "contact", **changes: Any) -> dict[str, Any]:
    """Return that form filled in, with ``changes``."""
    return {
        "submission_id": str(uuid4()),
        "version": 1,
        "language": "en",
        "answers": ANSWERS[kind],
        "consents": [{"purpose": "marketing", "channel": "email"}],
    } | changes


async def put_form(
    client: httpx.AsyncClient, kind: str = "contact", *, form_id: str = "autumn", **changes: Any
) -> dict[str, Any]:
    """Publish a form and return the answer."""
    body = form_body(kind, **changes)
    answer = await client.put(f"/v1/forms/{form_id}", json=body, headers=ADMINS)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def send(
    client: httpx.AsyncClient, body: dict[str, Any], *, form_id: str = "autumn"
) -> httpx.Response:
    """Send a submission as the terminal."""
    return await client.post(f"/v1/forms/{form_id}/submissions", json=body)


async def listed(client: httpx.AsyncClient, *, form_id: str = "autumn") -> list[dict[str, Any]]:
    """Return all submissions as the staff sees them."""
    answer = await client.get(f"/v1/forms/{form_id}/submissions?limit=100", headers=ADMINS)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]
