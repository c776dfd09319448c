"""What every service's HTTP surface does, whatever it is about."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from shared import auth
from shared.auth import Grant
from shared.db import Database
from shared.db.plumbing import dead_letter
from shared.http import health
from shared.http.app import create_api
from shared.http.middleware import Direct, Limits
from tests.service.shared import guestbook
from tests.service.shared.conftest import TILL, bearer, in_process, limited
from tests.service.shared.test_auth import open_nowhere

ADMIN = auth.new_key()


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/wrong/refused", 409, "note_refused"),
        ("GET", "/v1/wrong/malformed", 422, "note_malformed"),
        ("GET", "/v1/wrong/unavailable", 503, "unavailable"),
        ("GET", "/v1/wrong/database", 503, "database_unavailable"),
        ("GET", "/v1/wrong/timeout", 503, "database_unavailable"),
        ("GET", "/v1/wrong/bug", 500, "internal_error"),
        ("GET", "/v1/nowhere", 404, "not_found"),
        ("DELETE", "/v1/echo", 405, "method_not_allowed"),
        ("GET", "/v1/slow?seconds=-1", 422, "invalid_request"),
        ("GET", "/v1/slow", 422, "invalid_request"),
    ],
)
async def test_every_error_is_a_problem(
    api: FastAPI, method: str, path: str, status: int, code: str
) -> None:
    async with in_process(api) as client:
        answer = await client.request(method, path)
    told = answer.json()
    assert (answer.status_code, told["status"], told["code"]) == (status, status, code)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert ("Retry-After" in answer.headers) == (status == 503)
    assert len(answer.headers["X-Request-Id"]) == 32
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("body", "code", "fields"),
    [
        (b'{"text": "a", "colour": "red"}', "invalid_request", ["colour"]),
        (b'{"text": "a", "pages": [1, "x"]}', "invalid_request", ["pages.1"]),
        (b'{"text": "a\\u0000b"}', "invalid_request", ["text"]),
        (b"{}", "invalid_request", ["text"]),
        (b"", "invalid_request", ["body"]),
        (b"[]", "invalid_request", ["body"]),
        (b'{"text": ', "malformed_json", []),
        (b'{"text": "\xff"}', "bad_request", []),
    ],
)
async def test_bad_bodies_are_told_by_field(
    api: FastAPI, body: bytes, code: str, fields: list[str]
) -> None:
    async with in_process(api) as client:
        answer = await client.post("/v1/echo", content=body)
    assert answer.status_code == (400 if code == "bad_request" else 422)
    assert answer.json()["code"] == code
    assert [each["field"] for each in answer.json().get("errors", [])] == fields


@pytest.mark.parametrize("key", ["", "prn_nobody", TILL], ids=["none", "wrong", "right"])
@pytest.mark.parametrize(
    "body",
    [
        b'{"text": "fine"}',
        b'{"text": "refuse"}',
        b'{"text": "away"}',
        b'{"text": "bug"}',
        b'{"text": "a", "colour": "red"}',
        b'{"text": ',
        b"",
    ],
)
async def test_the_short_way_answers_as_the_long_one(db: Database, key: str, body: bytes) -> None:
    short = create_api(guestbook.service(), guestbook.context(db))
    short.router.routes.clear()  # it must not need them
    long = create_api(guestbook.service(), guestbook.context(db))
    (guard,) = long.user_middleware
    guard.kwargs["direct"] = Direct()

    answers: list[httpx.Response] = []
    for app in (short, long):
        async with in_process(app) as client:
            answers.append(await client.post("/v1/notes:raw", content=body, headers=bearer(key)))
    one, other = answers
    assert (one.status_code, one.content) == (other.status_code, other.content)
    for answer in answers:
        answer.headers["X-Request-Id"] = ""
        if "Retry-After" in answer.headers:
            answer.headers["Retry-After"] = "some"  # it differs from call to call
    assert one.headers == other.headers


async def test_json_without_a_content_type_is_read(api: FastAPI) -> None:
    async with in_process(api) as client:
        answer = await client.post("/v1/echo", content=b'{"text": "old till"}')
    assert "Content-Type" not in answer.request.headers
    assert answer.json()["text"] == "old till"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("00-" + "a" * 32 + "-" + "b" * 16 + "-01", True),
        ("00-" + "0" * 32 + "-" + "b" * 16 + "-01", False),
        ("00-" + "a" * 32 + "-" + "0" * 16 + "-01", False),
        ("nonsense\r\n", False),
    ],
)
async def test_a_valid_traceparent_is_continued(api: FastAPI, sent: str, *, kept: bool) -> None:
    async with in_process(api) as client:
        answer = await client.post(
            "/v1/echo", json={"text": "a"}, headers={"traceparent": sent.strip()}
        )
    assert (answer.headers["X-Request-Id"] == "a" * 32) == kept


async def test_ready_needs_the_database_at_the_right_schema(db: Database) -> None:
    app = create_api(guestbook.service(), guestbook.context(db))
    async with in_process(app) as client:
        assert (await client.get("/health/ready")).status_code == 200
    async with db.transaction() as tx:
        await tx.execute(sa.text("UPDATE alembic_version SET version_num = '0000'"))
    app = create_api(guestbook.service(), guestbook.context(db))
    async with in_process(app) as client:
        behind = await client.get("/health/ready")
        assert (behind.status_code, behind.json()["missing"]) == (
            503,
            "schema is at 0000, not at 0001",
        )
        assert (await client.get("/health/live")).status_code == 200


async def test_alive_without_the_database_but_not_ready() -> None:
    app = create_api(guestbook.service(), guestbook.context(open_nowhere()))
    async with in_process(app) as client:
        assert (await client.get("/health/live")).status_code == 200
        assert (await client.get("/health/ready")).status_code == 503
        assert (await client.get("/version")).json()["service"] == "guestbook"


@pytest.mark.parametrize(("works", "status"), [(True, 200), (False, 503)])
async def test_a_worker_is_ready_when_its_work_is(
    db: Database, *, works: bool, status: int
) -> None:
    async with in_process(health.alone(db, lambda: works)) as client:
        assert (await client.get("/health/ready")).status_code == status
        assert (await client.get("/health/live")).status_code == 200
        assert b"perennial_" in (await client.get("/metrics")).content


async def test_metrics_count_requests_by_route_and_not_by_path(api: FastAPI) -> None:
    async with in_process(api) as client:
        await client.get("/v1/wrong/refused")
        await client.request("FANCY", "/v1/echo")
        shown = (await client.get("/metrics")).text
    assert 'http_request_seconds_count{method="GET",route="/v1/wrong/{kind}",status="409"}' in shown
    assert "/v1/wrong/refused" not in shown
    assert "FANCY" not in shown


async def test_over_the_cap_requests_are_turned_away_and_health_is_not(db: Database) -> None:
    app = limited(db, Limits(in_flight_max=2))
    async with in_process(app) as client:
        answers = await asyncio.gather(*(client.get("/v1/slow?seconds=0.2") for _ in range(5)))
        busy = [client.get("/v1/slow?seconds=0.2") for _ in range(2)]
        *_, live = await asyncio.gather(*busy, client.get("/health/live"))
        after = await client.get("/v1/slow?seconds=0")
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(200), statuses.count(503)) == (2, 3)
    for refused in (answer for answer in answers if answer.status_code == 503):
        assert refused.json()["code"] == "overloaded"
        assert int(refused.headers["Retry-After"]) >= 1
    assert (live.status_code, after.status_code) == (200, 200)


async def test_uploads_over_the_cap_are_turned_away_and_small_requests_are_not(
    db: Database,
) -> None:
    began, may_end = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        began.set()
        yield b"a"
        await may_end.wait()
        yield b"b"

    async with in_process(limited(db, Limits(uploads_max=1))) as client:
        first = asyncio.create_task(client.post("/v1/uploads", content=slowly()))
        await began.wait()
        second = await client.post("/v1/uploads", content=b"a")
        small = await client.get("/v1/slow?seconds=0")
        may_end.set()
        statuses = [answer.status_code for answer in (second, small, await first)]
        after = await client.post("/v1/uploads", content=b"a")
    assert statuses == [503, 200, 200]
    assert "Retry-After" in second.headers
    assert after.status_code == 200


async def test_a_request_that_takes_too_long_is_ended(db: Database) -> None:
    app = limited(db, Limits(deadline_s=0.3))
    async with in_process(app) as client:
        answer = await client.get("/v1/slow?seconds=30")
        assert answer.json()["code"] == "deadline_exceeded"
        assert "Retry-After" in answer.headers
        assert (await client.get("/v1/slow?seconds=0")).status_code == 200


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("/v1/echo", 1_000, 200),
        ("/v1/echo", 300_000, 413),
        ("/v1/uploads", 300_000, 200),
        ("/v1/uploads", 1024 * 1024 + 1, 413),
    ],
)
@pytest.mark.parametrize("announced", [True, False])
async def test_bodies_are_capped_by_route(
    api: FastAPI, path: str, size: int, status: int, *, announced: bool
) -> None:
    body = b'{"text": "a"' + b" " * (size - 13) + b"}"

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 50_000):
            yield body[start : start + 50_000]

    async with in_process(api) as client:
        answer = await client.post(path, content=body if announced else chunks())
    assert answer.status_code == status
    if status == 413:
        assert answer.json()["code"] == "body_too_large"
        assert answer.headers["Connection"] == "close"


async def test_dead_letters_are_for_admins_and_come_in_pages(db: Database) -> None:
    rows = [
        {
            "id": uuid4(),
            "topic": "members",
            "partition": 0,
            "kafka_offset": number,
            "key": b"m",
            "state": "dead",
            "reason": "malformed",
            "detail": "no",
            "attempts": 1,
            "value": b"jane@example.org",
        }
        for number in range(3)
    ]
    async with db.transaction() as tx:
        await tx.execute(dead_letter.insert(), rows)
        await auth.bootstrap(tx, [Grant(ADMIN, "admin", "admin")])
    app = create_api(guestbook.service(), guestbook.context(db))
    async with in_process(app) as client:
        path = "/v1/dead-letters"
        assert (await client.get(path)).status_code == 401
        client.headers = httpx.Headers(bearer(ADMIN))
        first = (await client.get(path, params={"limit": 2})).json()
        rest = (await client.get(path, params={"cursor": first["next_cursor"]})).json()
        bad = await client.get(path, params={"cursor": "bad"})
        dropped = await client.post(f"{path}/{rows[0]['id']}:drop")
        unknown = await client.post(f"{path}/{uuid4()}:replay")
        left = (await client.get(path)).json()
    seen = [each["id"] for each in first["data"] + rest["data"]]
    assert sorted(seen) == sorted(str(row["id"]) for row in rows)
    assert "jane" not in str(first)
    assert rest["next_cursor"] is None
    assert (bad.status_code, bad.json()["code"]) == (422, "invalid_cursor")
    assert dropped.status_code == 204
    assert (unknown.status_code, unknown.json()["code"]) == (404, "dead_letter_not_found")
    assert len(left["data"]) == 2
