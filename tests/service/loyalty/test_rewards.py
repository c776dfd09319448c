"""Rewards on a real Postgres: a piece, a place in the limit and the points, once and together."""

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from services.loyalty.domain.rewards import Limit, Reward
from services.loyalty.store import award_tables
from shared.contracts.loyalty import PointsRestored, PointsSpent
from shared.contracts.purchases import ReturnedLine
from tests import builders
from tests.builders import NOW
from tests.service.loyalty.desk import Desk
from tests.service.loyalty.till import Till
from tests.unit.loyalty import programmes

TOTE = Reward("tote", "Tote bag", 300, "product", sku="TOTE-1")
EVENING = Reward("evening", "An evening with the cook", 500, "experience", limit=Limit(1, "year"))
COFFEE = Reward("coffee", "Coffee", 10, "product", sku="C", limit=Limit(2, "day"))
GOLD = Reward("gold", "Ten percent", 100, "percent", percent=10, tiers=("Gold",))
SOON = Reward(
    "soon", "Five dollars", 100, "amount", amount_minor=500, available_from=NOW + timedelta(days=1)
)
GONE = Reward("gone", "Gone", 100, "amount", amount_minor=500, available_until=NOW)
PART = [ReturnedLine(line_no=1, quantity_milli=0, amount_minor=100)]


@pytest_asyncio.fixture(name="till")
async def open_till(desk: Desk) -> AsyncGenerator[Till]:
    """Open a till for a member with 1,000 points, in a programme with rewards."""
    rewards = (TOTE, EVENING, COFFEE, GOLD, SOON, GONE)
    desk.under(programmes.small(programmes.version(rewards=rewards)))
    async with desk.client("terminal") as client:
        till = Till(desk, client)
        await till.enrol(1_000)
        yield till


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def put_stock(desk: Desk, reward_id: str, stock: int | None) -> Any:
    async with desk.client("marketer") as client:
        return await client.put(f"/v1/rewards/{reward_id}/stock", json={"stock": stock})


async def left(till: Till, reward_id: str) -> int | None:
    listed = (await till.client.get("/v1/rewards")).json()["data"]
    (found,) = [one["left"] for one in listed if one["reward_id"] == reward_id]
    return found


async def seen(till: Till, reward_id: str) -> Any:
    listed = (await till.client.get(f"/v1/members/{till.member_id}/rewards")).json()["data"]
    (found,) = [one for one in listed if one["reward_id"] == reward_id]
    return found


async def test_a_reward_is_taken_with_its_price_and_a_piece_and_told_by_its_title(
    till: Till,
) -> None:
    assert (await put_stock(till.desk, "tote", 5)).json() == {
        "reward_id": "tote",
        "stock": 5,
        "taken": 0,
        "left": 5,
    }
    opened = (await till.take("tote")).json()

    assert (opened["points"], opened["state"]) == (300, "held")
    assert opened["reward"] == {
        "reward_id": "tote",
        "title": "Tote bag",
        "kind": "product",
        "sku": "TOTE-1",
        "percent": None,
        "amount_minor": None,
        "programme_version": "v1",
    }
    assert (await till.has(), await left(till, "tote")) == ((700, 0, 300, 0), 4)
    captured = (await till.act(UUID(opened["hold_id"]), "capture")).json()
    assert (captured["state"], captured["captured_points"]) == ("captured", 300)
    assert (await till.has(), await left(till, "tote")) == ((700, 0, 0, 0), 4)
    (spent,) = [one for one in await till.desk.published("loyalty") if isinstance(one, PointsSpent)]
    assert (spent.data.reward_id, spent.data.points) == ("tote", 300)
    assert spent.data.explain == "Reward: Tote bag. Spent: 300 points."
    async with till.desk.client("staff") as client:
        answer = await client.get(f"/v1/members/{till.member_id}/entries?limit=2")
    assert [one["explain"]["words"] for one in answer.json()["data"]] == [
        "Reward: Tote bag. Spent: 300 points.",
        "Reward: Tote bag. Reserved: 300 points.",
    ]


