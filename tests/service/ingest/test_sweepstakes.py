"""Sweepstakes: one entry per person and period, exact under concurrency, exported for the draw."""

import asyncio
import csv
import io
from datetime import timedelta
from uuid import uuid4

import httpx

from services.ingest.context import IngestContext
from shared.clock import FixedClock
from shared.db import Database
from tests.service.ingest.conftest import enrol, published
from tests.service.ingest.form_examples import (
    ADMINS,
    EMAIL,
    PHONE,
    listed,
    put_form,
    send,
    submission_body,
)
from tests.service.ingest.newcomers import enrolled_with


def entry(email: str, **more: str) -> dict[str, object]:
    return submission_body("sweepstakes", answers={"email": email, **more}, consents=[])


async def entries(
    client: httpx.AsyncClient, period: str | None = None
) -> tuple[int, list[dict[str, str]]]:
    query = f"?period={period}" if period else ""
    answer = await client.get(f"/v1/forms/autumn/entries{query}", headers=ADMINS)
    assert answer.status_code == 200, answer.text
    return int(answer.headers["Entry-Count"]), list(csv.DictReader(io.StringIO(answer.text)))


async def test_fifty_entries_of_one_person_at_once_are_one(
    client: httpx.AsyncClient, db: Database
) -> None:
    await put_form(client, "sweepstakes")
    spellings = ["ann@example.org", "ANN@Example.org", " ann@example.org ", "ann+x@example.org"]

    answers = await asyncio.gather(*(send(client, entry(spellings[one % 4])) for one in range(50)))

    assert sorted(one.status_code for one in answers) == [202] + [409] * 49
    refusals = {one.json()["code"] for one in answers if one.status_code == 409}
    assert refusals == {"already_entered"}
    assert (await entries(client))[0] == 1
    assert len(await listed(client)) == 1
    assert len(await published(db)) == 1


async def test_the_next_period_of_the_forms_zone_takes_the_next_entry(
    client: httpx.AsyncClient, clock: FixedClock
) -> None:
    await put_form(client, "sweepstakes")  # 14:00 UTC is 15:00 in Berlin
    assert (await send(client, entry("ann@example.org"))).status_code == 202

    clock.advance(timedelta(hours=8, minutes=59))
    refused = await send(client, entry("ann@example.org"))
    clock.advance(timedelta(minutes=1))  # midnight in Berlin, not yet in UTC
    taken = await send(client, entry("ann@example.org"))

    assert (refused.status_code, refused.json()["period"]) == (409, "2026-11-22")
    assert taken.status_code == 202
    assert [(await entries(client, day))[0] for day in ("2026-11-22", "2026-11-23")] == [1, 1]


async def test_an_entry_sent_again_is_the_same_entry(client: httpx.AsyncClient) -> None:
    await put_form(client, "sweepstakes")
    body = entry("ann@example.org")

    answers = [await send(client, body) for _ in range(2)]

    assert [one.json()["duplicate"] for one in answers] == [False, True]
    assert (await entries(client))[0] == 1


async def test_any_counted_identifier_and_the_member_make_the_person(
    client: httpx.AsyncClient, context: IngestContext
) -> None:
    rules = {"period": "once", "time_zone": "UTC", "one_entry_per": ["email", "phone"]}
    required = [EMAIL, PHONE | {"required": True}]
    await put_form(client, "sweepstakes", sweepstakes=rules, fields=required)
    await enrol(context, enrolled_with(email="bob@example.org", phone="+49302222222"))

    async def enter(email: str, phone: str) -> int:
        return (await send(client, entry(email, phone=phone))).status_code

    assert await enter("ann@example.org", "+49301111111") == 202
    assert await enter("other@example.org", "030 1111111") == 409
    assert await enter("ann@example.org", "+49303333333") == 409
    assert await enter("bob@example.org", "+49304444444") == 202
    assert await enter("new@example.org", "+49302222222") == 409  # Bob by his phone
    assert (await entries(client))[0] == 2


async def test_an_erased_entry_leaves_the_draw(client: httpx.AsyncClient) -> None:
    await put_form(client, "sweepstakes")
    url = (await send(client, entry("ann@example.org"))).json()["status_url"]

    await client.post(f"{url}:erase", headers=ADMINS)

    assert (await entries(client)) == (0, [])


async def test_the_export_numbers_entries_and_runs_no_formula(client: httpx.AsyncClient) -> None:
    await put_form(client, "sweepstakes")
    names = ["Ann", '=HYPERLINK("http://evil")', "@SUM(1)", 'Say "hi", Bob']
    for number, name in enumerate(names):
        assert (await send(client, entry(f"p{number}@example.org", name=name))).status_code == 202

    count, rows = await entries(client)

    assert count == len(names)
    assert [row["entry"] for row in rows] == ["1", "2", "3", "4"]
    shown = {row["name"] for row in rows}
    assert shown == {"Ann", '\'=HYPERLINK("http://evil")', "'@SUM(1)", 'Say "hi", Bob'}
    assert (await client.get("/v1/forms/autumn/entries")).status_code == 403


async def test_a_form_without_entries_has_no_export(client: httpx.AsyncClient) -> None:
    await put_form(client)

    answer = await client.get("/v1/forms/autumn/entries", headers=ADMINS)
    missing = await client.get(f"/v1/forms/{uuid4()}/entries", headers=ADMINS)

    assert (answer.status_code, answer.json()["code"]) == (404, "not_sweepstakes")
    assert missing.json()["code"] == "form_not_found"
