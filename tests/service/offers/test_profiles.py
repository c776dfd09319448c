"""Purchases become sums, the same for every order, batching and duplication."""

import random
from datetime import timedelta
from typing import Any

import pytest

from services.offers.store import tables
from shared.contracts.purchases import ReturnedLine
from tests import builders
from tests.builders import MEMBER, NOW
from tests.conftest import MakeDatabase
from tests.service.offers.shop import Shop, bought, every, member, of


async def test_a_batch_of_purchases_becomes_habits(shop: Shop) -> None:
    await shop.buy(*every(7, "milk", "tea", times=3), bought("milk", days_ago=1))
    milk, tea = await shop.rows(tables.member_product)
    assert (milk["sku"], milk["purchases"], milk["spend_minor"]) == ("milk", 4, 800)
    assert (tea["sku"], tea["purchases"], tea["quantity_milli"]) == ("tea", 3, 3000)
    assert (milk["first_at"], milk["last_at"]) == (NOW - timedelta(days=14), NOW)
    (total,) = await shop.rows(tables.member_total)
    assert (total["purchases"], total["lines"], total["spend_minor"]) == (4, 7, 1400)


async def test_the_same_batch_twice_counts_once(shop: Shop) -> None:
    batch = [*every(7, "milk", "tea", times=3), bought("milk", days_ago=1)]
    await shop.buy(*batch)
    once = await shop.profile()
    await shop.buy(*batch, *batch)
    assert await shop.profile() == once


def life() -> list[Any]:
    """Return events of all kinds about five receipts of two members."""
    kept = bought("milk", "tea", days_ago=20)
    half = bought("milk", "soap", days_ago=12)
    voided = bought("milk", "bread", days_ago=3)
    found = bought("milk", "figs", days_ago=5, owner=None)
    corrected = bought("tea", days_ago=1)
    returned = builders.purchase_returned(
        half.data, [ReturnedLine(line_no=1, quantity_milli=1000, amount_minor=200)]
    )
    return [
        kept,
        half,
        returned,
        builders.purchase_returned(
            returned.data, [ReturnedLine(line_no=2, quantity_milli=400, amount_minor=80)]
        ),
        voided,
        builders.purchase_voided(voided.data),
        found,
        builders.purchase_attributed(found.data),
        corrected,
        builders.purchase_amended(corrected.data, [of("nuts"), of("milk", 2)]),
        bought("milk", days_ago=2, owner=member(2)),
    ]


async def test_every_order_and_batching_ends_in_the_same_profile(
    make_database: MakeDatabase,
) -> None:
    straight = Shop(await make_database("offers"))
    await straight.buy(*life())
    expected = await straight.profile()
    dice = random.Random(7)
    for size in (1, 1, 3, 5):
        other = Shop(await make_database("offers"))
        # Each event arrives one to two times, anywhere.
        events = life() + dice.sample(life(), 5)
        dice.shuffle(events)
        for start in range(0, len(events), size):
            await other.buy(*events[start : start + size])
        assert await other.profile() == expected


async def test_the_profile_after_returns_is_that_of_what_was_kept(
    make_database: MakeDatabase,
) -> None:
    lived = Shop(await make_database("offers"))
    for event in life():
        await lived.buy(event)
    clean = Shop(await make_database("offers"))
    await clean.buy(
        bought("milk", "tea", days_ago=20),
        builders.purchase_recorded(
            lines=[of("soap", quantity_milli=600, amount_minor=120)],
            occurred_at=NOW - timedelta(days=12),
            receipt_no="soap",
        ),
        bought("milk", "figs", days_ago=5),
        builders.purchase_recorded(
            lines=[of("nuts"), of("milk", 2)],
            occurred_at=NOW - timedelta(days=1),
            receipt_no="corrected",
        ),
        bought("milk", days_ago=2, owner=member(2)),
    )
    assert await lived.profile() == await clean.profile()


async def test_a_full_return_leaves_no_trace_in_the_sums(shop: Shop) -> None:
    purchase = bought("milk", "tea")
    await shop.buy(purchase)
    await shop.buy(builders.purchase_returned(purchase.data))
    assert await shop.profile() == {
        "member_total": [],
        "member_product": [],
        "member_category": [],
    }


async def test_a_return_of_the_newest_puts_the_last_time_back(shop: Shop) -> None:
    newest = bought("milk", days_ago=1)
    await shop.buy(*every(7, "milk", times=3, last=5), newest)
    await shop.buy(builders.purchase_voided(newest.data))
    (milk,) = await shop.rows(tables.member_product)
    assert milk["last_at"] == NOW - timedelta(days=5)
    (total,) = await shop.rows(tables.member_total)
    assert total["last_at"] == NOW - timedelta(days=5)


async def test_an_anonymous_receipt_counts_from_its_attribution(shop: Shop) -> None:
    purchase = bought("milk", owner=None)
    await shop.buy(purchase)
    assert await shop.rows(tables.member_total) == []
    await shop.buy(builders.purchase_attributed(purchase.data))
    (total,) = await shop.rows(tables.member_total)
    assert (total["member_id"], total["purchases"]) == (MEMBER, 1)


async def test_a_till_ahead_of_time_counts_as_of_its_arrival(shop: Shop) -> None:
    ahead = builders.purchase_recorded(
        occurred_at=NOW.replace(year=9000), received_at=NOW, clock_suspect=True
    )
    await shop.buy(ahead)
    (total,) = await shop.rows(tables.member_total)
    assert total["last_at"] == NOW


@pytest.mark.parametrize(("quantity", "amount", "rows"), [(0, 0, 0), (1000, 0, 1), (0, 50, 1)])
async def test_lines_of_nothing_are_no_purchase(
    shop: Shop, quantity: int, amount: int, rows: int
) -> None:
    only = of("milk", quantity_milli=quantity, amount_minor=amount)
    await shop.buy(builders.purchase_recorded(lines=[only]))
    assert len(await shop.rows(tables.member_product)) == rows


async def test_lower_versions_of_reference_facts_do_not_win(shop: Shop) -> None:
    await shop.list_products("milk", version=3, name="NEW")
    await shop.list_products("milk", version=2, name="OLD")
    await shop.enrol(MEMBER, version=5, status="erased")
    await shop.enrol(MEMBER, version=4)
    assert [row["name"] for row in await shop.rows(tables.product)] == ["NEW"]
    assert [row["status"] for row in await shop.rows(tables.member)] == ["erased"]
