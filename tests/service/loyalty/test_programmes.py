"""Versions of the programme over HTTP: drafted, checked, published, followed by every process."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy.exc import DBAPIError

from services.loyalty.app import open_context
from services.loyalty.context import REFRESH_S, STALE_S, Rules
from services.loyalty.handlers import earn
from services.loyalty.handlers.programmes import MARGIN
from services.loyalty.settings import LoyaltySettings
from services.loyalty.store import tables
from services.loyalty.store.programmes import PUBLISH_TIMEOUT_MS
from shared.db import run_unit
from shared.errors import Unavailable
from tests import builders
from tests.builders import NOW
from tests.service.loyalty.desk import Desk
from tests.unit.loyalty import programmes

SOON = NOW + MARGIN
DRAFT: dict[str, Any] = {
    "rounding": "floor_per_line",
    "base": {"rule": "base", "title": "One a dollar", "points_per_unit": 1},
    "bonuses": [
        {
            "rule": "weekend",
            "title": "Double at weekends",
            "multiplier_percent": 200,
            "weekdays": ["sat", "sun"],
            "hours": {"from": "08:00", "until": "20:00"},
            "when": "total_minor >= 1000",
        }
    ],
    "expiry": {"months": 12},
}
WRONG = DRAFT | {
    "bonuses": [
        {"rule": "a", "title": "A", "points_per_unit": 1, "when": "total_minor >\n  store_id"},
        {"rule": "b", "title": "B"},
    ],
    "surprise": 1,
}


def sale(number: int, at: datetime, member_id: UUID = builders.MEMBER) -> Any:
    lines = [builders.line(category="BREAD", amount_minor=1_000)]
    return builders.purchase_recorded(
        receipt_no=str(number), occurred_at=at, member_id=member_id, lines=lines
    )


async def put(client: httpx.AsyncClient, name: str = "v2", document: Any = None) -> httpx.Response:
    return await client.put(f"/v1/programmes/{name}", json=document or DRAFT)


async def publish(
    client: httpx.AsyncClient, name: str = "v2", at: datetime | None = SOON
) -> httpx.Response:
    body = {"effective_from": at.isoformat()} if at else {}
    return await client.post(f"/v1/programmes/{name}:publish", json=body)


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_draft_is_kept_and_put_again_and_settles_nothing(desk: Desk) -> None:
    async with desk.client("marketer") as client:
        first = await put(client, document=DRAFT | {"version": "v2", "effective_from": str(NOW)})
        again = await put(client)
        got = await client.get("/v1/programmes/v2")
        listed = (await client.get("/v1/programmes")).json()["data"]

    assert first.json() == again.json() == got.json()
    assert got.json()["document"] == DRAFT
    assert [(one["version"], one["state"], one["source"]) for one in listed] == [
        ("v1", "in_force", "file"),
        ("v2", "draft", "api"),
    ]
    await desk.apply(sale(1, NOW))
    assert set((await desk.balances()).values()) == {100}


async def test_a_wrong_document_is_refused_with_the_place_of_each_mistake(desk: Desk) -> None:
    async with desk.client("marketer") as client:
        refused = await put(client, document=WRONG)
        told = (await client.post("/v1/programmes/v2:validate", json=WRONG)).json()
        good = (await client.post("/v1/programmes/v2:validate", json=DRAFT)).json()

    assert code(refused) == (422, "invalid_request")
    assert "(line 1, column 13)" in refused.json()["errors"][0]["message"]
    assert await desk.rows(tables.programme_version) == []
    assert good == {"valid": True, "problems": []}
    assert not told["valid"]
    assert {one["path"] for one in told["problems"]} == {"bonuses.0.when", "bonuses.1", "surprise"}
    (mistake,) = [one for one in told["problems"] if one["path"] == "bonuses.0.when"]
    assert mistake == {
        "path": "bonuses.0.when",
        "message": "found no matching overload for '_>_' applied to '(int, string)'",
        "line": 1,
        "column": 13,
        "caret": "total_minor >\n            ^",
    }


async def test_validate_without_a_body_looks_at_the_draft(desk: Desk) -> None:
    async with desk.client("marketer") as client:
        await put(client)
        known = await client.post("/v1/programmes/v2:validate")
        unknown = await client.post("/v1/programmes/v3:validate")
        named = await client.post("/v1/programmes/v3:validate", json=DRAFT | {"version": "v2"})
        taken = await client.post("/v1/programmes/v1:validate", json=DRAFT)

    assert known.json()["valid"]
    assert code(unknown) == (404, "programme_version_unknown")
    assert [one["message"] for one in named.json()["problems"]] == ["The path names v3."]
    assert [one["message"] for one in taken.json()["problems"]] == ["This version is published."]


async def test_a_preview_tries_a_draft(desk: Desk) -> None:
    basket = {
        "store_id": "1",
        "currency": "USD",
        "version": "v2",
        "lines": [{"line_no": 1, "sku": "a", "quantity": 1, "amount_minor": 1_000}],
    }
    async with desk.client("marketer") as client:
        await put(client)
        shown = (await client.post("/v1/previews", json=basket)).json()

    assert (shown["version"], shown["points"]) == ("v2", 10)
    assert shown["rules"][1]["reasons"][0]["words"] == "Only on Saturday, Sunday; this is a Friday."


# --- publishing ------------------------------------------------------------------------------


def another_process(desk: Desk) -> Desk:
    """Return a process that shares the database and knows the file alone, as after a start."""
    other = Desk(desk.db)
    other.clock = desk.clock
    return other.under(programmes.small())


async def test_a_published_version_settles_what_is_sold_from_then_on(desk: Desk) -> None:
    async with desk.client("marketer") as client:
        await put(client)
        published = await publish(client)
        waiting = (await client.get("/v1/programmes")).json()["data"]
        desk.clock.advance(MARGIN)
        current = (await client.get("/v1/programmes")).json()["data"]

    assert (published.status_code, published.json()["state"]) == (200, "scheduled")
    assert [(one["version"], one["state"]) for one in waiting] == [
        ("v2", "scheduled"),
        ("v1", "in_force"),
    ]
    assert [(one["version"], one["state"]) for one in current] == [
        ("v2", "in_force"),
        ("v1", "past"),
    ]
    # A process that has run all the while, and one that has started since.
    desk.seconds += REFRESH_S + 1
    late = sale(1, SOON - timedelta(seconds=1))
    for process, number in ((desk, 2), (another_process(desk), 3)):
        await process.apply(late, sale(number, SOON))
    receipts = {row.receipt_id: row for row in await desk.rows(tables.receipt)}
    assert receipts.pop(late.data.receipt_id).programme_version == "v1"
    assert [(row.programme_version, row.posted) for row in receipts.values()] == [("v2", 10)] * 2


async def test_a_process_that_only_answers_follows_too(desk: Desk) -> None:
    async with desk.client("marketer") as client:
        await put(client)
        await publish(client)
    settings = desk.context.settings
    assert isinstance(settings, LoyaltySettings)
    async with AsyncExitStack() as stack:
        context = await open_context(settings, desk.db, stack)
        async with asyncio.timeout(5):
            while "v2" not in context.programme.by_name:
                await asyncio.sleep(0.01)


async def test_entries_are_explained_by_versions_that_were_published_since(desk: Desk) -> None:
    async with desk.client("marketer") as client:
        await put(client)
        await publish(client)
    process, other = another_process(desk), another_process(desk)
    async with process.client() as client:
        enrolled = await client.post("/v1/members", json={})
        member_id = UUID(enrolled.json()["member_id"])
        await other.apply(sale(1, SOON, member_id))
        shown = (await client.get(f"/v1/members/{member_id}/entries")).json()["data"]

    assert shown[0]["explain"]["words"] == "Purchase: 10 points (One a dollar: 10)."


async def test_a_list_of_versions_is_used_for_a_moment_and_then_read_again(desk: Desk) -> None:
    async with desk.client("marketer") as client, desk.db.transaction() as tx:
        other = another_process(desk)
        await other.context.rules.follow(tx)
        await put(client)
        await publish(client)
        other.seconds += REFRESH_S
        assert list((await other.context.rules.follow(tx)).by_name) == ["v1"]
        other.seconds += 0.1
        assert list((await other.context.rules.follow(tx)).by_name) == ["v1", "v2"]
        assert list(other.context.programme.by_name) == ["v1", "v2"]


def test_the_margin_leaves_time_for_clocks_that_differ() -> None:
    publishing = timedelta(milliseconds=PUBLISH_TIMEOUT_MS)

    assert timedelta(seconds=STALE_S) + publishing <= MARGIN - timedelta(seconds=20)
    assert REFRESH_S < STALE_S


async def test_a_batch_that_waited_too_long_for_its_locks_starts_again(desk: Desk) -> None:
    desk.context = replace(
        desk.context, rules=Rules(programmes.small(), monotonic=count(step=STALE_S + 1).__next__)
    )

    with pytest.raises(Unavailable, match="programme_stale"):
        async with desk.db.transaction() as tx:
            await earn.on_purchases(tx, [sale(1, NOW)], desk.context)


async def test_a_batch_whose_rules_another_one_read_anew_starts_again(desk: Desk) -> None:
    rules = desk.context.rules
    async with desk.client("marketer") as client, desk.db.transaction() as tx:
        known = await rules.follow(tx)
        rules.check_fresh(known)
        await put(client)
        await publish(client)
        await rules.follow(tx, at_once=True)
    with pytest.raises(Unavailable, match="programme_stale"):
        rules.check_fresh(known)


async def test_who_can_not_read_the_list_settles_nothing(desk: Desk) -> None:
    async with desk.db.transaction() as tx:
        await tx.execute(tables.programme_version.insert().values(unreadable()))

    with pytest.raises(Unavailable, match="programme_unreadable"):
        async with desk.db.transaction() as tx:
            await earn.on_purchases(tx, [sale(1, NOW)], desk.context)

    assert await desk.rows(tables.receipt) == []


def unreadable() -> dict[str, Any]:
    """Return a version that a newer release has published."""
    document = DRAFT | {"lottery": {"chance_percent": 1}}
    return {
        "version": "v9",
        "state": "published",
        "document": document,
        "effective_from": SOON,
        "updated_at": NOW,
        "published_at": NOW,
    }


async def test_a_file_that_contradicts_what_was_published_settles_nothing(desk: Desk) -> None:
    async with desk.client("marketer") as client:
        await put(client)
        await publish(client)
    same_name = programmes.small(programmes.version(), programmes.version("v2", since=SOON))

    with pytest.raises(Unavailable, match="programme_conflict"):
        async with desk.db.transaction() as tx:
            await another_process(desk).under(same_name).context.rules.follow(tx)


async def test_publishing_again_answers_the_same_and_otherwise_not_at_all(desk: Desk) -> None:
    async with desk.client("marketer") as client:
        await put(client)
        first = await publish(client)
        desk.clock.advance(timedelta(days=30))
        again, once_more = await publish(client), await publish(client, at=None)
        moved = await publish(client, at=NOW + timedelta(days=60))
        changed = await put(client)

    expected = first.json() | {"state": "in_force"}
    assert again.json() == once_more.json() == expected
    assert code(moved) == code(changed) == (409, "programme_version_published")


async def test_a_version_begins_a_minute_from_now_at_the_earliest(desk: Desk) -> None:
    async with desk.client("marketer") as client:
        await put(client)
        past = await publish(client, at=NOW - timedelta(days=1))
        too_soon = await publish(client, at=SOON - timedelta(microseconds=1))
        as_soon_as_can_be = await publish(client, at=None)

    assert code(past) == code(too_soon) == (422, "effective_from_too_soon")
    assert datetime.fromisoformat(past.json()["earliest"]) == SOON
    assert datetime.fromisoformat(as_soon_as_can_be.json()["effective_from"]) == SOON


async def test_two_who_publish_at_once_do_not_both_win(desk: Desk) -> None:
    """The same version from two instants; and two versions from the same instant."""
    async with desk.client("marketer") as client:
        await put(client)
        later = SOON + timedelta(hours=1)
        answers = await asyncio.gather(*(publish(client, at=at) for at in (SOON, later) * 3))
        await put(client, "v3")
        await put(client, "v4")
        at = SOON + timedelta(days=1)
        rivals = await asyncio.gather(publish(client, "v3", at), publish(client, "v4", at))

    won = [one.json()["effective_from"] for one in answers if one.status_code == 200]
    assert (len(won), len(set(won))) == (3, 1)
    lost = {code(one) for one in answers if one.status_code != 200}
    assert lost == {(409, "programme_version_published")}
    assert sorted(one.status_code for one in rivals) == [200, 409]
    assert "effective_from_taken" in {one.json().get("code") for one in rivals}


async def test_what_can_not_be_published_is_refused(desk: Desk) -> None:
    async with desk.client("marketer") as client:
        unknown = await publish(client, "v7")
        of_the_file = await publish(client, "v1")
        replaced = await put(client, "v1")
        elsewhere = await put(client, "v2", DRAFT | {"version": "v3"})

    assert code(unknown) == (404, "programme_version_unknown")
    assert code(of_the_file) == code(replaced) == (409, "programme_version_published")
    assert code(elsewhere) == (422, "programme_version_differs")


async def test_a_published_version_can_not_be_edited_by_our_own_processes(desk: Desk) -> None:
    async with desk.client("marketer") as client:
        await put(client)
        await publish(client)

    for statement in (
        tables.programme_version.update().values(document={}),
        tables.programme_version.delete(),
    ):
        with pytest.raises(DBAPIError, match="stays as it is"):
            await run_unit(desk.db, lambda tx, todo=statement: tx.execute(todo))
