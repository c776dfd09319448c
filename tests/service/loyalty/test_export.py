"""The export: everything of a member in one archive, whole or not at all."""

import asyncio
import importlib
import io
import json
import zipfile
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.loyalty.context import EXPORTS_MAX
from services.loyalty.handlers import export as handlers
from services.loyalty.store import export, tables
from shared import auth
from shared.auth.spread import Grant
from shared.db import run_unit
from shared.http.app import create_api
from shared.http.peer import Peer
from shared.service import Service
from tests import builders
from tests.conftest import MakeDatabase
from tests.service.loyalty.desk import KEYS, Desk
from tests.service.loyalty.phones import enrol, enrol_phone
from tests.service.shared.conftest import served

ELSEWHERE = {"member", "identifier", "account", "entry"}
"""Tables of members that go into ``profile.json``, ``balance.json`` and ``entries.json``."""
Answer = Callable[[httpx.Request], httpx.Response]


def read(answer: httpx.Response) -> dict[str, Any]:
    """Return the files of an archive by their name, JSON as values."""
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    return {
        name: json.loads(text) if name.endswith(".json") else text for name, text in texts.items()
    }


def with_peers(desk: Desk, **answers: Answer) -> None:
    """Let the export ask peers that answer so."""
    peers = {
        name: Peer(name, f"http://{name}", transport=httpx.MockTransport(answer))
        for name, answer in answers.items()
    }
    desk.context = replace(desk.context, peers=peers)


def nobody(_: httpx.Request) -> httpx.Response:
    return httpx.Response(404, json={"code": "member_unknown"})


@asynccontextmanager
async def beside(make_database: MakeDatabase, name: str, member_id: UUID) -> AsyncGenerator[Peer]:
    """Run another service on a real database, which has heard of the member, and give its peer."""
    service: Service = importlib.import_module(f"services.{name}.app").service()
    handlers = importlib.import_module(f"services.{name}.consumer").HANDLERS
    db = await make_database(service)
    async with AsyncExitStack() as stack:
        context = await service.open_context(service.settings(), db, stack)
        known = builders.member_changed(member_id=member_id, subject=str(member_id))
        await run_unit(db, lambda tx: handlers["members"](tx, [known], context))
        async with db.transaction() as tx:
            await auth.beat(tx, builders.FRESH)
            await auth.bootstrap(tx, [Grant(key, role, role) for role, key in KEYS.items()])
        api = create_api(service, context)
        peer = Peer(name, f"http://{name}", transport=httpx.ASGITransport(api))
        stack.push_async_callback(peer.close)
        yield peer