async def test_twenty_members_at_once_get_the_five_that_there_are(till: Till) -> None:
    desk = till.desk
    await put_stock(desk, "tote", 5)
    tills = [Till(desk, till.client, card=f"98400100{number:02}") for number in range(20)]
    for number, one in enumerate(tills):
        one.receipts = 10 * (number + 1)
        await one.enrol(1_000)

    answers = await asyncio.gather(*(one.take("tote") for one in tills))

    assert sorted(one.status_code for one in answers) == [201] * 5 + [409] * 15
    assert {code(one) for one in answers if one.status_code != 201} == {
        (409, "reward_out_of_stock")
    }
    assert await left(till, "tote") == 0
    assert sorted([await one.has() for one in tills])[:5] == [(700, 0, 300, 0)] * 5


async def test_ten_holds_of_one_member_at_once_keep_the_limit_of_one(till: Till) -> None:
    answers = await asyncio.gather(*(till.take("evening") for _ in range(10)))

    assert sorted(one.status_code for one in answers) == [201] + [409] * 9
    refused = [one for one in answers if one.status_code == 409]
    assert {code(one) for one in refused} == {(409, "reward_limit")}
    assert refused[0].json()["again_at"] == "2027-01-01T05:00:00+00:00"
    assert await till.has() == (500, 0, 500, 0)


@pytest.mark.parametrize("end", ["release", "expire"])
async def test_what_ends_gives_points_piece_and_place_back_once(till: Till, end: str) -> None:
    await put_stock(till.desk, "evening", 1)
    hold_id = await till.taken("evening", ttl_s=60)
    assert code(await till.take("evening")) == (409, "reward_limit")

    for _ in range(2):
        if end == "release":
            await till.act(hold_id, "release")
        else:
            await till.sweep(seconds=61)

    assert (await till.has(), await left(till, "evening")) == ((1_000, 0, 0, 0), 1)
    await till.taken("evening")
    assert await left(till, "evening") == 0


async def test_one_sweep_gives_back_what_several_members_held_of_several_rewards(
    till: Till,
) -> None:
    other = Till(till.desk, till.client, card="9840001235")
    other.receipts = 10
    await other.enrol(1_000)
    await till.earn(100)
    for reward_id in ("tote", "evening"):
        await put_stock(till.desk, reward_id, 3)
        for one in (till, other):
            await one.taken(reward_id, ttl_s=60)
    await till.act(await till.taken("tote", ttl_s=60), "capture")

    assert await till.sweep(seconds=61) == 2

    assert [await left(till, one) for one in ("tote", "evening")] == [2, 3]
    assert (await till.has(), await other.has()) == ((800, 0, 0, 0), (1_000, 0, 0, 0))


async def test_the_archive_says_which_reward_it_was(till: Till) -> None:
    await till.taken("tote")
    async with till.desk.client("app") as client:
        answer = await client.get(f"/v1/members/{till.member_id}/export")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        (hold,) = json.loads(archive.read("holds.json"))
        newest = json.loads(archive.read("entries.json"))[0]

    assert (hold["reward_id"], hold["programme_version"]) == ("tote", "v1")
    assert newest["explanation"]["words"] == "Reward: Tote bag. Reserved: 300 points."


async def test_the_same_key_takes_once(till: Till) -> None:
    await put_stock(till.desk, "tote", 5)
    first, again = await till.take("tote", "a"), await till.take("tote", "a")

    assert first.json() == again.json()
    assert (await till.has(), await left(till, "tote")) == ((700, 0, 300, 0), 4)


async def test_a_reward_is_captured_whole(till: Till) -> None:
    hold_id = await till.taken("tote")

    assert code(await till.act(hold_id, "capture", points=300)) == (422, "reward_not_divisible")
    assert await till.has() == (700, 0, 300, 0)


