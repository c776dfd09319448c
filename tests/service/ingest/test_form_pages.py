"""Hosted forms over HTTP: usable without scripts, accessible, and hard to abuse."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio

from shared.clock import FixedClock
from shared.db import Database
from tests.service.ingest.conftest import NOW, published
from tests.service.ingest.form_examples import (
    EMAIL,
    MESSAGE,
    NAME,
    both,
    form_body,
    listed,
    put_form,
)
from tests.service.ingest.pages import Page, post, visit

SIZES = {
    "name": "size",
    "kind": "choice",
    "label": both("Size", "Größe"),
    "options": [{"value": one, "label": both(one, one)} for one in ("s", "m", "l")],
}
CITIES = SIZES | {
    "name": "city",
    "label": both("City", "Stadt"),
    "options": [{"value": f"c{one}", "label": both(f"C{one}", f"S{one}")} for one in range(9)],
}
RULES = {
    "name": "rules",
    "kind": "choice",
    "required": True,
    "label": both("Rules", "Regeln"),
    "options": [{"value": "yes", "label": both("I have read them", "Ich habe sie gelesen")}],
}
BIRTH = {"name": "born", "kind": "birth_date", "label": both("Born", "Geboren")}


@pytest_asyncio.fixture
async def public(client: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """A visitor without a key."""
    async with httpx.AsyncClient(transport=client._transport, base_url="http://ingest") as visitor:
        yield visitor


async def test_a_visitor_sends_a_form_and_is_thanked_in_their_language(
    client: httpx.AsyncClient, public: httpx.AsyncClient, db: Database
) -> None:
    await put_form(client)
    page = await visit(public, languages="de-AT, en;q=0.5")
    sent = page.filled(
        email="ann@example.org", message="Tee\r\nkalt", name="", c_marketing_email="yes"
    )

    answer = await post(public, sent)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/f/autumn/thanks?lang=de")
    thanks = await visit(public, answer.headers["Location"])
    assert "Vielen Dank!" in thanks.words
    (seen,) = await listed(client)
    assert seen["answers"] == {"email": "ann@example.org", "message": "Tee\nkalt"}
    assert seen["consents"] == [{"purpose": "marketing", "channel": "email"}]
    assert (seen["via"], seen["language"], seen["source"]) == (
        "hosted", "de", {"page": "/f/autumn"},
    )  # fmt: skip
    assert len(await published(db)) == 1


async def test_every_control_has_a_label_and_the_wording_is_shown_word_by_word(
    client: httpx.AsyncClient, public: httpx.AsyncClient
) -> None:
    fields = [NAME, EMAIL, MESSAGE, SIZES, CITIES, RULES, BIRTH]
    await put_form(client, fields=fields)

    page = await visit(public)

    shown = [
        given
        for tag, given in page.tags
        if tag in {"input", "textarea", "select"} and given.get("type") != "hidden"
    ]
    assert len(shown) == 3 + 3 + 1 + 1 + 1 + 1 + 1  # with the consent, and the bait
    assert all(page.labels.get(given["id"]) for given in shown)
    assert len(page.ids) == len(set(page.ids))
    assert form_body()["consents"][0]["wording"]["en"] in page.labels.values()
    assert [given.get("type") for _, given in page.tags if given.get("name") == "a.born"] == [
        "date"
    ]
    assert page.controls["a.email"]["autocomplete"] == "email"
    assert page.controls["a.message"]["aria-describedby"] == "f-message-hint"
    assert "checked" not in page.controls["c.marketing.email"]
    assert page.language == "en"
    assert "(optional)" in page.labels["f-name"]


async def test_a_page_loads_nothing_runs_nothing_and_sets_nothing(
    client: httpx.AsyncClient, public: httpx.AsyncClient
) -> None:
    await put_form(client)

    answer = await public.get("/f/autumn")
    page = Page(answer.text)

    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    style = answer.text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert '"Helvetica Neue"' in style
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "Set-Cookie" not in answer.headers
    assert page.links == []
    assert not {"script", "img", "link", "iframe"} & {tag for tag, _ in page.tags}
    assert not [one for _, given in page.tags for one in given if one.startswith("on")]


async def test_mistakes_are_summed_up_linked_and_what_was_typed_stays(
    client: httpx.AsyncClient, public: httpx.AsyncClient
) -> None:
    await put_form(client, fields=[NAME, EMAIL, MESSAGE, SIZES, RULES])
    page = await visit(public, languages="de")
    typed = page.filled(email="ann", message="Hallo <b>", size="m", c_marketing_email="yes")

    answer = await post(public, typed)
    again = Page(answer.text)

    assert answer.status_code == 422
    assert tuple(again.links) == ("#f-email", "#f-rules")
    assert set(again.links) <= {f"#{one}" for one in again.ids}
    assert again.controls["a.email"]["aria-invalid"] == "true"
    assert "f-email-error" in again.controls["a.email"]["aria-describedby"]
    assert "Bitte so schreiben: name@example.org" in again.words
    alert = next(given for _, given in again.tags if given.get("role") == "alert")
    assert {"autofocus", "tabindex"} <= alert.keys()
    assert again.filled() == typed
    corrected = again.filled(email="ann@example.org", rules="yes")
    assert (await post(public, corrected)).status_code == 303
    assert len(await listed(client)) == 1


async def test_a_double_click_is_one_submission_and_going_back_to_change_it_is_told(
    client: httpx.AsyncClient, public: httpx.AsyncClient, db: Database
) -> None:
    await put_form(client)
    sent = (await visit(public)).filled(email="ann@example.org", message="Hi")

    answers = await asyncio.gather(*(post(public, sent) for _ in range(8)))
    changed = await post(public, sent | {"a.message": "Something else"})

    assert {one.status_code for one in answers} == {303}
    assert changed.status_code == 409
    assert "sent already" in Page(changed.text).words
    assert [one["answers"]["message"] for one in await listed(client)] == ["Hi"]
    assert len(await published(db)) == 1


async def test_a_second_entry_gets_a_friendly_answer(
    client: httpx.AsyncClient, public: httpx.AsyncClient
) -> None:
    await put_form(client, "sweepstakes")
    for expected in (303, 409):
        page = await visit(public)
        answer = await post(public, page.filled(email="ann@example.org"))
        assert answer.status_code == expected

    assert "You are in already" in Page(answer.text).words
    assert len(await listed(client)) == 1


async def test_a_page_that_was_not_ours_or_too_long_open_is_shown_again_and_stores_nothing(
    client: httpx.AsyncClient, public: httpx.AsyncClient, clock: FixedClock
) -> None:
    await put_form(client)
    page = await visit(public)
    typed = page.filled(email="ann@example.org", message="Hi", c_marketing_email="yes")

    without = await post(public, {name: typed[name] for name in typed if name != "token"})
    forged = await post(public, typed | {"token": "A" * 80})
    clock.advance(timedelta(hours=25))
    expired = await post(public, typed)

    for answer in (without, forged, expired):
        again = Page(answer.text)
        assert answer.status_code == 409
        assert again.controls["a.message"]["value"] == "Hi"
        assert "checked" not in again.controls["c.marketing.email"]
    assert await listed(client) == []
    assert (await post(public, Page(expired.text).filled())).status_code == 303


async def test_a_changed_wording_is_shown_before_it_counts(
    client: httpx.AsyncClient, public: httpx.AsyncClient
) -> None:
    await put_form(client)
    typed = (await visit(public)).filled(
        email="ann@example.org", message="Hi", c_marketing_email="yes"
    )
    wording = form_body()["consents"][0] | {"wording": both("NEW WORDING", "NEUER TEXT")}
    await put_form(client, consents=[wording], previous_valid_minutes=0)

    answer = await post(public, typed)
    again = Page(answer.text)

    assert answer.status_code == 409
    assert "has changed" in again.words
    assert "NEW WORDING" in again.labels.values()
    assert "checked" not in again.controls["c.marketing.email"]
    assert (await post(public, again.filled())).status_code == 303
    (seen,) = await listed(client)
    assert (seen["version"], seen["consents"]) == (2, [])


async def test_a_machine_that_fills_everything_in_is_thanked_and_ignored(
    client: httpx.AsyncClient, public: httpx.AsyncClient
) -> None:
    await put_form(client)
    sent = (await visit(public)).filled(email="bot@example.org", message="Buy")

    answer = await post(public, sent | {"website": "http://spam.example"})

    assert answer.status_code == 303
    assert await listed(client) == []


async def test_an_address_that_sends_too_much_waits(
    client: httpx.AsyncClient, public: httpx.AsyncClient
) -> None:
    await put_form(client)
    sent = (await visit(public)).filled(email="ann@example.org", message="Hi")

    answers = [await post(public, sent) for _ in range(21)]

    assert [one.status_code for one in answers] == [303] * 20 + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert "One moment" in Page(answers[-1].text).words


async def test_nobodys_words_become_markup(
    client: httpx.AsyncClient, public: httpx.AsyncClient
) -> None:
    evil = '"><script>alert(1)</script>{{ 7*7 }}'
    await put_form(client, fields=[EMAIL | {"label": both(evil, evil)}, MESSAGE])
    page = await visit(public)

    answer = await post(public, page.filled(email=evil, message=f"</textarea>{evil}"))

    for html in (page.html, answer.text):
        assert "<script" not in html
        assert "49" not in Page(html).words
    assert Page(answer.text).controls["a.message"]["value"] == f"</textarea>{evil}"


@pytest.mark.parametrize(
    "body",
    [b"a.message=" + b"x" * 70_000, b"&".join(b"a%d=1" % one for one in range(200))],
    ids=["bytes", "controls"],
)
async def test_more_than_a_form_could_send_is_refused(
    client: httpx.AsyncClient, public: httpx.AsyncClient, body: bytes
) -> None:
    await put_form(client)

    answer = await public.post(
        "/f/autumn", content=body, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )

    assert answer.status_code == 413
    assert await listed(client) == []


async def test_bytes_that_are_no_text_do_no_harm(
    client: httpx.AsyncClient, public: httpx.AsyncClient
) -> None:
    await put_form(client)
    token = (await visit(public)).controls["token"]["value"]
    body = f"token={token}&a.email=ann%40example.org&a.message=%ff%00%ed%a0%80&a.x=%zz".encode()

    answer = await public.post(
        "/f/autumn", content=body, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )

    assert answer.status_code == 303
    assert "\x00" not in (await listed(client))[0]["answers"]["message"]


async def test_forms_that_are_closed_private_or_not_there_say_so_in_words(
    client: httpx.AsyncClient, public: httpx.AsyncClient
) -> None:
    await put_form(client, form_id="late", closes_at=NOW.isoformat())
    await put_form(client, form_id="early", opens_at=(NOW + timedelta(days=1)).isoformat())
    await put_form(client, form_id="internal", hosted=False)

    seen = {}
    for form_id in ("late", "early", "internal", "nothing", "%00"):
        answer = await public.get(f"/f/{form_id}", headers={"Accept-Language": "de"})
        assert answer.headers["Content-Type"].startswith("text/html")
        assert Page(answer.text).language == "de"
        seen[form_id] = answer.status_code

    assert seen == {"late": 409, "early": 409, "internal": 404, "nothing": 404, "%00": 404}


async def test_who_signs_up_twice_sees_the_same_page_as_the_first_time(
    client: httpx.AsyncClient, public: httpx.AsyncClient
) -> None:
    await put_form(client, "sign_up")

    answers = [
        await post(public, (await visit(public)).filled(email="ann@example.org")) for _ in range(2)
    ]

    assert answers[0].headers["Location"] == answers[1].headers["Location"]
    assert [one.status_code for one in answers] == [303, 303]
