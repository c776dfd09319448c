"""Rewards that are gift cards: points become money of a card once, and no purchase undoes it."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest_asyncio

from services.loyalty.domain.rewards import Reward
from services.loyalty.store import gift_tables
from shared.db.plumbing import idempotency
from tests import builders
from tests.service.loyalty import gifts
from tests.service.loyalty.desk import Desk
from tests.service.loyalty.till import Till
from tests.unit.loyalty import programmes

CARD = Reward("card-5", "Gift card of 5 dollars", 400, "gift_card", amount_minor=500)
LARGE = replace(CARD, reward_id="card-x", amount_minor=1_000_001)


@pytest_asyncio.fixture(name="till")
async def open_till(desk: Desk) -> AsyncGenerator[Till]:
    """Open a till for a member with 1,000 points, in a programme that gives gift cards."""
    desk.under(programmes.small(programmes.version(rewards=(CARD, LARGE))))
    async with desk.client("terminal") as client:
        till = Till(desk, client)
        await till.enrol(1_000)
        yield till


async def closing(till: Till) -> Any:
    async with till.desk.client("staff") as client:
        answer = await client.get("/v1/reports/gift-cards?date=2026-11-20")
    return answer.json()


async def test_capture_makes_a_card_that_pays_and_its_code_is_stored_nowhere(till: Till) -> None:
    hold_id = await till.taken("card-5")
    path = f"/v1/holds/{hold_id}:capture"

    first, again = [await till.post(path, {}, "once") for _ in range(2)]

    assert (first.status_code, again.json()) == (200, first.json())
    card = first.json()["gift_card"]
    assert first.json()["gift_card_id"] == card["gift_card_id"]
    assert (card["state"], card["available_minor"]) == ("active", 500)
    held = await gifts.post(
        till.client, "gift-card-holds", {"code": card["code"], "amount_minor": 500}
    )
    assert held.status_code == 201
    shown = (await till.client.get(f"/v1/holds/{hold_id}")).json()
    assert (shown["state"], shown["gift_card_id"]) == ("captured", card["gift_card_id"])
    kept = b"".join(row.body for row in await till.desk.rows(idempotency))
    for code in (card["code"], card["code"].replace("-", "")):
        assert code.encode() not in kept
    assert await till.has() == (600, 0, 0, 0)
    report = await closing(till)
    assert (report["sold_minor"], report["rewarded_minor"], report["closing_minor"]) == (
        0,
        500,
        500,
    )
    assert (await gifts.audit(till.desk)).ok


async def test_captured_at_once_makes_one_card(till: Till) -> None:
    hold_id = await till.taken("card-5")

    answers = await asyncio.gather(*(till.act(hold_id, "capture") for _ in range(6)))

    assert sorted(one.status_code for one in answers) == [200, 409, 409, 409, 409, 409]
    assert len(await till.desk.rows(gift_tables.gift_card)) == 1
    assert await till.has() == (600, 0, 0, 0)


async def test_no_purchase_captures_it_or_gives_it_back(till: Till) -> None:
    left_open, captured = await till.taken("card-5", ttl_s=60), await till.taken("card-5")
    await till.act(captured, "capture")

    paid = await till.earn(10, hold_ids=(left_open, captured))
    assert await till.has() == (210, 0, 400, 0)
    await till.desk.apply(builders.purchase_voided(paid.data))
    await till.sweep(seconds=61)

    assert await till.has() == (600, 0, 0, 0)
    assert len(await till.desk.rows(gift_tables.gift_card)) == 1
    shown = (await till.client.get(f"/v1/holds/{left_open}")).json()
    assert (shown["state"], shown["gift_card_id"]) == ("expired", None)


async def test_more_than_a_card_may_have_is_refused_before_anything_is_held(till: Till) -> None:
    answer = await till.take("card-x")

    assert (answer.status_code, answer.json()["code"]) == (422, "gift_card_limit")
    assert await till.has() == (1_000, 0, 0, 0)


async def test_a_capture_that_could_not_make_the_card_spends_nothing(till: Till) -> None:
    """The shop lowers what a card may have while a hold is open."""
    hold_id = await till.taken("card-5")
    settings = till.desk.context.settings.model_copy(update={"gift_card_balance_minor_max": 499})
    till.desk.context = replace(till.desk.context, settings=settings)
    async with till.desk.client("terminal") as till.client:
        refused = await till.act(hold_id, "capture")
        assert (refused.status_code, refused.json()["code"]) == (422, "gift_card_limit")
        assert await till.has() == (600, 0, 400, 0)
        await till.sweep(hours=1)
        assert await till.has() == (1_000, 0, 0, 0)

    assert await till.desk.rows(gift_tables.gift_card) == []