async def test_a_purchase_captures_it_and_only_all_of_it_coming_back_gives_it_back(
    till: Till,
) -> None:
    await put_stock(till.desk, "evening", 3)
    paid = await till.earn(100, hold_ids=(await till.taken("evening"),))
    assert await till.has() == (600, 0, 0, 0)
    part = builders.purchase_returned(paid.data, PART)
    await till.desk.apply(part)
    assert (await till.has(), await left(till, "evening")) == ((590, 0, 0, 0), 2)
    assert code(await till.take("evening")) == (409, "reward_limit")

    whole = builders.purchase_returned(part.data)
    for _ in range(2):
        await till.desk.apply(whole, part, paid)

    assert (await till.has(), await left(till, "evening")) == ((1_000, 0, 0, 0), 3)
    (back,) = [
        one.data for one in await till.desk.published("loyalty") if isinstance(one, PointsRestored)
    ]
    assert (back.reward_id, back.points) == ("evening", 500)
    assert (
        back.explain
        == "Reward: An evening with the cook. What they had paid for came back: 500 points."
    )
    await till.taken("evening")


async def test_a_void_and_a_correction_without_it_give_it_back_once(till: Till) -> None:
    await put_stock(till.desk, "tote", 3)
    voided = await till.earn(10, hold_ids=(await till.taken("tote"),))
    corrected = await till.earn(10, hold_ids=(await till.taken("tote"),))
    gone = builders.purchase_voided(voided.data)
    without = builders.purchase_amended(corrected.data, corrected.data.lines, hold_ids=())

    await till.desk.apply(gone, without)
    await till.desk.apply(without, gone)

    assert (await till.has(), await left(till, "tote")) == ((1_010, 0, 0, 0), 3)


async def test_a_till_that_was_offline_has_handed_over_more_than_there_are(till: Till) -> None:
    """Its hold ran out and the last piece went to somebody else: what happened stands."""
    await put_stock(till.desk, "tote", 1)
    offline = await till.taken("tote", ttl_s=60)
    paid = till.sale(10, hold_ids=(offline,), occurred_at=till.desk.clock.now())
    await till.sweep(seconds=61)
    await till.act(await till.taken("tote"), "capture")

    await till.desk.apply(paid)

    assert await till.has() == (410, 0, 0, 0)
    stock = (await put_stock(till.desk, "tote", 1)).json()
    assert (stock["taken"], stock["left"]) == (2, 0)
    await till.desk.apply(builders.purchase_voided(paid.data))
    assert await left(till, "tote") == 0
    assert (await put_stock(till.desk, "tote", 2)).json()["left"] == 1


async def test_a_new_version_leaves_open_holds_as_they_are(till: Till) -> None:
    hold_id = await till.taken("tote", ttl_s=86_400)
    dearer = replace(TOTE, title="Large tote bag", points=400, sku="TOTE-2")
    new = programmes.version("v2", since=NOW + timedelta(hours=1), rewards=(dearer,))
    till.desk.under(programmes.small(programmes.version(rewards=(TOTE,)), new))
    till.desk.clock.advance(timedelta(hours=1))
    async with till.desk.client("terminal") as till.client:
        captured = (await till.act(hold_id, "capture")).json()
        taken = (await till.take("tote")).json()
        gone = await till.take("evening")
        listed = (await till.client.get("/v1/rewards")).json()["data"]

    assert (captured["captured_points"], captured["reward"]["sku"]) == (300, "TOTE-1")
    assert (captured["reward"]["title"], captured["reward"]["programme_version"]) == (
        "Tote bag",
        "v1",
    )
    assert (taken["points"], taken["reward"]["sku"]) == (400, "TOTE-2")
    assert code(gone) == (404, "reward_unknown")
    assert [(one["reward_id"], one["points"]) for one in listed] == [("tote", 400)]


