"""Forms: immutable versions, submissions once each, contact messages for the staff."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from services.ingest import app
from services.ingest.context import IngestContext
from shared.clock import FixedClock
from shared.db import Database
from shared.http.app import create_api
from tests.service.ingest.conftest import NOW, published
from tests.service.ingest.form_examples import (
    ADMINS,
    EMAIL,
    MESSAGE,
    NEWSLETTER,
    SMS,
    both,
    form_body,
    listed,
    put_form,
    send,
    submission_body,
)
from tests.service.shared.conftest import served


async def test_the_same_form_again_is_the_same_version_and_a_change_is_a_new_one(
    client: httpx.AsyncClient,
) -> None:
    first = await put_form(client)
    again = await put_form(client)
    second = await put_form(client, label="Winter")

    assert [(one["version"], one["new"]) for one in (first, again, second)] == [
        (1, True),
        (1, False),
        (2, True),
    ]
    old = await client.get("/v1/forms/autumn/versions/1", headers=ADMINS)
    assert old.json()["form"] == first["form"]
    current = await client.get("/v1/forms/autumn", headers=ADMINS)
    assert current.json()["form"]["label"] == "Winter"
    page = await client.get("/v1/forms/autumn/versions?limit=1", headers=ADMINS)
    cursor = page.json()["next_cursor"]
    rest = await client.get(f"/v1/forms/autumn/versions?limit=1&cursor={cursor}", headers=ADMINS)
    assert [page.json()["data"][0]["version"], rest.json()["data"][0]["version"]] == [2, 1]


async def test_forms_published_at_the_same_time_are_versions_one_after_another(
    client: httpx.AsyncClient,
) -> None:
    answers = await asyncio.gather(*(put_form(client, label=f"L{one}") for one in range(8)))

    assert sorted(one["version"] for one in answers) == list(range(1, 9))


async def test_a_published_version_can_be_neither_changed_nor_deleted(
    client: httpx.AsyncClient, db: Database
) -> None:
    await put_form(client)

    for statement in ("UPDATE form_version SET definition = '{}'", "DELETE FROM form_version"):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with db.transaction() as tx:
                await tx.execute(sa.text(statement))


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("contact", {"fields": [EMAIL, EMAIL]}),
        ("contact", {"fields": [EMAIL, EMAIL | {"name": "other"}]}),
        ("contact", {"fields": [EMAIL, MESSAGE | {"label": {"en": "Only English"}}]}),
        ("contact", {"fields": [EMAIL | {"kind": "choice"}]}),
        ("contact", {"consents": [NEWSLETTER, NEWSLETTER]}),
        ("contact", {"consents": [SMS]}),
        ("contact", {"consents": [NEWSLETTER | {"wording": {"en": "Only English"}}]}),
        ("contact", {"sweepstakes": form_body("sweepstakes")["sweepstakes"]}),
        ("contact", {"opens_at": "2026-12-01T00:00:00Z", "closes_at": "2026-11-01T00:00:00Z"}),
        ("sign_up", {"fields": [EMAIL | {"required": False}]}),
        ("sweepstakes", {"sweepstakes": None}),
        (
            "sweepstakes",
            {
                "sweepstakes": {
                    "period": "day",
                    "time_zone": "Europe/Berlin",
                    "one_entry_per": ["phone"],
                }
            },
        ),
        (
            "sweepstakes",
            {"sweepstakes": {"period": "day", "time_zone": "Mars", "one_entry_per": ["email"]}},
        ),
    ],
)
async def test_a_form_that_makes_no_sense_is_refused(
    client: httpx.AsyncClient, kind: str, changes: dict[str, Any]
) -> None:
    answer = await client.put("/v1/forms/autumn", json=form_body(kind, **changes), headers=ADMINS)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert (await client.get("/v1/forms/autumn", headers=ADMINS)).status_code == 404


async def test_what_entries_are_counted_by_is_fixed(client: httpx.AsyncClient) -> None:
    await put_form(client, "sweepstakes")
    rules = {"period": "week", "time_zone": "Europe/Berlin", "one_entry_per": ["email"]}

    answer = await client.put(
        "/v1/forms/autumn", json=form_body("sweepstakes", sweepstakes=rules), headers=ADMINS
    )

    assert (answer.status_code, answer.json()["code"]) == (409, "form_rules_fixed")


async def test_an_older_version_counts_for_the_stated_time(
    client: httpx.AsyncClient, clock: FixedClock
) -> None:
    await put_form(client)
    await put_form(client, label="Winter", previous_valid_minutes=30)

    clock.advance(timedelta(minutes=29))
    in_time = await send(client, submission_body())
    clock.advance(timedelta(minutes=1))
    late = await send(client, submission_body())
    current = await send(client, submission_body(version=2))
    unknown = await send(client, submission_body(version=3))

    assert (in_time.status_code, current.status_code) == (202, 202)
    assert (late.status_code, late.json()["code"]) == (409, "form_version_outdated")
    assert (unknown.status_code, unknown.json()["code"]) == (422, "form_version_unknown")
    assert [one["version"] for one in await listed(client)] == [2, 1]


async def test_a_wrong_wording_is_stopped_at_once_for_all_older_versions(
    client: httpx.AsyncClient,
) -> None:
    await put_form(client, previous_valid_minutes=600)
    await put_form(client, label="Winter", previous_valid_minutes=600)
    assert (await send(client, submission_body())).status_code == 202

    await put_form(client, label="Spring", previous_valid_minutes=0)

    for version in (1, 2):
        answer = await send(client, submission_body(version=version))
        assert answer.json()["code"] == "form_version_outdated"


async def test_a_submission_sent_again_is_taken_once_also_after_the_form_closed(
    client: httpx.AsyncClient, db: Database, clock: FixedClock
) -> None:
    await put_form(client, closes_at=(NOW + timedelta(hours=1)).isoformat())
    body = submission_body()

    first = await send(client, body)
    clock.advance(timedelta(hours=1))
    again = await send(client, body)
    other = await send(client, body | {"answers": body["answers"] | {"name": "Bob"}})
    closed = await send(client, submission_body())

    assert (first.json()["duplicate"], again.json()["duplicate"]) == (False, True)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.json() | {"duplicate": True} == again.json()
    assert (other.status_code, other.json()["code"]) == (409, "submission_conflict")
    assert (closed.status_code, closed.json()["code"]) == (409, "form_closed")
    assert len(await listed(client)) == 1
    assert len(await published(db)) == 1


async def test_the_same_submission_in_parallel_is_taken_once(
    client: httpx.AsyncClient, db: Database
) -> None:
    await put_form(client)
    body = submission_body()

    answers = await asyncio.gather(*(send(client, body) for _ in range(20)))

    assert {one.status_code for one in answers} == {202}
    assert [one.json()["duplicate"] for one in answers].count(False) == 1
    assert len(await published(db)) == 1


async def test_a_form_that_is_not_open_yet_takes_nothing(client: httpx.AsyncClient) -> None:
    await put_form(client, opens_at=(NOW + timedelta(seconds=1)).isoformat())

    answer = await send(client, submission_body())

    assert (answer.status_code, answer.json()["code"]) == (409, "form_not_open")
    assert await listed(client) == []


@pytest.mark.parametrize(
    ("answers", "field"),
    [
        ({"email": "ann@example.org"}, "answers.message"),
        ({"email": "ann@example.org", "message": " \r\n "}, "answers.message"),
        ({"email": "ann", "message": "Hi"}, "answers.email"),
        ({"email": "ann@example.org", "message": "x" * 201}, "answers.message"),
        ({"email": "ann@example.org", "message": "a\x07b"}, "answers.message"),
        ({"email": "ann@example.org", "message": "Hi", "age": "7"}, "answers.age"),
        ({"name": "A\nB", "email": "ann@example.org", "message": "Hi"}, "answers.name"),
    ],
)
async def test_answers_that_do_not_fit_are_named_and_nothing_is_written(
    client: httpx.AsyncClient, db: Database, answers: dict[str, str], field: str
) -> None:
    await put_form(client)

    answer = await send(client, submission_body(answers=answers))

    assert (answer.status_code, answer.json()["code"]) == (422, "form_answers_invalid")
    assert [one["field"] for one in answer.json()["errors"]] == [field]
    assert await listed(client) == []
    assert await published(db) == []


async def test_a_consent_that_was_not_asked_for_is_refused(client: httpx.AsyncClient) -> None:
    await put_form(client)

    answer = await send(
        client, submission_body(consents=[{"purpose": "marketing", "channel": "push"}])
    )

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "consents.0")


async def test_choices_birth_dates_and_local_numbers_are_read_by_the_form(
    client: httpx.AsyncClient,
) -> None:
    fields = [
        {"name": "phone", "kind": "phone", "required": True, "label": both("Phone", "Telefon")},
        {"name": "born", "kind": "birth_date", "label": both("Born", "Geboren")},
        {
            "name": "size",
            "kind": "choice",
            "label": both("Size", "Größe"),
            "options": [{"value": "s", "label": both("S", "S")}],
        },
    ]
    await put_form(client, fields=fields, consents=[])
    good = {"phone": "030 1234567", "born": "2000-02-29", "size": "s"}

    taken = await send(client, submission_body(answers=good, consents=[]))
    bad = await send(
        client,
        submission_body(answers={"phone": "abc", "born": "2001-02-29", "size": "m"}, consents=[]),
    )

    assert taken.status_code == 202
    assert (await listed(client))[0]["answers"] == good | {"phone": "+49301234567"}
    assert {one["field"] for one in bad.json()["errors"]} == {
        "answers.phone",
        "answers.born",
        "answers.size",
    }


async def test_a_message_is_for_the_staff_alone_and_never_on_a_topic(
    client: httpx.AsyncClient, db: Database
) -> None:
    await put_form(client)
    body = submission_body(source={"page": "/contact?who=ann@example.org"})
    url = (await send(client, body)).json()["status_url"]

    ((key, event),) = await published(db)
    on_topic = event.model_dump_json()
    status = (await client.get(url)).json()
    (seen,) = await listed(client)

    assert seen["answers"] == body["answers"]
    assert seen["consents"] == body["consents"]
    assert (seen["via"], seen["store_id"], seen["terminal_id"]) == ("terminal", "0042", "0042-03")
    assert (await client.get("/v1/forms/autumn/submissions")).status_code == 403
    assert (event.type, event.subject, key) == ("interaction.recorded.v1", None, str(event.id))
    assert event.data.form.submission_id == event.data.interaction_id
    assert (event.data.form.version, event.data.form.source) == (1, "autumn-flyer")
    for canary in ("Ann", "ann@", "tea", "contact?"):
        assert canary not in on_topic
        assert canary not in str(status)


async def test_submissions_are_listed_in_pages_newest_first(
    client: httpx.AsyncClient, clock: FixedClock
) -> None:
    await put_form(client)
    sent: list[str] = []
    for number in range(5):
        clock.advance(timedelta(seconds=number % 2))  # some at the same instant
        body = submission_body()
        await send(client, body)
        sent.append(body["submission_id"])

    seen: list[str] = []
    url = "/v1/forms/autumn/submissions?limit=2"
    cursor = ""
    while cursor is not None:
        page = (await client.get(f"{url}{cursor and f'&cursor={cursor}'}", headers=ADMINS)).json()
        seen += [one["submission_id"] for one in page["data"]]
        cursor = page["next_cursor"]

    assert sorted(seen) == sorted(sent)
    assert len(seen) == 5


async def test_erasing_a_submission_keeps_the_evidence_and_forgets_the_person(
    client: httpx.AsyncClient, db: Database
) -> None:
    await put_form(client)
    body = submission_body()
    url = (await send(client, body)).json()["status_url"]

    first, erased = [(await client.post(f"{url}:erase", headers=ADMINS)).json() for _ in range(2)]

    assert first == erased
    assert (erased["status"], erased["answers"], erased["source"]) == ("erased", None, None)
    assert erased["consents"] == body["consents"]
    async with db.transaction() as tx:
        row = str((await tx.execute(sa.text("SELECT * FROM form_submission"))).one())
    assert "ann" not in row.lower()
    assert (await send(client, body)).json()["duplicate"] is True
    assert (await client.post(f"{url}:erase")).status_code == 403


async def test_through_a_real_server_an_answer_means_committed(
    client: httpx.AsyncClient, context: IngestContext
) -> None:
    await put_form(client)
    api = create_api(app.service(), context)
    async with (
        served(api) as (url, _),
        httpx.AsyncClient(base_url=url, headers=client.headers) as till,
    ):
        answers = [await send(till, submission_body()) for _ in range(5)]

        assert {one.status_code for one in answers} == {202}
        assert len(await listed(till)) == 5


async def test_another_till_does_not_see_a_submission(client: httpx.AsyncClient) -> None:
    await put_form(client)
    body = submission_body()
    await client.post("/v1/forms/autumn/submissions", json=body, headers=ADMINS)

    mine = await client.get(f"/v1/forms/autumn/submissions/{body['submission_id']}")
    theirs = await client.get(
        f"/v1/forms/other/submissions/{body['submission_id']}", headers=ADMINS
    )
    elsewhere = await send(client, submission_body(store_id="0043"))

    assert (mine.status_code, theirs.status_code) == (404, 404)
    assert elsewhere.json()["code"] == "wrong_terminal"
