"""Holds on a real Postgres: granted, captured, given back, and never more than there is."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from services.loyalty.domain.terms import Pending
from services.loyalty.handlers import holds
from services.loyalty.store import tables
from shared.auth import Caller
from shared.contracts.loyalty import PointsExpired, PointsRestored, PointsSpent
from shared.contracts.purchases import ReturnedLine
from shared.errors import Refused
from tests import builders
from tests.builders import NOW
from tests.service.loyalty.desk import Desk
from tests.service.loyalty.till import Till
from tests.unit.loyalty import programmes


@pytest_asyncio.fixture(name="till")
async def open_till(desk: Desk) -> AsyncGenerator[Till]:
    """Open a till for a member with 1,000 points."""
    async with desk.client("terminal") as client:
        till = Till(desk, client)
        await till.enrol(1_000)
        yield till


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_points_are_held_captured_in_part_and_the_rest_goes_back(till: Till) -> None:
    hold_id = await till.held(300)
    assert await till.has() == (700, 0, 300, 0)

    captured = (await till.act(hold_id, "capture", points=200)).json()

    assert (captured["state"], captured["captured_points"]) == ("captured", 200)
    assert await till.has() == (800, 0, 0, 0)
    (spent,) = [one for one in await till.desk.published("loyalty") if isinstance(one, PointsSpent)]
    assert (spent.data.points, spent.data.available, spent.data.hold_id) == (200, 800, hold_id)
    assert spent.data.explain == "Spent: 200 points, worth 0.20 USD."
    async with till.desk.client("staff") as client:
        answer = await client.get(f"/v1/members/{till.member_id}/entries?limit=2")
    assert [(one["points"], one["explain"]["words"]) for one in answer.json()["data"]] == [
        (100, "The reservation ended: 100 points."),
        (0, "Spent: 200 points."),
    ]


async def test_a_hold_is_released_or_ends_by_itself(till: Till) -> None:
    released, left_open = await till.held(300), await till.held(400, ttl_s=60)
    assert (await till.act(released, "release")).json()["state"] == "released"
    assert await till.has() == (600, 0, 400, 0)

    # Before the sweep comes by, it is over all the same.
    till.desk.clock.advance(timedelta(seconds=60))
    assert code(await till.act(left_open, "capture")) == (409, "hold_not_open")
    assert await till.sweep() == 1
    assert await till.sweep() == 0

    assert (await till.client.get(f"/v1/holds/{left_open}")).json()["state"] == "expired"
    assert await till.has() == (1_000, 0, 0, 0)


async def test_two_hundred_at_once_get_what_there_is(till: Till) -> None:
    """200 holds of 100 points on 1,000: exactly 10 are granted."""
    answers = await asyncio.gather(*(till.hold_at_last(100) for _ in range(200)))

    granted = [one for one in answers if one.status_code == 201]
    refused = {code(one) for one in answers if one.status_code != 201}
    assert len(granted) == 10
    assert refused == {(409, "points_insufficient")}
    assert await till.has() == (0, 0, 1_000, 0)


async def test_the_same_key_holds_once_and_capture_answers_twice(till: Till) -> None:
    first, again = await till.hold(100, "a"), await till.hold(100, "a")
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"
    hold_id = first.json()["hold_id"]

    both = [await till.post(f"/v1/holds/{hold_id}:capture", {}, "b") for _ in range(2)]

    assert both[0].json() == both[1].json()
    assert code(await till.post(f"/v1/holds/{hold_id}:capture", {}, "c")) == (409, "hold_not_open")
    assert await till.has() == (900, 0, 0, 0)


async def test_capture_and_release_at_once_one_wins(till: Till) -> None:
    hold_id = await till.held(100)

    answers = await asyncio.gather(
        *(till.act(hold_id, verb) for verb in ["capture", "release"] * 3)
    )

    assert sorted(one.status_code for one in answers) == [200, 409, 409, 409, 409, 409]
    (won,) = [one.json()["state"] for one in answers if one.status_code == 200]
    assert await till.has() == ((900 if won == "captured" else 1_000), 0, 0, 0)


async def test_more_than_there_is_or_was_held_is_refused(till: Till) -> None:
    assert code(await till.hold(1_001)) == (409, "points_insufficient")
    hold_id = await till.held(10)
    assert code(await till.act(hold_id, "capture", points=11)) == (409, "hold_exceeded")
    assert (await till.hold(0)).status_code == 422
    assert (await till.hold(1, ttl_s=86_401)).status_code == 422
    assert code(await till.act(uuid4(), "capture")) == (404, "hold_unknown")
    no_key = await till.client.post("/v1/holds", json={})
    assert code(no_key) == (400, "idempotency_key_missing")
    assert await till.has() == (990, 0, 10, 0)


async def test_what_can_be_no_hold_is_answered_alike_by_the_short_way_and_the_long(
    till: Till,
) -> None:
    short = await till.post("/v1/holds/nonsense:capture", {})
    long = await till.post("/v1/holds/nonsense:release", {})
    assert (short.status_code, short.json()["errors"]) == (422, long.json()["errors"])


async def test_a_purchase_that_names_a_hold_captures_it_once(till: Till) -> None:
    hold_id = await till.held(300)
    paid = till.sale(50, hold_ids=(hold_id,))

    await till.desk.apply(paid)
    await till.desk.apply(paid)

    shown = (await till.client.get(f"/v1/holds/{hold_id}")).json()
    assert (shown["state"], shown["captured_points"]) == ("captured", 300)
    assert shown["receipt_id"] == str(paid.data.receipt_id)
    assert await till.has() == (750, 0, 0, 0)


async def test_a_purchase_that_names_what_is_captured_already_moves_nothing(till: Till) -> None:
    hold_id = await till.held(300)
    await till.act(hold_id, "capture", points=200)

    paid = await till.earn(100, hold_ids=(hold_id,))
    assert await till.has() == (900, 0, 0, 0)
    await till.desk.apply(builders.purchase_returned(paid.data))

    # What was captured by hand comes back with the goods that it turned out to have paid for.
    assert await till.has() == (1_000, 0, 0, 0)


async def test_a_purchase_from_inside_the_holds_life_captures_it_however_late(till: Till) -> None:
    """The till was offline: the hold had ended, and its points were spent elsewhere."""
    offline = await till.held(800, ttl_s=60)
    paid = till.sale(50, hold_ids=(offline,), occurred_at=till.desk.clock.now())
    await till.sweep(seconds=61)
    other = await till.held(900)
    await till.act(other, "capture")

    await till.desk.apply(paid)

    # 1,000 + 50 earned, 900 + 800 spent.
    assert await till.has() == (0, 0, 0, 650)
    await till.earn(1_000)
    assert await till.has() == (350, 0, 0, 0)


async def test_a_purchase_from_after_the_holds_life_does_not(till: Till) -> None:
    hold_id = await till.held(300, ttl_s=60)
    await till.sweep(seconds=600)

    await till.earn(50, hold_ids=(hold_id,), occurred_at=till.desk.clock.now())

    assert await till.has() == (1_050, 0, 0, 0)


async def test_what_comes_back_brings_its_part_of_the_points_back(till: Till) -> None:
    hold_id = await till.held(300)
    paid = await till.earn(100, hold_ids=(hold_id,))
    back = [ReturnedLine(line_no=1, quantity_milli=0, amount_minor=333)]
    part = builders.purchase_returned(paid.data, back)

    await till.desk.apply(part)
    # A third of 300, rounded down, is given back; the points for it are taken back.
    assert await till.has() == (1_000 - 300 + 100 + 99 - 34, 0, 0, 0)
    await till.desk.apply(part, builders.purchase_returned(part.data))

    assert await till.has() == (1_000, 0, 0, 0)
    restored = [
        one.data.points
        for one in await till.desk.published("loyalty")
        if isinstance(one, PointsRestored)
    ]
    assert restored == [99, 201]


async def test_a_void_gives_all_back_and_so_does_a_correction_without_the_hold(till: Till) -> None:
    first, second = await till.held(300), await till.held(200)
    voided, corrected = [await till.earn(10, hold_ids=(one,)) for one in (first, second)]

    await till.desk.apply(
        builders.purchase_voided(voided.data),
        builders.purchase_amended(corrected.data, corrected.data.lines, hold_ids=()),
    )

    assert await till.has() == (1_010, 0, 0, 0)


async def test_a_correction_that_is_overtaken_drops_the_hold_all_the_same(till: Till) -> None:
    paid = await till.earn(100, hold_ids=(await till.held(300),))
    corrected = builders.purchase_amended(paid.data, paid.data.lines, hold_ids=())
    back = [ReturnedLine(line_no=1, quantity_milli=0, amount_minor=500)]

    await till.desk.apply(builders.purchase_returned(corrected.data, back))
    await till.desk.apply(corrected)

    assert await till.has() == (1_050, 0, 0, 0)


async def test_a_return_of_points_that_are_spent_makes_a_debt_that_is_repaid(till: Till) -> None:
    bought = await till.earn(500)
    await till.act(await till.held(1_400), "capture")

    await till.desk.apply(builders.purchase_returned(bought.data))
    assert await till.has() == (0, 0, 0, 400)

    assert code(await till.hold(1)) == (409, "points_insufficient")
    await till.earn(450)
    assert await till.has() == (50, 0, 0, 0)
    async with till.desk.client("staff") as client:
        answer = await client.get(f"/v1/members/{till.member_id}/entries?limit=2")
    newest, before = answer.json()["data"]
    assert (newest["from_account"], newest["to_account"], newest["points"]) == (
        "issued",
        "available",
        50,
    )
    assert (before["to_account"], before["points"]) == ("debt", 400)
    assert before["explain"]["words"].endswith("What was owed is repaid first.")


async def test_a_sale_that_arrives_late_serves_what_was_spent_after_it(till: Till) -> None:
    """Its points end first, so the spend takes them and leaves the others."""
    await till.act(await till.held(600), "capture")
    at = till.desk.clock.now() - timedelta(days=300)

    await till.earn(100, occurred_at=at)

    assert await till.has() == (500, 0, 0, 0)
    lots = sorted(await till.desk.rows(tables.lot), key=lambda lot: lot.expires_at)
    assert [(lot.points, lot.remaining) for lot in lots] == [(100, 0), (1_000, 500)]


async def test_points_end_and_what_comes_back_after_that_comes_back_ended(till: Till) -> None:
    paid = await till.earn(50, hold_ids=(await till.held(300),))
    year = timedelta(days=400)

    assert await till.sweep(days=year.days) == 1
    assert await till.sweep() == 0
    assert await till.has() == (0, 0, 0, 0)
    await till.desk.apply(builders.purchase_returned(paid.data))

    assert await till.has() == (0, 0, 0, 0)
    ended = [
        one.data.points
        for one in await till.desk.published("loyalty")
        if isinstance(one, PointsExpired)
    ]
    assert ended == [700, 50, -50, 300]


async def test_points_whose_end_has_come_cannot_be_held_though_nobody_swept(till: Till) -> None:
    """What a hold finds to have ended is posted with it, and told."""
    till.desk.clock.advance(timedelta(days=400))
    assert code(await till.hold(1)) == (409, "points_insufficient")
    await till.earn(50, occurred_at=till.desk.clock.now())

    await till.held(50)

    assert await till.has() == (0, 0, 50, 0)
    ended = [one for one in await till.desk.published("loyalty") if isinstance(one, PointsExpired)]
    assert [one.data.points for one in ended] == [1_000]
    async with till.desk.client("staff") as client:
        answer = await client.get(f"/v1/members/{till.member_id}/entries?limit=2")
    assert [one["explain"]["words"] for one in answer.json()["data"]] == [
        "Ended unspent: 1000 points.",
        "Reserved for a purchase: 50 points.",
    ]


async def test_what_a_voided_sale_had_reserved_was_never_spent(till: Till) -> None:
    hold_id = await till.held(300)

    await till.desk.apply(builders.purchase_voided(till.sale(10, hold_ids=(hold_id,)).data))

    assert await till.has() == (1_000, 0, 0, 0)
    told = await till.desk.published("loyalty")
    assert not [one for one in told if isinstance(one, PointsSpent | PointsRestored)]


async def test_another_stores_till_does_not_see_the_hold(till: Till) -> None:
    hold_id = await till.held(5)

    async with till.desk.db.transaction() as tx:
        with pytest.raises(Refused, match="no such hold"):
            await holds.get(tx, hold_id, Caller("other", "terminal", "0099"))


async def test_who_left_spends_nothing(till: Till) -> None:
    async with till.desk.client("staff") as office:
        await office.post(f"/v1/members/{till.member_id}:erase")

    assert code(await till.hold(1)) == (404, "member_unknown")


async def test_a_telephone_number_earns_and_does_not_spend(till: Till) -> None:
    path = f"/v1/members/{till.member_id}/identifiers"
    await till.client.post(path, json={"kind": "phone", "value": "+12125550123"})
    phone = {"phone": "+12125550123"}

    assert code(await till.hold(1, identified_by=phone)) == (403, "possession_required")
    other = {"card": "9840009999"}
    assert code(await till.hold(1, identified_by=other)) == (404, "not_identified")
    assert await till.has() == (1_000, 0, 0, 0)


async def test_pending_points_can_not_be_held_until_they_begin(till: Till) -> None:
    rules = programmes.version(pending=Pending(days=14), since=NOW + timedelta(days=1))
    till.desk.under(programmes.small(programmes.version("old"), rules))
    till.desk.clock.advance(timedelta(days=2))
    at = till.desk.clock.now()
    bought = await till.earn(500, occurred_at=at, received_at=at)
    assert await till.has() == (1_000, 500, 0, 0)
    assert code(await till.hold(1_001)) == (409, "points_insufficient")

    part = [ReturnedLine(line_no=1, quantity_milli=0, amount_minor=1_000)]
    await till.desk.apply(builders.purchase_returned(bought.data, part))
    assert await till.has() == (1_000, 400, 0, 0)
    till.desk.clock.advance(timedelta(days=14))

    # They have begun, although nobody swept.
    await till.held(1_400)
    assert await till.has() == (0, 0, 1_400, 0)
