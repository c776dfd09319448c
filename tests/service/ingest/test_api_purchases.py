"""The routes that tills call."""

import asyncio
from typing import Any

import httpx
import pytest

from shared.db import Database
from tests.service.ingest.conftest import (
    ADMIN,
    APP,
    bearer,
    published,
    purchase_body,
    return_body,
)


async def test_purchase_is_answered_202_and_its_repeat_alike(client: httpx.AsyncClient) -> None:
    first = await client.post("/v1/purchases", json=purchase_body())
    again = await client.post("/v1/purchases", json=purchase_body())
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["status"] == "accepted"
    assert first.json()["status_url"] == f"/v1/events/{first.json()['event_id']}"
    assert first.json()["claim_token"]
    assert again.json() == first.json() | {"duplicate": True}
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_old_till_needs_no_content_type(client: httpx.AsyncClient) -> None:
    request = client.build_request("POST", "/v1/purchases", json=purchase_body())
    del request.headers["content-type"]
    assert (await client.send(request)).status_code == 202


async def test_other_body_is_409_and_names_the_fields(client: httpx.AsyncClient) -> None:
    await client.post("/v1/purchases", json=purchase_body())
    answer = await client.post("/v1/purchases", json=purchase_body(currency="EUR"))
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "purchase_conflict"
    assert answer.json()["fields"] == ["currency"]


