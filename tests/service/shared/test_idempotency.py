"""``Idempotency-Key`` on real Postgres, with races."""

import asyncio

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from shared import auth
from shared.auth import Caller, Grant
from shared.db import Database
from shared.db.plumbing import idempotency as table
from shared.http import idempotency
from shared.http.idempotency import Keyed
from tests.service.shared.conftest import TILL, bearer, in_process, served
from tests.service.shared.guestbook import Noted, note
from tests.service.shared.guestbook import leave as write_note

OTHER_TILL = auth.new_key()


def headers(key: str, caller: str = TILL) -> dict[str, str]:
    """Return the headers of a keyed request."""
    return {"Idempotency-Key": key, **bearer(caller)}


async def leave(client: httpx.AsyncClient, key: str, text: str = "hello") -> httpx.Response:
    """Leave a note under ``key``."""
    return await client.post("/v1/notes", json={"text": text}, headers=headers(key))


async def notes(db: Database) -> int:
    """Return how many notes there are."""
    async with db.transaction() as tx:
        return (await tx.execute(sa.select(sa.func.count()).select_from(note))).scalar_one()


@pytest.mark.parametrize("key", [None, "", '""', "x" * 129, "with blank", "ümlaut"])
async def test_a_missing_or_unusable_key_is_400(
    api: FastAPI, db: Database, key: str | None
) -> None:
    sent = httpx.Headers(bearer(TILL), encoding="latin-1")
    if key is not None:
        sent["Idempotency-Key"] = key
    async with in_process(api) as client:
        answer = await client.post("/v1/notes", json={"text": "a"}, headers=sent)
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")
    assert await notes(db) == 0


async def test_the_same_request_again_gets_the_same_answer_and_no_effect(
    api: FastAPI, db: Database
) -> None:
    async with in_process(api) as client:
        first = await leave(client, "a")
        again = await client.post(
            "/v1/notes", content=b'{ "pages": [], "text":"hello"}', headers=headers("a")
        )
        same = await client.post("/v1/notes", content=b'{"text" : "hello"}', headers=headers('"a"'))
    assert (first.status_code, same.status_code) == (201, 201)
    assert same.content == first.content
    assert "Idempotent-Replayed" not in first.headers
    assert same.headers["Idempotent-Replayed"] == "true"
    assert again.status_code == 422  # a field more is another request, whatever it means
    assert await notes(db) == 1


async def test_another_body_under_the_same_key_is_422(api: FastAPI, db: Database) -> None:
    async with in_process(api) as client:
        await leave(client, "a", "one")
        other = await leave(client, "a", "two")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert await notes(db) == 1


async def test_another_object_in_the_path_under_the_same_key_is_422(api: FastAPI) -> None:
    async with in_process(api) as client:
        one = await client.post("/v1/notes/one:seal", json={"text": "a"}, headers=headers("a"))
        two = await client.post("/v1/notes/two:seal", json={"text": "a"}, headers=headers("a"))
    assert (one.status_code, two.status_code) == (200, 422)


async def test_keys_of_different_callers_and_routes_do_not_meet(api: FastAPI, db: Database) -> None:
    async with db.transaction() as tx:
        await auth.bootstrap(tx, [Grant(OTHER_TILL, "terminal", "other")])
    async with in_process(api) as client:
        answers = [
            await leave(client, "a", "one"),
            await client.post("/v1/notes", json={"text": "two"}, headers=headers("a", OTHER_TILL)),
            await client.post("/v1/notes/x:seal", json={"text": "three"}, headers=headers("a")),
        ]
    assert [answer.status_code for answer in answers] == [201, 201, 200]
    assert await notes(db) == 3


async def test_a_refusal_is_final_and_leaves_no_effect(api: FastAPI, db: Database) -> None:
    async with in_process(api) as client:
        first = await leave(client, "a", "refuse")
        again = await leave(client, "a", "refuse")
    assert (first.status_code, first.json()["code"]) == (409, "note_refused")
    assert again.content == first.content
    assert again.headers["Content-Type"] == "application/problem+json"
    assert again.headers["Idempotent-Replayed"] == "true"
    assert await notes(db) == 0


@pytest.mark.parametrize(("text", "status"), [("away", 503), ("bug", 500)])
async def test_what_is_not_final_is_not_stored(
    api: FastAPI, db: Database, text: str, status: int
) -> None:
    async with in_process(api) as client:
        assert (await leave(client, "a", text)).status_code == status
        assert (await leave(client, "a", text)).status_code == status
    assert await notes(db) == 0
    async with db.transaction() as tx:
        assert (await tx.execute(sa.select(table))).all() == []


async def test_of_racing_requests_one_takes_effect_and_the_others_wait(
    api: FastAPI, db: Database
) -> None:
    async with served(api) as (url, _), httpx.AsyncClient(base_url=url) as client:
        race = await asyncio.gather(*(leave(client, "a", "slow") for _ in range(8)))
        later = await leave(client, "a", "slow")
    statuses = sorted(answer.status_code for answer in race)
    assert statuses.count(201) >= 1
    assert set(statuses) == {201, 409}
    refused = [answer for answer in race if answer.status_code == 409]
    assert {answer.json()["code"] for answer in refused} == {"idempotency_key_in_use"}
    assert {answer.headers["Retry-After"] for answer in refused} == {"1"}
    assert later.status_code == 201
    assert later.headers["Idempotent-Replayed"] == "true"
    assert await notes(db) == 1


async def test_who_looked_before_the_first_one_ended_gives_its_answer(db: Database) -> None:
    """And got the lock after that: what it did meanwhile is rolled back."""
    keyed, caller = Keyed("POST /v1/notes", "a", b"same"), Caller("till", "terminal")

    async with db.transaction() as tx:

        async def overtaken() -> Noted:
            async with db.transaction() as other:
                await other.execute(
                    table.insert().values(
                        scope="till POST /v1/notes",
                        key="a",
                        body_sha256=b"same",
                        state="done",
                        status=200,
                        body=b'{"id":7}',
                        content_type="application/json",
                    )
                )
            return await write_note(tx, "mine")

        answered = await idempotency.answer(tx, keyed, caller, overtaken)

    assert (answered.body, answered.headers["Idempotent-Replayed"]) == (b'{"id":7}', "true")
    assert await notes(db) == 0


async def test_a_client_that_goes_away_leaves_no_key_behind(api: FastAPI, db: Database) -> None:
    async with served(api) as (url, _):
        async with httpx.AsyncClient(base_url=url, timeout=0.1) as hasty:
            with pytest.raises(httpx.ReadTimeout):
                await leave(hasty, "a", "slow")
        async with httpx.AsyncClient(base_url=url) as client:
            async with asyncio.timeout(5):
                while (answer := await leave(client, "a", "slow")).status_code == 409:
                    await asyncio.sleep(0.02)
    assert answer.status_code == 201
    assert await notes(db) == 1