async def test_the_archive_has_all_that_the_services_know(
    desk: Desk, make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OFFERS", "NOTIFY"):
        monkeypatch.setenv(f"{name}_DATABASE_URL", "postgresql://unused")
    monkeypatch.setenv("NOTIFY_UNSUBSCRIBE_KEY", "cd" * 32)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(desk.client("app"))
        member_id = await enrol(client, "9840001234")
        await enrol_phone(client, member_id)
        sale = builders.purchase_recorded(member_id=UUID(member_id))
        await desk.apply(sale)
        peers = {
            name: await stack.enter_async_context(beside(make_database, name, UUID(member_id)))
            for name in ("offers", "notify")
        }
        desk.context = replace(desk.context, peers=peers)
        client = await stack.enter_async_context(desk.client("app"))
        answer = await client.get(f"/v1/members/{member_id}/export")
        balance = (await client.get(f"/v1/members/{member_id}/balance")).json()

    files = read(answer)
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == f'attachment; filename="member-{member_id}.zip"'
    profile = files["profile.json"]
    assert (profile["name"], profile["phone"]) == ("Ann Lee", "+12025551234")
    assert profile["email"] == "ann9840001234@example.org"
    assert {one["masked"] for one in profile["identifiers"]} >= {"…1234", "a…@example.org"}
    assert files["balance.json"]["available"] == balance["available"] > 0
    [entry] = files["entries.json"]
    assert entry["points"] == balance["available"]
    assert entry["explanation"]["words"]
    assert [one["remaining"] for one in files["lots.json"]] == [balance["available"]]
    assert [one["receipt_id"] for one in files["receipts.json"]] == [str(sale.data.receipt_id)]
    assert [one["name"] for one in files["devices.json"]] == ["Ann's phone"]
    assert len(files["spend_by_year.json"]) == 1
    assert files["offers/profile.json"]["member_id"] == member_id
    assert files["offers/offers.json"] == []
    assert files["notify/preferences.json"]["preferences"]
    assert (files["notify/consents.json"], files["notify/inbox.json"]) == ([], [])
    about = files["README.txt"]
    assert [name for name in files if name != "README.txt" and f"{name}: " not in about] == []
    # Neither the card nor what it is hashed to: only its end was kept to be shown.
    assert "hmac" not in json.dumps(files)
    assert "9840001234" not in json.dumps(files).replace("ann9840001234", "").replace(
        "app-9840001234", ""
    )


async def test_the_archive_has_the_part_of_who_was_merged_into_the_member(desk: Desk) -> None:
    def offers(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"path": request.url.path, "data": [], "next_cursor": None})

    with_peers(desk, offers=offers)
    async with desk.client("admin") as client:
        ann, ben = [await enrol(client, f"984000123{last}") for last in (4, 5)]
        await desk.apply(builders.purchase_recorded(member_id=UUID(ann)))
        merged = await client.post(
            f"/v1/members/{ann}:merge", json={"into": ben}, headers={"Idempotency-Key": "k"}
        )
        assert merged.status_code == 200, merged.text
        files = read(await client.get(f"/v1/members/{ben}/export"))

    assert [one["member_id"] for one in files["merged.json"]] == [ann]
    assert [one["member_id"] for one in files["merges.json"]] == [ann]
    assert {one["member_id"] for one in files["entries.json"]} == {ann, ben}
    assert [one["member_id"] for one in files["receipts.json"]] == [ann]
    assert files[f"merged/{ann}/offers/profile.json"]["path"].startswith(f"/v1/members/{ann}/")


