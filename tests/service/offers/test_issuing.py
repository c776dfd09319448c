"""Campaigns issue offers: once, inside the budget, whatever is cut off or repeated."""

import asyncio
from datetime import timedelta

import pytest

from services.offers import jobs
from services.offers.store import tables
from shared.errors import Refused
from tests.builders import MEMBER
from tests.conftest import MakeDatabase
from tests.service.offers.shop import Shop, bought, every, member


async def busy(shop: Shop, members: int = 5) -> None:
    """Give the shop members who buy milk and tea, and one thing each of their own."""
    for number in range(1, members + 1):
        own = f"own-{number}"
        await shop.list_products(own)
        await shop.buy(*every(7, "milk", "tea", own, times=4, last=6, owner=member(number)))
    await shop.list_products("milk", "tea")
    await shop.enrol(*(member(number) for number in range(1, members + 1)))


async def test_members_get_a_mix_of_offers_with_reasons(shop: Shop) -> None:
    await busy(shop)
    await shop.publish()
    run = await shop.issue()
    assert (run["state"], run["offers"]) == ("done", 15)
    first, second, third = await shop.wallet(member(1))
    assert (first["kind"], first["sku"]) == ("habit", "milk")
    assert first["title"] == "10 % off milk"
    assert first["reason"] == "You buy milk about every 7 days; last bought 6 days ago."
    assert (second["kind"], third["kind"]) == ("habit", "discovery")
    assert third["sku"].startswith("own-")
    assert third["sku"] != "own-1"


async def test_what_is_due_comes_first(shop: Shop) -> None:
    await busy(shop, members=1)
    await shop.publish(k=2)
    shop.clock.advance(timedelta(days=1))
    await shop.issue()
    assert [row["kind"] for row in await shop.wallet(member(1))] == ["due", "habit"]


async def test_each_offer_is_announced_once_with_its_terms(shop: Shop) -> None:
    await busy(shop)
    await shop.publish()
    await shop.issue()
    await shop.issue()
    events = await shop.events()
    offers = {row["offer_id"]: row for row in await shop.rows(tables.offer)}
    assert {event.data.offer_id for event in events} == set(offers)
    assert len(events) == len(offers)
    for event in events:
        row = offers[event.data.offer_id]
        assert event.type == "offer.issued.v1"
        assert event.subject == str(row["member_id"])
        assert event.data.discount.percent == row["percent"]
        assert event.data.valid_until == row["valid_until"]


async def test_issuing_again_in_the_period_adds_only_who_had_none(shop: Shop) -> None:
    await busy(shop, members=3)
    await shop.publish()
    await shop.issue()
    before = await shop.rows(tables.offer)
    await shop.buy(*every(7, "milk", times=3, owner=member(9)))
    await shop.enrol(member(9))
    run = await shop.issue()
    after = await shop.rows(tables.offer)
    assert {row["member_id"] for row in after} - {row["member_id"] for row in before} == {member(9)}
    assert [row for row in after if row["member_id"] != member(9)] == before
    assert (run["pass_no"], run["offers"]) == (2, len(after))


async def test_a_new_period_issues_anew(shop: Shop) -> None:
    await busy(shop, members=2)
    await shop.publish()
    await shop.issue()
    shop.clock.advance(timedelta(days=7))
    await shop.issue()
    assert {row["period"] for row in await shop.wallet(member(1))} == {"2026-W47", "2026-W48"}


async def test_a_run_that_died_goes_on_where_it_stopped(make_database: MakeDatabase) -> None:
    whole, cut = Shop(await make_database("offers")), Shop(await make_database("offers"))
    for shop in (whole, cut):
        await busy(shop)
        await shop.publish()
    await whole.issue()
    run = await cut.issue(within_s=0)
    assert run["state"] == "running"
    # Each return after one chunk is as good as a crash between two.
    for _ in range(3):
        run = await cut.issue(within_s=0)
    assert run["state"] == "done"
    assert await cut.rows(tables.offer) == await whole.rows(tables.offer)


