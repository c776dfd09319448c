"""Who may call, on a real credential table."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import APIRouter, FastAPI
from sqlalchemy import event

from shared import auth
from shared.auth import Caller, Grant, Keyring, keys
from shared.auth.failures import FAILURES_PER_WINDOW
from shared.auth.rates import BYTES_PER_REQUEST, Rates
from shared.auth.ring import OVERLAP_S, REFRESH_S, STALE_S
from shared.clock import FixedClock
from shared.contracts.credentials import CredentialState
from shared.db import Database, open_database
from shared.db.plumbing import credential
from shared.errors import Refused, Unavailable
from shared.http.app import create_api, openapi
from shared.service import Context, Routes
from shared.settings import ServiceSettings
from tests.service.shared import guestbook
from tests.service.shared.conftest import TILL, bearer, in_process

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


async def make_key(db: Database, role: auth.Role, **changes: Any) -> str:
    """Store a key with ``changes`` and return it."""
    key = auth.new_key()
    async with db.transaction() as tx:
        await auth.upsert(tx, [Grant(key, role, "test").state().model_copy(update=changes)])
    return key


class Watch:
    """Monotonic time, turned by hand."""

    now = 1_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.mark.parametrize(
    ("role", "changes", "status"),
    [
        ("terminal", {}, 200),
        ("staff", {}, 200),
        ("app", {}, 403),
        ("marketer", {}, 403),
        ("admin", {}, 403),
        ("terminal", {"expires_at": NOW}, 401),
        ("terminal", {"expires_at": NOW + HOUR}, 200),
        ("terminal", {"not_before": NOW + HOUR}, 401),
        ("terminal", {"not_before": NOW}, 200),
        ("terminal", {"revoked_at": NOW - HOUR}, 401),
        ("app", {"revoked_at": NOW - HOUR}, 401),
        ("terminal", {"secret_sha256": "0" * 64}, 401),
    ],
)
async def test_a_key_counts_by_its_role_and_dates(
    db: Database, role: auth.Role, changes: dict[str, Any], status: int
) -> None:
    key = await make_key(db, role, **changes)
    app = create_api(guestbook.service(), guestbook.context(db, FixedClock(NOW)))
    async with in_process(app) as client:
        answer = await client.get("/v1/me", headers=bearer(key))
    assert answer.status_code == status
    assert (answer.headers.get("WWW-Authenticate") is not None) == (status == 401)


async def test_every_key_that_does_not_count_gets_the_same_answer(db: Database) -> None:
    revoked = await make_key(db, "terminal", revoked_at=NOW - HOUR)
    unknown = auth.new_key()
    given = [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Authorization": "Bearer " + "x" * 5_000},
        bearer(unknown),
        bearer(unknown[:-1]),
        bearer(revoked),
        bearer(TILL[:16] + unknown[16:]),
    ]
    app = create_api(guestbook.service(), guestbook.context(db, FixedClock(NOW)))
    async with in_process(app) as client:
        answers = [await client.get("/v1/me", headers=headers) for headers in given]
    assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}


async def test_caller_knows_its_store_and_terminal(db: Database) -> None:
    app = create_api(guestbook.service(), guestbook.context(db))
    async with in_process(app) as client:
        answer = await client.get("/v1/me", headers=bearer(TILL))
    assert answer.json() == {
        "key_id": TILL[4:16],
        "role": "terminal",
        "store_id": "0042",
        "terminal_id": "0042-01",
    }


@pytest.mark.parametrize(
    ("caller", "allowed"),
    [
        (Caller("k", "terminal", "0042", "0042-01"), True),
        (Caller("k", "terminal", "0042", None), True),
        (Caller("k", "terminal", "0042", "0042-02"), False),
        (Caller("k", "terminal", "0043", "0042-01"), False),
        (Caller("k", "terminal", None, None), False),
        (Caller("k", "app"), True),
    ],
)
def test_a_terminal_speaks_for_itself_alone(caller: Caller, *, allowed: bool) -> None:
    if allowed:
        caller.check_terminal("0042", "0042-01")
        return
    with pytest.raises(Refused) as caught:
        caller.check_terminal("0042", "0042-01")
    assert caught.value.status == 403


async def test_failures_are_limited_and_a_valid_key_still_passes(db: Database) -> None:
    app = create_api(guestbook.service(), guestbook.context(db))
    async with in_process(app) as client:
        wrong = [
            (await client.get("/v1/me", headers=bearer(auth.new_key()))).status_code
            for _ in range(FAILURES_PER_WINDOW)
        ]
        limited = await client.get("/v1/me", headers=bearer(auth.new_key()))
        valid = await client.get("/v1/me", headers=bearer(TILL))
    assert set(wrong) == {401}
    assert (limited.status_code, limited.json()["code"]) == (429, "too_many_failures")
    assert 1 <= int(limited.headers["Retry-After"]) <= 60
    assert valid.status_code == 200


async def status_from(app: FastAPI, address: str, key: str) -> int:
    """Return the status of a call from ``address``."""
    transport = httpx.ASGITransport(app, client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://guestbook") as client:
        return (await client.get("/v1/me", headers=bearer(key))).status_code


async def test_failures_count_per_key_id_wherever_they_come_from(db: Database) -> None:
    app = create_api(guestbook.service(), guestbook.context(db))
    body = TILL[:17] + auth.new_key()[17:-6]
    guess = body + keys._checksum(body)
    addresses = [f"192.0.2.{n}" for n in range(FAILURES_PER_WINDOW + 1)]
    statuses = [await status_from(app, address, guess) for address in addresses]
    assert statuses == [401] * FAILURES_PER_WINDOW + [429]
    assert await status_from(app, addresses[0], TILL) == 200


async def test_failures_count_per_network_of_ipv6(db: Database) -> None:
    app = create_api(guestbook.service(), guestbook.context(db))
    addresses = [f"2001:db8::{n:x}" for n in range(FAILURES_PER_WINDOW + 1)]
    statuses = [await status_from(app, address, "nonsense") for address in addresses]
    assert statuses == [401] * FAILURES_PER_WINDOW + [429]
    assert await status_from(app, "2001:db8:0:1::1", "nonsense") == 401


async def test_a_key_made_a_moment_ago_works_at_once(db: Database) -> None:
    app = create_api(guestbook.service(), guestbook.context(db))
    async with in_process(app) as client:
        for _ in range(5):
            assert (await client.get("/v1/me", headers=bearer(TILL))).status_code == 200
            fresh = await make_key(db, "terminal")
            assert (await client.get("/v1/me", headers=bearer(fresh))).status_code == 200


async def test_a_key_above_its_rate_waits_and_others_go_on(db: Database) -> None:
    context = guestbook.context(db)
    settings = context.settings.model_copy(update={"limit_terminal_per_s": 5})
    app = create_api(guestbook.service(), replace(context, settings=settings))
    other, large = await make_key(db, "terminal"), await make_key(db, "terminal")
    async with in_process(app) as client:
        answers = [await client.get("/v1/me", headers=bearer(TILL)) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        told = answers[-1].json()
        assert (told["code"], told["limit_per_s"]) == ("too_many_requests", 5)
        assert answers[-1].headers["Retry-After"] == "1"
        assert (await client.get("/v1/me", headers=bearer(other))).status_code == 200
        # 192 KiB count as four requests: one fits, and of a second nothing.
        headers = bearer(large) | {"Content-Length": str(3 * BYTES_PER_REQUEST)}
        sizes = [(await client.get("/v1/me", headers=headers)).status_code for _ in range(2)]
        assert sizes == [200, 429]


async def test_a_body_larger_than_a_second_s_share_fits_an_empty_window() -> None:
    settings = ServiceSettings(database_url="postgresql://unused", limit_terminal_per_s=5)
    rates = Rates(settings)
    rates.count(Caller("k", "terminal"), 32 * 1024 * 1024)
    with pytest.raises(Refused):
        rates.count(Caller("k", "terminal"), 0)


async def test_revoked_key_stops_working_within_the_refresh(db: Database) -> None:
    watch = Watch()
    ring = Keyring(db, monotonic=watch)
    assert not isinstance(await ring.verify(TILL.encode(), NOW), str)
    async with db.transaction() as tx:
        state = Grant(TILL, "terminal", "till").state()
        await auth.upsert(tx, [state.model_copy(update={"revoked_at": NOW, "version": 2})])
    watch.now += REFRESH_S + 0.1
    assert await ring.verify(TILL.encode(), NOW) == "revoked"


async def test_tills_outlive_the_database_and_desks_do_not(db: Database) -> None:
    desk = await make_key(db, "admin")
    watch = Watch()
    ring = Keyring(db, monotonic=watch)
    await ring.verify(desk.encode(), NOW)
    ring._db = open_nowhere()
    watch.now += STALE_S - 1
    assert not isinstance(await ring.verify(desk.encode(), NOW), str)
    ring.check_fresh("admin", NOW)
    watch.now += 2
    assert not isinstance(await ring.verify(TILL.encode(), NOW), str)
    ring.check_fresh("terminal", NOW)
    for role in ("staff", "marketer", "admin"):
        with pytest.raises(Unavailable):
            ring.check_fresh(role, NOW)


async def test_a_stale_heartbeat_stops_desks_and_leaves_tills_alone(db: Database) -> None:
    desk = await make_key(db, "admin")
    ring = Keyring(db, follows=True, stale_s=30)
    seconds = timedelta(seconds=1)

    async def passes(now: datetime) -> bool:
        assert not isinstance(await ring.verify(desk.encode(), now), str)
        await ring.catch_up()
        ring.check_fresh("terminal", now)
        ring.check_fresh("app", now)
        try:
            ring.check_fresh("admin", now)
        except Unavailable:
            return False
        return True

    async def beat(*times: datetime) -> None:
        beats = [auth.heartbeat(at, 10) for at in times]
        async with db.transaction() as tx:
            await auth.on_credentials(tx, beats, follower(db))

    assert not await passes(NOW)
    await beat(NOW - 20 * seconds, NOW - 10 * seconds)
    assert await passes(NOW + 20 * seconds)
    assert not await passes(NOW + 21 * seconds)
    await beat(NOW - 100 * seconds)
    assert await passes(NOW + 20 * seconds)
    # Ingest's clock is an hour ahead: what arrived now is good from now, and no longer.
    await beat(NOW + HOUR)
    assert await passes(NOW + 30 * seconds)
    assert not await passes(NOW + 31 * seconds)


async def test_without_a_first_look_at_the_table_nobody_passes() -> None:
    app = create_api(guestbook.service(), guestbook.context(open_nowhere()))
    async with in_process(app) as client:
        answer = await client.get("/v1/me", headers=bearer(TILL))
    assert answer.status_code == 503
    assert answer.json()["code"] == "credentials_unavailable"
    assert int(answer.headers["Retry-After"]) >= 1


async def test_a_key_that_could_not_be_looked_up_is_not_called_wrong(db: Database) -> None:
    """Made a moment ago, perhaps, while the database is slow: a till would take 401 as final."""
    app = create_api(guestbook.service(), guestbook.context(db))
    async with in_process(app) as client:
        assert (await client.get("/v1/me", headers=bearer(TILL))).status_code == 200
        ring: Keyring = app.state.keyring
        readable, ring._db = ring._db, open_nowhere()
        unknown = await client.get("/v1/me", headers=bearer(auth.new_key()))
        known = await client.get("/v1/me", headers=bearer(TILL))
        ring._db = readable
        wrong = await client.get("/v1/me", headers=bearer(auth.new_key()))
    assert (unknown.status_code, known.status_code, wrong.status_code) == (503, 200, 401)
    assert unknown.json()["code"] == "credentials_unavailable"
    assert int(unknown.headers["Retry-After"]) >= 1


async def test_many_callers_read_the_table_once(db: Database) -> None:
    reads: list[str] = []
    event.listen(
        db.engine.sync_engine,
        "before_cursor_execute",
        lambda *given: reads.append(given[2]) if "FROM credential" in given[2] else None,
    )
    watch = Watch()
    ring = Keyring(db, monotonic=watch)
    for _ in range(2):
        await asyncio.gather(*(ring.verify(TILL.encode(), NOW) for _ in range(50)))
        watch.now += OVERLAP_S
    # The first look reads all; the second finds by one row that nothing has changed.
    assert len(reads) == 3


def state(key_id: str, version: int, label: str) -> CredentialState:
    """Return a credential that differs in its label."""
    return CredentialState(
        key_id=key_id, version=version, secret_sha256="0" * 64, role="app", label=label
    )


def follower(db: Database) -> Context:
    """Return a context of a service that follows the topic."""
    return guestbook.context(db, FixedClock(NOW))


async def test_followers_keep_the_highest_version_in_any_order(db: Database) -> None:
    versions = [state("b", 2, "two"), state("a", 1, "one"), state("b", 3, "three")]
    late = [state("b", 1, "late"), state("a", 1, "again")]
    for batch in (versions, late, versions):
        told = [auth.announcement(one, NOW) for one in batch]
        async with db.transaction() as tx:
            await auth.on_credentials(tx, told, follower(db))
    async with db.transaction() as tx:
        rows = await tx.execute(
            sa.select(credential.c.key_id, credential.c.label)
            .where(credential.c.key_id.in_(["a", "b"]))
            .order_by(credential.c.key_id)
        )
        assert [tuple(row) for row in rows] == [("a", "one"), ("b", "three")]
        await auth.on_credentials(tx, [], follower(db))


async def test_bootstrap_adds_what_is_new_and_brings_nothing_back(db: Database) -> None:
    fresh = Grant(auth.new_key(), "admin", "admin")
    revoked = (
        Grant(TILL, "terminal", "till").state().model_copy(update={"revoked_at": NOW, "version": 2})
    )
    async with db.transaction() as tx:
        await auth.upsert(tx, [revoked])
        added = await auth.bootstrap(tx, [Grant(TILL, "terminal", "till"), fresh])
        again = await auth.bootstrap(tx, [fresh])
    assert [one.key_id for one in added] == [fresh.key[4:16]]
    assert again == []
    assert await Keyring(db).verify(TILL.encode(), NOW + HOUR) == "revoked"


def test_a_bad_bootstrap_key_is_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match="till") as caught:
        Grant("prn_not_a_key", "terminal", "till").state()
    assert "not_a_key" not in str(caught.value)
    assert TILL not in repr(Grant(TILL, "terminal", "till"))


async def test_a_route_that_names_nobody_does_not_start(db: Database) -> None:
    router = APIRouter()

    @router.get("/v1/forgotten")
    async def forgotten() -> None: ...

    careless = replace(guestbook.service(), routes=lambda: Routes((router,)))
    with pytest.raises(RuntimeError, match="/v1/forgotten"):
        create_api(careless, guestbook.context(db))


def test_openapi_says_which_calls_need_a_key() -> None:
    document = openapi(guestbook.service())
    assert document["openapi"].startswith("3.1")
    assert document["paths"]["/v1/me"]["get"]["security"] == [{"api_key": []}]
    assert "security" not in document["paths"]["/v1/echo"]["post"]
    assert document["paths"]["/v1/me"]["get"]["operationId"] == "me"
    assert "Problem" in document["components"]["schemas"]


def open_nowhere() -> Database:
    """Return a database that nobody answers for."""
    return open_database("postgresql+asyncpg://x:y@127.0.0.1:1/x", application_name="nowhere")