async def test_total_that_does_not_add_up_is_422_with_the_difference(
    client: httpx.AsyncClient, db: Database
) -> None:
    answer = await client.post("/v1/purchases", json=purchase_body(total_minor=100))
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == "total_minor"
    assert "the difference is 11" in error["message"]
    assert await published(db) == []


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "invalid_request"),
        ("{", "malformed_json"),
        ("[]", "invalid_request"),
        ("null", "invalid_request"),
        ('{"store_id": "\\u0000"}', "invalid_request"),
    ],
)
async def test_what_is_no_purchase_is_422(
    client: httpx.AsyncClient, content: str, code: str
) -> None:
    answer = await client.post("/v1/purchases", content=content)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_malformed_phone_is_422_and_not_echoed(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/purchases", json=purchase_body(member={"phone": "555-12"}))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "member.phone"
    assert "555-12" not in answer.text


async def test_phone_without_country_code_is_read_in_the_stores_country(
    client: httpx.AsyncClient, db: Database
) -> None:
    store = {"name": "Mitte", "time_zone": "Europe/Berlin", "country": "DE"}
    await client.put("/v1/stores/0042", json=store, headers=bearer(ADMIN))
    national = purchase_body(member={"phone": "030 901820"})
    international = purchase_body(member={"phone": "+49 30 901820"})
    await client.post("/v1/purchases", json=national)
    again = await client.post("/v1/purchases", json=international)
    assert again.json()["duplicate"] is True


@pytest.mark.parametrize(
    "changes", [{"store_id": "0043"}, {"terminal_id": "0042-04"}], ids=["store", "terminal"]
)
@pytest.mark.parametrize("path", ["/v1/purchases", "/v1/returns"])
async def test_key_of_another_store_or_terminal_is_403(
    client: httpx.AsyncClient, db: Database, path: str, changes: dict[str, str]
) -> None:
    make = purchase_body if path == "/v1/purchases" else return_body
    answer = await client.post(path, json=make(**changes))
    assert (answer.status_code, answer.json()["code"]) == (403, "wrong_terminal")
    assert await published(db) == []


async def test_without_a_key_is_401(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/purchases", json=purchase_body(), headers={"Authorization": ""})
    assert answer.status_code == 401


async def test_two_hundred_tills_at_once_are_all_answered(
    client: httpx.AsyncClient, db: Database
) -> None:
    answers = await asyncio.gather(
        *(client.post("/v1/purchases", json=purchase_body(str(n // 2))) for n in range(200))
    )
    assert {one.status_code for one in answers} == {202}
    assert sum(one.json()["duplicate"] for one in answers) == 100
    assert len(await published(db)) == 100


def _mixed() -> list[dict[str, Any]]:
    return [
        purchase_body("1"),
        purchase_body("2", total_minor=5),
        purchase_body("1"),
        purchase_body("1", currency="EUR"),
        purchase_body("3", store_id="0043"),
        purchase_body("4", member={"phone": "x"}),
        {"nonsense": 1},
        purchase_body("5"),
    ]


OUTCOMES = [
    ("accepted", None),
    ("invalid", "invalid_request"),
    ("replayed", None),
    ("conflict", "purchase_conflict"),
    ("invalid", "wrong_terminal"),
    ("invalid", "identifier_malformed"),
    ("invalid", "invalid_request"),
    ("accepted", None),
]


@pytest.mark.parametrize("form", ["array", "ndjson"])
async def test_batch_has_an_outcome_per_row(
    client: httpx.AsyncClient, db: Database, form: str
) -> None:
    answer = await _upload(client, _mixed(), form)
    assert answer.status_code == 207
    results = answer.json()["results"]
    assert [row["index"] for row in results] == list(range(8))
    assert [
        (row["outcome"], row["problem"] and row["problem"]["code"]) for row in results
    ] == OUTCOMES
    assert results[0]["event_id"] == results[2]["event_id"]
    assert results[3]["problem"]["fields"] == ["currency"]
    assert results[1]["problem"]["errors"][0]["field"] == "total_minor"
    assert len(await published(db)) == 2


async def _upload(
    client: httpx.AsyncClient, rows: list[dict[str, Any]], form: str
) -> httpx.Response:
    if form == "array":
        return await client.post("/v1/purchases:batch", json=rows)
    content = "\n".join(
        httpx.Request("POST", "http://x", json=row).content.decode() for row in rows
    )
    media_type = "application/x-ndjson; charset=utf-8"
    return await client.post(
        "/v1/purchases:batch", content=content + "\n", headers={"Content-Type": media_type}
    )


@pytest.mark.parametrize("form", ["array", "ndjson"])
async def test_whole_file_may_be_sent_again(
    client: httpx.AsyncClient, db: Database, form: str
) -> None:
    rows = [purchase_body(str(number)) for number in range(600)]
    first, again = await _upload(client, rows, form), await _upload(client, rows, form)
    assert {row["outcome"] for row in first.json()["results"]} == {"accepted"}
    assert {row["outcome"] for row in again.json()["results"]} == {"replayed"}
    ids = [[row["event_id"] for row in one.json()["results"]] for one in (first, again)]
    assert ids[0] == ids[1]
    assert len(await published(db)) == 600


@pytest.mark.parametrize("form", ["array", "ndjson"])
async def test_batch_of_more_than_a_thousand_rows_is_422(
    client: httpx.AsyncClient, form: str
) -> None:
    rows = [purchase_body(str(number)) for number in range(1_001)]
    answer = await _upload(client, rows, form)
    assert answer.status_code == 422


@pytest.mark.parametrize("content", ["{", '{"a": 1}', "1"])
async def test_batch_that_is_no_array_is_422(client: httpx.AsyncClient, content: str) -> None:
    answer = await client.post("/v1/purchases:batch", content=content)
    assert answer.status_code == 422


async def test_empty_batch_has_no_results(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/purchases:batch", json=[])
    assert answer.json() == {"results": []}


async def test_return_is_accepted_replayed_refused_and_in_conflict(
    client: httpx.AsyncClient,
) -> None:
    await client.post("/v1/purchases", json=purchase_body())
    first = await client.post("/v1/returns", json=return_body())
    again = await client.post("/v1/returns", json=return_body())
    other = await client.post("/v1/returns", json=return_body(currency="EUR"))
    more = await client.post("/v1/returns", json=return_body("R2"))
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json() | {"duplicate": True}
    assert first.json()["claim_token"] is None
    assert (other.status_code, other.json()["code"]) == (409, "return_conflict")
    assert (more.status_code, more.json()["code"]) == (409, "over_return")
    assert more.json()["left"] == [{"line_no": 1, "quantity": "0.12", "amount_minor": 100}]


async def test_app_may_send_for_any_store(client: httpx.AsyncClient) -> None:
    body = purchase_body(store_id="0099", terminal_id="app", sales_channel="app")
    answer = await client.post("/v1/purchases", json=body, headers=bearer(APP))
    assert answer.status_code == 202
