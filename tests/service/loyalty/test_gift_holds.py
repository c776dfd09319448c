"""Holds on gift cards: never more than there is, once, by till or purchase, and back by returns."""

import asyncio
import itertools
from collections import Counter
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from services.loyalty import jobs
from services.loyalty.handlers import gift_holds
from services.loyalty.handlers.gift_cards import Who
from services.loyalty.handlers.gift_holds import Asked
from services.loyalty.store import gift_tables
from shared import auth
from shared.auth.spread import Grant
from shared.contracts.purchases import ReturnedLine, Tender
from shared.db import run_unit
from shared.errors import Refused
from tests import builders
from tests.builders import NOW
from tests.service.loyalty import gifts
from tests.service.loyalty.desk import Desk

TILL = Who("terminal test", "0042")


async def test_two_hundred_holds_at_once_never_exceed_the_balance(desk: Desk) -> None:
    async with desk.client("staff") as client:
        card = await gifts.sell(client, 1_000)
        asked = Asked(UUID(card["gift_card_id"]), 100, ttl_s=600)

        async def place() -> str:
            try:
                unit = partial(gift_holds.place, asked=asked, who=TILL, context=desk.context)
                return (await run_unit(desk.db, unit)).hold.state
            except Refused as refusal:
                return refusal.code

        outcomes = Counter(await asyncio.gather(*(place() for _ in range(200))))
        left = await gifts.balances(client, card)

    assert outcomes == {"open": 10, "gift_card_balance": 190}
    assert left == (0, 1_000)
    assert (await gifts.audit(desk)).ok


async def test_too_little_on_the_card_is_told_with_the_balance(desk: Desk) -> None:
    async with desk.client("terminal") as till, desk.client("staff") as client:
        card = await gifts.sell(client, 1_000)
        await gifts.held(till, card, 300)
        body = {"code": card["code"], "amount_minor": 701}
        refused = await gifts.post(till, "gift-card-holds", body)
        all_of_it = await gifts.post(till, "gift-card-holds", {**body, "amount_minor": 700})

    told = refused.json()
    assert (refused.status_code, told["code"]) == (422, "gift_card_balance")
    assert (told["available_minor"], told["balance_minor"], told["currency"]) == (700, 1_000, "USD")
    assert all_of_it.json()["available_minor"] == 0


async def test_a_hold_is_captured_in_part_and_once(desk: Desk) -> None:
    async with desk.client("staff") as client:
        card = await gifts.sell(client, 1_000)
        hold_id = await gifts.held(client, card, 500)
        path = f"gift-card-holds/{hold_id}:capture"
        too_much = await gifts.capture(client, hold_id, amount_minor=501)
        first = await gifts.post(client, path, {"amount_minor": 350}, key="a")
        replay = await gifts.post(client, path, {"amount_minor": 350}, key="a")
        again = await gifts.capture(client, hold_id, amount_minor=350)
        other = await gifts.capture(client, hold_id, amount_minor=351)
        released = await gifts.release(client, hold_id)
        entries = await gifts.moves(client, card)

    assert (too_much.status_code, too_much.json()["code"]) == (422, "gift_hold_exceeded")
    assert first.json() == replay.json() == again.json()
    assert (first.json()["state"], first.json()["available_minor"]) == ("captured", 650)
    assert other.json()["code"] == released.json()["code"] == "gift_hold_captured"
    assert entries[2:] == [("held", "redeemed", 350), ("held", "available", 150)]


async def test_a_hold_is_released_and_then_neither_captured_nor_released_again(desk: Desk) -> None:
    async with desk.client("staff") as client:
        card = await gifts.sell(client, 1_000)
        hold_id = await gifts.held(client, card, 500)
        states = [(await gifts.release(client, hold_id)).json()["state"] for _ in range(2)]
        captured = await gifts.capture(client, hold_id)
        left = await gifts.balances(client, card)

    assert states == ["released", "released"]
    assert (captured.status_code, captured.json()["state"]) == (409, "released")
    assert left == (1_000, 0)