async def test_two_at_once_issue_as_much_as_one(make_database: MakeDatabase) -> None:
    alone, both = Shop(await make_database("offers")), Shop(await make_database("offers"))
    for shop in (alone, both):
        await busy(shop)
        await shop.publish()
    await alone.issue()
    await asyncio.gather(both.issue(), both.issue(), both.issue())
    assert await both.rows(tables.offer) == await alone.rows(tables.offer)
    assert len(await both.events()) == len(await alone.events())


@pytest.mark.parametrize("budget", [0, 1, 40, 97, 300])
async def test_the_budget_holds(shop: Shop, budget: int) -> None:
    await busy(shop)
    await shop.publish(budget_minor=budget)
    run = await shop.issue()
    offers = await shop.rows(tables.offer)
    assert run["state"] == "done"
    assert run["spent_minor"] == sum(row["expected_cost_minor"] for row in offers) <= budget


async def test_a_smaller_budget_later_takes_nothing_back(shop: Shop) -> None:
    await busy(shop)
    await shop.publish()
    await shop.issue()
    before = await shop.rows(tables.offer)
    await shop.publish(budget_minor=1)
    run = await shop.issue()
    assert await shop.rows(tables.offer) == before
    assert run["spent_minor"] <= run["budget_minor"]


async def test_only_active_members_with_enough_purchases_get_offers(shop: Shop) -> None:
    await busy(shop, members=3)
    await shop.enrol(member(2), version=2, status="erased")
    await shop.buy(bought("milk", owner=member(7)))
    await shop.enrol(member(7))
    await shop.buy(*every(7, "milk", times=5, owner=member(8)))  # not enrolled as far as we know
    await shop.publish()
    await shop.issue()
    assert {row["member_id"] for row in await shop.rows(tables.offer)} == {member(1), member(3)}


async def test_pseudo_categories_are_never_offered(shop: Shop) -> None:
    await shop.list_products("petrol", category="FUEL")
    await shop.list_products("voucher", category="COUPON/MISC ITEMS")
    await shop.buy(*every(7, "petrol", "voucher", "milk", times=4))
    await shop.enrol(MEMBER)
    await shop.publish()
    await shop.issue()
    assert [row["sku"] for row in await shop.wallet()] == ["milk"]


async def test_a_draft_issues_nothing(shop: Shop) -> None:
    with pytest.raises(Refused, match="campaign_not_found"):
        await shop.issue()


async def test_what_is_published_stays_until_the_next_publication(shop: Shop) -> None:
    await busy(shop, members=1)
    await shop.publish(k=1)
    async with shop.db.transaction() as tx:
        await jobs.campaigns.upsert_draft(tx, "weekly", {"k": 99}, shop.clock.now())
    await shop.issue()
    assert len(await shop.wallet(member(1))) == 1


async def test_the_job_runs_a_campaign_once_a_day(shop: Shop) -> None:
    await busy(shop, members=2)
    assert await jobs.issue_due(shop.context) == 0
    await shop.publish()
    assert await jobs.issue_due(shop.context) == 1
    assert await jobs.issue_due(shop.context) == 0
    shop.clock.advance(jobs.PASS_EVERY)
    assert await jobs.issue_due(shop.context) == 1
    (run,) = await shop.rows(tables.campaign_run)
    assert (run["pass_no"], run["offers"]) == (2, 6)


async def test_popularity_is_the_share_of_everybody_s_visits(shop: Shop) -> None:
    await shop.buy(bought("milk", owner=member(1)), bought("milk", "tea", owner=member(2)))
    assert await jobs.refresh_popularity(shop.context)
    milk, tea = await shop.rows(tables.popularity)
    assert (milk["share"], tea["share"]) == (pytest.approx(1), pytest.approx(0.5))
    assert milk["purchases"] == 2