async def test_lists_longer_than_a_page_are_whole(desk: Desk) -> None:
    def offers(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/profile"):
            return nobody(request)
        page = int(request.url.params.get("cursor", "0"))
        following = None if page == 2 else str(page + 1)
        return httpx.Response(200, json={"data": [{"page": page}], "next_cursor": following})

    with_peers(desk, offers=offers)
    async with desk.client() as client:
        member_id = await enrol(client, "9840001234")
        count = export.ROWS_AT_ONCE + 1
        await desk.apply(
            *(
                builders.purchase_recorded(receipt_no=str(n), member_id=UUID(member_id))
                for n in range(count)
            )
        )
        files = read(await client.get(f"/v1/members/{member_id}/export"))

    assert count > handlers.ENTRIES_AT_ONCE
    assert [one["version"] for one in files["entries.json"]] == list(range(count, 0, -1))
    assert len({one["receipt_id"] for one in files["receipts.json"]}) == count
    assert files["offers/offers.json"] == [{"page": 0}, {"page": 1}, {"page": 2}]
    assert "offers/profile.json" not in files
    assert "The service offers knew nothing of you." in files["README.txt"]


BROKEN = {
    "away": httpx.Response(503),
    "not for this key": httpx.Response(403, json={"code": "forbidden"}),
    "no such route": httpx.Response(404, json={"code": "not_found"}),
    "not ours": httpx.Response(404),
    "no page": httpx.Response(200, json={"data": []}),
}


async def test_a_peer_that_does_not_answer_leaves_no_half_archive(desk: Desk) -> None:
    async with desk.client() as client:
        path = f"/v1/members/{await enrol(client, '9840001234')}/export"

    async def ask(broken: httpx.Response | None) -> httpx.Response:
        def half(request: httpx.Request) -> httpx.Response:
            """Give the first page as it should be, and fail at the second."""
            if broken is None or "cursor" in request.url.params:
                return broken or nobody(request)
            return httpx.Response(200, json={"data": [{"a": 1}], "next_cursor": "more"})

        with_peers(desk, offers=nobody, notify=half)
        async with desk.client() as client:
            return await client.get(path)

    answers = {what: await ask(broken) for what, broken in BROKEN.items()}
    whole = await ask(None)

    assert {what: one.status_code for what, one in answers.items()} == dict.fromkeys(BROKEN, 503)
    assert {one.json()["code"] for one in answers.values()} == {"peer_unavailable"}
    assert all(int(one.headers["Retry-After"]) > 0 for one in answers.values())
    assert read(whole)["profile.json"]["name"] == "Ann Lee"


async def test_nobody_and_the_erased_have_no_archive_and_no_peer_is_asked(desk: Desk) -> None:
    def ask_nobody(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    with_peers(desk, offers=ask_nobody)
    async with desk.client("staff") as client:
        member_id = await enrol(client, "9840001234")
        await client.post(f"/v1/members/{member_id}:erase")
        answers = [await client.get(f"/v1/members/{one}/export") for one in (member_id, uuid4())]

    assert {(one.status_code, one.json()["code"]) for one in answers} == {(404, "member_unknown")}


async def test_who_is_erased_while_the_archive_is_made_gets_none(desk: Desk) -> None:
    async with desk.client("staff") as client:
        member_id = await enrol(client, "9840001234")
    erased: list[int] = []

    async def erase_then_answer(request: httpx.Request) -> httpx.Response:
        async with desk.client("staff") as other:
            erased.append((await other.post(f"/v1/members/{member_id}:erase")).status_code)
        return nobody(request)

    peer = Peer("offers", "http://offers", transport=httpx.MockTransport(erase_then_answer))
    desk.context = replace(desk.context, peers={"offers": peer})
    async with desk.client("staff") as client:
        answer = await client.get(f"/v1/members/{member_id}/export")

    assert set(erased) == {200}
    assert answer.status_code == 404


async def test_no_more_than_some_exports_are_made_at_once(desk: Desk) -> None:
    go_on = asyncio.Event()
    waiting = 0

    async def wait_then_answer(request: httpx.Request) -> httpx.Response:
        nonlocal waiting
        waiting += 1
        await go_on.wait()
        return nobody(request)

    peer = Peer("offers", "http://offers", transport=httpx.MockTransport(wait_then_answer))
    desk.context = replace(desk.context, peers={"offers": peer})
    async with desk.client() as client:
        path = f"/v1/members/{await enrol(client, '9840001234')}/export"
        running = [asyncio.create_task(client.get(path)) for _ in range(EXPORTS_MAX)]
        async with asyncio.timeout(10):
            while waiting < EXPORTS_MAX:
                await asyncio.sleep(0.01)
        refused = await client.get(path)
        go_on.set()
        done = await asyncio.gather(*running)
        after = await client.get(path)

    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert [one.status_code for one in (*done, after)] == [200] * (EXPORTS_MAX + 1)


async def test_a_client_that_does_not_read_keeps_no_place(desk: Desk) -> None:
    async with desk.client() as client:
        path = f"/v1/members/{await enrol(client, '9840001234')}/export"
    async with served(
        create_api(importlib.import_module("services.loyalty.app").service(), desk.context)
    ) as (url, _):
        headers = {"Authorization": f"Bearer {KEYS['app']}"}
        async with httpx.AsyncClient(base_url=url, headers=headers) as real:
            for _ in range(EXPORTS_MAX + 1):
                async with real.stream("GET", path) as answer:
                    assert answer.status_code == 200
            whole = await real.get(path)

    assert read(whole)["profile.json"]
    assert not desk.context.exports.locked()


def test_every_table_of_members_is_in_the_archive() -> None:
    """A table that names members is exported, or listed above with the file that it goes into."""
    of_members = {
        name for name, table in tables.METADATA.tables.items() if "member_id" in table.columns
    }

    assert of_members == {table.name for table in export.LISTS.values()} | ELSEWHERE
    assert export.LISTS.keys() == handlers.ABOUT_LISTS.keys()
