"""API keys: two per terminal, rotated without a failed request, with an audit of it all."""

import asyncio
from datetime import timedelta
from typing import Any, cast

import httpx
import pytest
import sqlalchemy as sa
from asyncpg.exceptions import InsufficientPrivilegeError
from pydantic import SecretStr
from sqlalchemy.exc import ProgrammingError

from services.ingest import app
from services.ingest.context import IngestContext
from services.ingest.handlers import credentials
from shared.auth import notes
from shared.contracts.credentials import CredentialUsed
from shared.contracts.topics import TOPICS
from shared.db import Database, Tx, run_unit
from shared.db.plumbing import outbox
from shared.http.app import create_api
from tests.service.ingest.conftest import ADMIN, NOW, TERMINAL, bearer, purchase_body

PLACE = {"role": "terminal", "store_id": "0042", "terminal_id": "0042-03"}


async def make(client: httpx.AsyncClient, **changes: Any) -> httpx.Response:
    """Ask for a key of the terminal of ``purchase_body``, or with ``changes``."""
    body = {"label": "till 3"} | PLACE | changes
    return await client.post("/v1/credentials", json=body, headers=bearer(ADMIN))


async def made(client: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    """Make a key and return the answer."""
    answer = await make(client, **changes)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def revoke(client: httpx.AsyncClient, key_id: str) -> None:
    """Revoke a key."""
    answer = await client.delete(f"/v1/credentials/{key_id}", headers=bearer(ADMIN))
    assert answer.status_code == 200, answer.text


async def audit(client: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    """Return the audit, newest first."""
    answer = await client.get("/v1/credentials:audit", params=query, headers=bearer(ADMIN))
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def test_a_third_active_key_of_a_terminal_is_refused_until_one_is_revoked(
    client: httpx.AsyncClient,
) -> None:
    second = await made(client)
    third = await make(client)
    assert (third.status_code, third.json()["code"]) == (409, "too_many_keys")
    assert set(third.json()["active"]) == {TERMINAL[4:16], second["key_id"]}
    await made(client, terminal_id="0042-04")
    await revoke(client, TERMINAL[4:16])
    await made(client)


async def test_expired_keys_do_not_count_and_those_that_begin_later_do(
    client: httpx.AsyncClient,
) -> None:
    other = {"terminal_id": "0042-09"}
    past, future = (NOW - timedelta(hours=1)).isoformat(), (NOW + timedelta(hours=1)).isoformat()
    await made(client, **other, expires_at=past)
    await made(client, **other, not_before=future)
    await made(client, **other)
    assert (await make(client, **other)).status_code == 409


async def test_two_admins_at_once_make_two_keys_and_not_three(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(make(client, terminal_id="0042-07") for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201] * 2 + [409] * 4


async def test_a_key_that_ends_before_it_begins_is_refused(client: httpx.AsyncClient) -> None:
    late, early = NOW + timedelta(hours=2), NOW + timedelta(hours=1)
    answer = await make(client, not_before=late.isoformat(), expires_at=early.isoformat())
    assert answer.status_code == 422
    assert "expires_at must be after not_before" in answer.text


async def test_the_audit_says_who_did_what_and_can_not_be_edited(
    client: httpx.AsyncClient, db: Database
) -> None:
    key = await made(client)
    await revoke(client, key["key_id"])
    await revoke(client, key["key_id"])
    rows = await audit(client, key_id=key["key_id"])
    assert [(row["action"], row["by_key_id"]) for row in rows] == [
        ("revoked", ADMIN[4:16]),
        ("made", ADMIN[4:16]),
    ]
    assert {name: rows[0][name] for name in PLACE} == PLACE
    for statement in ("DELETE FROM credential_audit", "UPDATE credential_audit SET attempts = 0"):
        with pytest.raises(ProgrammingError) as caught:
            await run_unit(db, lambda tx, sql=statement: tx.execute(sa.text(sql)))
        cause = caught.value.orig
        assert cause is not None
        assert isinstance(cause.__cause__, InsufficientPrivilegeError)


async def test_the_audit_is_paged_newest_first(client: httpx.AsyncClient) -> None:
    keys = [(await made(client, terminal_id=f"0042-{n}"))["key_id"] for n in range(5)]
    seen: list[str] = []
    cursor = None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        answer = await client.get("/v1/credentials:audit", params=query, headers=bearer(ADMIN))
        seen += [row["key_id"] for row in answer.json()["data"]]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            break
    assert seen == keys[::-1]


async def test_keys_of_the_environment_are_audited_once(context: IngestContext) -> None:
    settings = context.settings.model_copy(update={"admin_key": SecretStr(ADMIN)})
    for _ in range(2):
        await run_unit(context.db, lambda tx: credentials.bootstrap(tx, settings, at=NOW))
    async with context.db.transaction() as tx:
        rows = (await tx.execute(sa.text("SELECT action, key_id FROM credential_audit"))).all()
    assert [tuple(row) for row in rows] == [("given", ADMIN[4:16])]


async def deliver(context: IngestContext) -> int:
    """Hand ingest's own ``credential-uses`` to its consumer, as the broker would."""

    async def unit(tx: Tx) -> int:
        rows = await tx.execute(
            sa.select(outbox.c.topic, outbox.c.value).where(outbox.c.topic == notes.TOPIC)
        )
        events = [TOPICS[row.topic].parse(row.value) for row in rows]
        await credentials.on_uses(tx, cast("list[CredentialUsed]", events), context)
        await tx.execute(outbox.delete().where(outbox.c.topic == notes.TOPIC))
        return len(events)

    return await run_unit(context.db, unit)


async def test_the_list_says_when_a_key_was_last_used_and_no_request_writes_it(
    context: IngestContext, client: httpx.AsyncClient
) -> None:
    api = create_api(app.service(), context)
    transport = httpx.ASGITransport(api)
    async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as caller:
        for _ in range(50):
            await caller.get("/v1/credentials", headers=bearer(ADMIN))
        assert await deliver(context) == 0
        await api.state.keyring.notes.tell("ingest", context)
        assert await deliver(context) == 1
        await api.state.keyring.notes.tell("ingest", context)
        assert await deliver(context) == 0
        listed = (await caller.get("/v1/credentials", headers=bearer(ADMIN))).json()["data"]
    used = {one["key_id"]: one["last_used_at"] for one in listed}
    assert used[ADMIN[4:16]] == NOW.isoformat().replace("+00:00", "Z")
    assert used[TERMINAL[4:16]] is None


async def test_calls_for_another_store_are_refused_and_audited_in_bounds(
    context: IngestContext, client: httpx.AsyncClient
) -> None:
    api = create_api(app.service(), context)
    transport = httpx.ASGITransport(api)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://ingest", headers=bearer(TERMINAL)
    ) as till:
        for attempt in range(100):
            body = purchase_body(store_id=f"shop-{attempt % 20}")
            answer = await till.post("/v1/purchases", json=body)
            assert (answer.status_code, answer.json()["code"]) == (403, "wrong_terminal")
        await api.state.keyring.notes.tell("ingest", context)
    await deliver(context)
    rows = await audit(client)
    assert len(rows) == notes.PLACES_MAX + 1
    assert {row["action"] for row in rows} == {"refused"}
    assert {row["store_id"] for row in rows} == {f"shop-{n}" for n in range(5)} | {None}
    assert sum(row["attempts"] for row in rows) == 100
    assert rows[-1]["terminal_id"] == "0042-03"


async def test_rotation_under_load_fails_no_request(
    context: IngestContext, client: httpx.AsyncClient
) -> None:
    """Two processes of the api; each till goes over to its new key the moment it is made."""
    apis = [httpx.ASGITransport(create_api(app.service(), context)) for _ in range(2)]
    key = TERMINAL
    failed: list[str] = []
    sent = 0
    done = asyncio.Event()

    async def sell(till: int) -> None:
        nonlocal sent
        async with httpx.AsyncClient(transport=apis[till % 2], base_url="http://ingest") as caller:
            while not done.is_set():
                sent += 1
                body = purchase_body(f"{till}-{sent}")
                answer = await caller.post("/v1/purchases", json=body, headers=bearer(key))
                # 503 is a busy machine's word to send it again; a key has no part in that.
                if answer.status_code not in {202, 503}:
                    failed.append(answer.text)

    async with asyncio.TaskGroup() as group:
        for till in range(4):
            group.create_task(sell(till))
        for _ in range(5):
            before, enough = key[4:16], sent + 40
            key = (await made(client))["key"]
            while sent < enough:
                await asyncio.sleep(0.005)
            await revoke(client, before)
        done.set()
    assert (failed, sent >= 200) == ([], True)