async def test_a_hold_ends_by_itself_and_counts_no_longer_even_before_the_sweeper(
    desk: Desk,
) -> None:
    async with desk.client("staff") as client:
        card = await gifts.sell(client, 1_000)
        first = await gifts.held(client, card, 1_000, ttl_s=60)
        desk.clock.advance(timedelta(seconds=60))
        late = await gifts.capture(client, first)
        second = await gifts.held(client, card, 900, ttl_s=60)
        desk.clock.advance(timedelta(seconds=60))
        await jobs.sweep_gift_holds(desk.context)
        await jobs.sweep_gift_holds(desk.context)
        states = [
            (await client.get(f"/v1/gift-card-holds/{one}")).json()["state"]
            for one in (first, second)
        ]
        left = await gifts.balances(client, card)

    assert (late.json()["code"], late.json()["state"]) == ("gift_hold_ended", "expired")
    assert states == ["expired", "expired"]
    assert left == (1_000, 0)
    assert (await gifts.audit(desk)).ok


async def test_a_till_sees_the_holds_of_its_own_store_alone(desk: Desk) -> None:
    other = auth.new_key()
    async with desk.client("terminal") as till, desk.client("staff") as client:
        async with desk.db.transaction() as tx:
            await auth.bootstrap(tx, [Grant(other, "terminal", "elsewhere", "0099")])
        card = await gifts.sell(client)
        hold_id = await gifts.held(till, card, 100)
        by_staff = await client.get(f"/v1/gift-card-holds/{hold_id}")
        till.headers["Authorization"] = f"Bearer {other}"
        answers = [
            await till.get(f"/v1/gift-card-holds/{hold_id}"),
            await gifts.capture(till, hold_id),
            await gifts.release(till, hold_id),
        ]

    assert by_staff.status_code == 200
    assert {answer.json()["code"] for answer in answers} == {"gift_hold_unknown"}


async def test_refunds_by_hand_give_back_no_more_than_was_captured(desk: Desk) -> None:
    async with desk.client("staff") as client:
        card = await gifts.sell(client, 1_000)
        other = await gifts.sell(client, 1_000)
        hold_id = await gifts.held(client, card, 500)
        path = f"gift-cards/{card['gift_card_id']}:refund"
        body = {"hold_id": hold_id, "amount_minor": 300}
        too_early = await gifts.post(client, path, body)
        await gifts.capture(client, hold_id)
        first = await gifts.post(client, path, body, key="a")
        replay = await gifts.post(client, path, body, key="a")
        second = await gifts.post(client, path, body)
        wrong = await gifts.post(client, f"gift-cards/{other['gift_card_id']}:refund", body)

    assert too_early.json()["refundable_minor"] == 0
    assert first.json()["balance_minor"] == replay.json()["balance_minor"] == 800
    assert (second.status_code, second.json()["refundable_minor"]) == (422, 200)
    assert (wrong.status_code, wrong.json()["code"]) == (404, "gift_hold_unknown")
    assert (await gifts.audit(desk)).ok


async def test_a_purchase_captures_what_it_names_once_whoever_else_captures_it(desk: Desk) -> None:
    async with desk.client("staff") as client:
        card = await gifts.sell(client, 1_000)
        holds = [await gifts.held(client, card, 300) for _ in range(2)]
        bought = gifts.sale(1, 2_000, *holds)
        await gifts.capture(client, holds[0])
        await desk.apply(bought, bought)
        await desk.apply(bought)
        after = await gifts.capture(client, holds[1])
        shown = (await client.get(f"/v1/gift-card-holds/{holds[0]}")).json()
        left = await gifts.balances(client, card)

    assert left == (400, 0)
    assert after.status_code == 200
    assert shown["receipt_id"] == str(bought.data.receipt_id)
    assert (await gifts.audit(desk)).ok


