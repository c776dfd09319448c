"""Quotes over HTTP: the answer explains itself and nothing is written."""

from typing import Any
from uuid import UUID

import pytest

from services.offers.store import tables
from shared.db.plumbing import outbox
from tests import builders
from tests.builders import MEMBER, STORE, TERMINAL
from tests.service.offers.conftest import Caller
from tests.service.offers.shop import Shop, every, of


def basket(*skus: str, **changes: Any) -> dict[str, Any]:
    """Return a basket of one of each SKU, 2.05 each."""
    lines = [
        {"line_no": number, "sku": sku, "quantity": "1", "amount_minor": 205}
        for number, sku in enumerate(skus, start=1)
    ]
    return {
        "store_id": STORE,
        "terminal_id": TERMINAL,
        "member": {"member_id": str(MEMBER)},
        "currency": "USD",
        "lines": lines,
    } | changes


async def stocked(shop: Shop, **campaign: Any) -> dict[str, str]:
    """Issue two offers, 10 % on milk and on bread; return their ids by SKU."""
    await shop.enrol(MEMBER)
    await shop.list_products("milk", "bread")
    await shop.buy(*every(7, "milk", "bread", times=4))
    await shop.publish(k=2, depth_percent={"due": 10, "habit": 10, "discovery": 10}, **campaign)
    await shop.issue()
    return {row["sku"]: str(row["offer_id"]) for row in await shop.wallet()}


async def test_a_quote_gives_lines_totals_and_every_offer_considered(
    shop: Shop, call: Caller
) -> None:
    offers = await stocked(shop)
    answer = (await call.post("/v1/quotes", basket("milk", "tea"), "terminal")).json()
    milk, tea = answer["lines"]
    # 20.5 is rounded to 21, to the member.
    assert (milk["discount_minor"], milk["net_amount_minor"]) == (21, 184)
    assert (milk["offer_id"], tea["offer_id"]) == (offers["milk"], None)
    assert (answer["subtotal_minor"], answer["discount_minor"]) == (410, 21)
    assert answer["total_minor"] == 389
    assert answer["offer_ids"] == [offers["milk"]]
    outcomes = {one["offer_id"]: one["outcome"] for one in answer["considered"]}
    assert outcomes == {offers["milk"]: "applied", offers["bread"]: "no_match"}
    assert all(one["reason"] for one in answer["considered"])


async def test_a_quote_writes_nothing_and_repeats_itself(shop: Shop, call: Caller) -> None:
    await stocked(shop)
    before = [await shop.rows(table) for table in (*tables.METADATA.sorted_tables, outbox)]
    first = (await call.post("/v1/quotes", basket("milk"))).json()
    assert (await call.post("/v1/quotes", basket("milk"))).json() == first
    other = (await call.post("/v1/quotes", basket("bread"))).json()
    assert other["quote_id"] != first["quote_id"]
    after = [await shop.rows(table) for table in (*tables.METADATA.sorted_tables, outbox)]
    assert after == before


async def test_a_redeemed_offer_is_explained_and_not_applied(shop: Shop, call: Caller) -> None:
    offers = await stocked(shop)
    used = of("milk", amount_minor=180, discount_minor=20)
    await shop.buy(builders.purchase_recorded(lines=[used], offer_ids=[offers["milk"]]))
    answer = (await call.post("/v1/quotes", basket("milk"))).json()
    outcomes = {one["offer_id"]: one["outcome"] for one in answer["considered"]}
    assert outcomes[offers["milk"]] == "redeemed"
    assert answer["discount_minor"] == 0


async def test_the_margin_floor_holds_at_the_till(shop: Shop, call: Caller) -> None:
    offers = await stocked(shop, margin_floor_percent=10)
    await shop.list_products("milk", version=2, cost_minor=178, currency="USD")
    await shop.list_products("bread", version=2, cost_minor=190, currency="USD")
    answer = (await call.post("/v1/quotes", basket("milk", "bread"))).json()
    # 178 / 0.9 = 197.8: the least price is 198.
    assert [line["net_amount_minor"] for line in answer["lines"]] == [198, 205]
    outcomes = {one["offer_id"]: one["outcome"] for one in answer["considered"]}
    assert outcomes == {offers["milk"]: "applied", offers["bread"]: "margin_floor"}


async def test_only_the_offers_named_are_considered(shop: Shop, call: Caller) -> None:
    offers = await stocked(shop)
    named = [offers["bread"], str(UUID(int=404))]
    answer = (await call.post("/v1/quotes", basket("milk", "bread", offer_ids=named))).json()
    outcomes = {one["offer_id"]: one["outcome"] for one in answer["considered"]}
    assert outcomes == {offers["bread"]: "applied", str(UUID(int=404)): "not_found"}


async def test_a_whole_purchase_is_a_basket(shop: Shop, call: Caller) -> None:
    await stocked(shop)
    whole = basket(
        "milk",
        receipt_no="000123",
        business_date="2026-11-22",
        occurred_at="2026-11-22T14:05:00+01:00",
        terminal_seq=8812,
        sales_channel="pos",
        quote_id=None,
        hold_ids=[],
        tenders=[{"kind": "card", "amount_minor": 205}],
        total_minor=205,
    )
    assert (await call.post("/v1/quotes", whole, "terminal")).status_code == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"member": None}, "member.member_id"),
        ({"member": {"card": "9840001234"}}, "member.member_id"),
        ({"member": {"member_id": str(MEMBER), "card": "98"}}, "member.card"),
        ({"member": {"member_id": "me"}}, "member.member_id"),
        ({"lines": []}, "lines"),
        ({"total_minor": 1}, ""),
        ({"surprise": 1}, "surprise"),
        ({"currency": "DOLLAR"}, "currency"),
        ({"lines": [{"line_no": 1, "sku": "m", "quantity": "-1", "amount_minor": 1}]}, "quantity"),
        ({"lines": [{"line_no": 1, "sku": "m", "quantity": "1", "amount_minor": 0.5}]}, "amount"),
        ({"lines": [{"line_no": 1, "sku": "\x00", "quantity": "1", "amount_minor": 1}]}, "sku"),
    ],
)
async def test_a_wrong_basket_is_refused_by_name(
    call: Caller, change: dict[str, Any], field: str
) -> None:
    answer = await call.post("/v1/quotes", basket("milk", **change))
    assert answer.status_code == 422
    assert field in answer.json()["errors"][0]["field"]


async def test_another_member_is_not_found(call: Caller) -> None:
    unknown = {"member_id": str(UUID(int=404))}
    answer = await call.post("/v1/quotes", basket("milk", member=unknown))
    assert (answer.status_code, answer.json()["code"]) == (404, "member_not_found")


@pytest.mark.parametrize("place", [{"store_id": "0001"}, {"terminal_id": "0042-09"}])
async def test_a_terminal_asks_for_itself_alone(call: Caller, place: dict[str, str]) -> None:
    answer = await call.post("/v1/quotes", basket("milk", **place), "terminal")
    assert (answer.status_code, answer.json()["code"]) == (403, "wrong_terminal")