async def test_a_member_sees_what_they_can_take_and_why_not(till: Till) -> None:
    await put_stock(till.desk, "tote", 0)
    for _ in range(2):
        await till.act(await till.taken("coffee"), "capture")
    till.desk.clock.advance(timedelta(seconds=1))
    evening = await till.taken("evening")

    shown = {
        reward_id: [(one["code"], one["words"]) for one in (await seen(till, reward_id))["reasons"]]
        for reward_id in ("tote", "evening", "coffee", "gold", "soon")
    }

    assert shown == {
        "tote": [("reward_out_of_stock", "There is none left.")],
        "evening": [
            ("reward_limit", "It can be taken once a year."),
            ("points_insufficient", "20 points are missing."),
        ],
        "coffee": [("reward_limit", "It can be taken 2 times a day.")],
        "gold": [("reward_tier", "It is for Gold only.")],
        "soon": [("reward_not_available", "It can not be taken yet.")],
    }
    for reward_id, reasons in shown.items():
        assert code(await till.take(reward_id)) == (409, reasons[0][0])
    assert code(await till.take("gone")) == (409, "reward_not_available")
    coffee = await seen(till, "coffee")
    assert (coffee["affordable"], coffee["allowed"], coffee["taken"]) == (True, False, 2)
    tomorrow = NOW.astimezone(programmes.small().time_zone).date() + timedelta(days=1)
    again_at = datetime.fromisoformat(coffee["reasons"][0]["again_at"])
    assert (
        again_at.astimezone(programmes.small().time_zone).isoformat()
        == f"{tomorrow}T00:00:00-05:00"
    )
    taken = (await till.client.get(f"/v1/members/{till.member_id}/rewards")).json()["taken"]
    assert [(one["reward"]["title"], one["state"], one["points"]) for one in taken] == [
        ("An evening with the cook", "held", 500),
        ("Coffee", "captured", 10),
        ("Coffee", "captured", 10),
    ]
    assert taken[0]["hold_id"] == str(evening)

    till.desk.clock.advance(timedelta(days=1))
    assert (await seen(till, "coffee"))["reasons"] == []
    assert (await seen(till, "soon"))["allowed"]
    await till.taken("coffee")


async def test_a_tier_opens_what_is_for_it(till: Till) -> None:
    await till.earn(2_000)  # 300 dollars in all

    assert (await seen(till, "gold"))["allowed"]
    held = (await till.take("gold")).json()
    assert (held["reward"]["kind"], held["reward"]["percent"]) == ("percent", 10)


async def test_points_or_a_reward_and_not_both_or_neither(till: Till) -> None:
    body = {"member_id": str(till.member_id), "identified_by": {"card": till.card}}
    for what in ({}, {"points": 1, "reward_id": "tote"}):
        refused = await till.post("/v1/holds", {**body, **what})
        assert code(refused) == (422, "invalid_request")
        assert "exactly one of points, reward_id" in refused.json()["errors"][0]["message"]
    assert code(await till.take("no-such")) == (404, "reward_unknown")
    assert code(await put_stock(till.desk, "no-such", 1)) == (404, "reward_unknown")
    assert code(await put_stock(till.desk, "tote", -1)) == (422, "invalid_request")
    assert await till.desk.rows(award_tables.reward_stock) == []
    assert await till.has() == (1_000, 0, 0, 0)


async def test_a_member_who_has_left_or_is_only_recognised_takes_nothing(till: Till) -> None:
    path = f"/v1/members/{till.member_id}/identifiers"
    await till.client.post(path, json={"kind": "phone", "value": "+12125550123"})
    phone = {"phone": "+12125550123"}
    assert code(await till.take("tote", identified_by=phone)) == (403, "possession_required")
    async with till.desk.client("staff") as office:
        await office.post(f"/v1/members/{till.member_id}:erase")
    assert code(await till.take("tote")) == (404, "member_unknown")
    assert await till.desk.rows(award_tables.reward_stock) == []


async def test_the_audit_finds_a_stock_that_was_changed_by_hand(till: Till) -> None:
    await till.taken("tote")
    async with till.desk.db.transaction() as tx:
        await tx.execute(award_tables.reward_stock.update().values(taken=2))

    report = await till.desk.audit()

    assert (report.wrong_stock, report.ok) == (1, False)