@pytest.mark.parametrize(
    ("tenders", "captured"),
    [([], 450), ([Tender(kind="gift_card", amount_minor=200)], 200)],
)
async def test_a_purchase_captures_no_more_than_it_came_to(
    desk: Desk, tenders: list[Tender], captured: int
) -> None:
    async with desk.client("staff") as client:
        card = await gifts.sell(client, 1_000)
        holds = [await gifts.held(client, card, 400) for _ in range(2)]
        await desk.apply(gifts.sale(1, 450, *holds, tenders=tenders))
        left = await gifts.balances(client, card)

    assert left == (1_000 - captured, 0)


@pytest.mark.parametrize("ending", ["released", "expired"])
async def test_a_purchase_in_the_life_of_a_hold_captures_it_after_all(
    desk: Desk, ending: str
) -> None:
    async with desk.client("staff") as client:
        card = await gifts.sell(client, 1_000)
        hold_id = await gifts.held(client, card, 800)
        if ending == "released":
            await gifts.release(client, hold_id)
        desk.clock.advance(timedelta(hours=1))
        await jobs.sweep_gift_holds(desk.context)
        await gifts.capture(client, await gifts.held(client, card, 500))
        bought = gifts.sale(1, 800, hold_id, occurred_at=NOW + timedelta(minutes=10))
        await desk.apply(bought)
        await desk.apply(bought)
        entries = await gifts.moves(client, card)
        back = builders.purchase_returned(bought.data)
        await desk.apply(back)
        after = await gifts.moves(client, card)

    assert entries[-3:] == [
        ("available", "held", 500),
        ("held", "redeemed", 500),
        ("lost", "redeemed", 300),
    ]
    assert after[len(entries) :] == [("refunded", "available", 500), ("refunded", "lost", 300)]
    assert (await gifts.audit(desk)).ok


async def test_a_purchase_after_the_life_of_a_hold_takes_only_what_there_is(desk: Desk) -> None:
    async with desk.client("staff") as client:
        card = await gifts.sell(client, 1_000)
        hold_id = await gifts.held(client, card, 800)
        await gifts.release(client, hold_id)
        await gifts.capture(client, await gifts.held(client, card, 500))
        await desk.apply(
            gifts.sale(1, 800, hold_id, occurred_at=NOW + timedelta(minutes=10, seconds=1))
        )
        shown = (await client.get(f"/v1/gift-card-holds/{hold_id}")).json()

    assert (shown["state"], shown["captured_minor"]) == ("captured", 500)
    assert (await gifts.audit(desk)).ok


def story(number: int, hold_id: str) -> list[Any]:
    """A sale of 999, of which two parts of 111 come back."""
    events: list[Any] = [gifts.sale(number, 999, hold_id)]
    for _ in range(2):
        back = ReturnedLine(line_no=1, quantity_milli=0, amount_minor=111)
        events.append(builders.purchase_returned(events[-1].data, [back]))
    return events


async def test_returns_in_any_order_give_back_their_share(desk: Desk) -> None:
    async with desk.client("staff") as client:
        for number, order in enumerate(itertools.permutations(range(3))):
            card = await gifts.sell(client, 1_000)
            events = story(number, await gifts.held(client, card, 500))
            for place in order:
                await desk.apply(events[place])
            await desk.apply(*events)
            left = await gifts.balances(client, card)
            await desk.apply(builders.purchase_voided(events[-1].data))
            whole = await gifts.balances(client, card)
            assert (left, whole) == ((500 + 500 * 222 // 999, 0), (1_000, 0)), order

    assert (await gifts.audit(desk)).ok


@pytest.mark.parametrize("turned", [False, True])
async def test_a_correction_that_names_a_hold_no_longer_gives_it_back(
    desk: Desk, turned: bool
) -> None:
    async with desk.client("staff") as client:
        card = await gifts.sell(client, 1_000)
        first, second = [await gifts.held(client, card, 300) for _ in range(2)]
        bought = gifts.sale(1, 300, first)
        corrected = builders.purchase_amended(bought.data, bought.data.lines, hold_ids=[])
        corrected_again = builders.purchase_amended(
            corrected.data, corrected.data.lines, hold_ids=[second]
        )
        events = [bought, corrected]
        for event in reversed(events) if turned else events:
            await desk.apply(event)
        dropped = await gifts.balances(client, card)
        await desk.apply(corrected_again)
        renamed = await gifts.balances(client, card)

    # Turned around, the first hold is never captured, and still waits for its end.
    assert dropped == ((400, 600) if turned else (700, 300))
    assert sum(renamed) == 700
    assert (await gifts.audit(desk)).ok


async def test_a_sale_and_its_correction_at_once_end_as_the_correction_says(desk: Desk) -> None:
    async with desk.client("staff") as client:
        card = await gifts.sell(client, 1_000)
        for number in range(8):
            hold_id = await gifts.held(client, card, 100)
            # Nobody's, so that no account of points makes the two wait for one another.
            bought = gifts.sale(number, 100, hold_id, member_id=None)
            corrected = builders.purchase_amended(bought.data, bought.data.lines, hold_ids=[])
            await asyncio.gather(desk.apply(bought), desk.apply(corrected))
        left = await gifts.balances(client, card)

    assert sum(left) == 1_000
    assert (await gifts.audit(desk)).ok


async def test_what_was_given_back_too_much_is_taken_again_as_far_as_there_is(desk: Desk) -> None:
    async with desk.client("staff") as client:
        card = await gifts.sell(client, 500)
        bought = gifts.sale(1, 500, await gifts.held(client, card, 500))
        back = ReturnedLine(line_no=1, quantity_milli=0, amount_minor=400)
        returned = builders.purchase_returned(bought.data, [back])
        await desk.apply(bought, returned)
        await gifts.capture(client, await gifts.held(client, card, 250))
        line = builders.line(category="BREAD", amount_minor=300)
        corrected = builders.purchase_amended(returned.data, [line])
        await desk.apply(corrected)
        entries = await gifts.moves(client, card)
        await desk.apply(builders.purchase_voided(corrected.data))
        left = await gifts.balances(client, card)

    assert entries[-2:] == [("available", "refunded", 150), ("lost", "refunded", 50)]
    # 500 are back but for the 250 that were spent and the 50 that were lost on the way: of them
    # the card owes 50 to the loss.
    assert left == (250, 0)
    assert (await gifts.audit(desk)).ok


async def test_a_hold_belongs_to_the_first_receipt_that_names_it(desk: Desk) -> None:
    async with desk.client("staff") as client:
        card = await gifts.sell(client, 1_000)
        hold_id = await gifts.held(client, card, 300)
        await desk.apply(gifts.sale(1, 300, hold_id))
        await desk.apply(gifts.sale(2, 300, hold_id))
        left = await gifts.balances(client, card)

    assert left == (700, 0)


async def test_an_anonymous_purchase_captures_too_and_other_holds_are_left_alone(
    desk: Desk,
) -> None:
    points_hold = "0190f000-0000-7000-8000-000000000001"
    async with desk.client("staff") as client:
        card = await gifts.sell(client, 1_000)
        hold_id = await gifts.held(client, card, 300)
        await desk.apply(gifts.sale(1, 300, points_hold, hold_id, member_id=None))
        await desk.apply(gifts.sale(2, 300, points_hold))
        left = await gifts.balances(client, card)

    assert left == (700, 0)
    assert len(await desk.rows(gift_tables.gift_receipt)) == 1


async def test_captures_sales_and_releases_at_once_end_in_one_of_them(desk: Desk) -> None:
    async with desk.client("staff") as client:
        cards = [await gifts.sell(client, 1_000) for _ in range(2)]
        holds = [await gifts.held(client, card, 100) for card in cards * 4]
        sales = [gifts.sale(number, 200, *holds[number : number + 2]) for number in range(0, 8, 2)]
        await asyncio.gather(
            *(gifts.capture(client, one) for one in holds),
            *(gifts.release(client, one) for one in holds),
            desk.apply(*sales),
            desk.apply(*sales[::-1]),
            jobs.sweep_gift_holds(desk.context),
        )
        left = [await gifts.balances(client, card) for card in cards]

    assert left == [(600, 0), (600, 0)]
    assert (await gifts.audit(desk)).ok
