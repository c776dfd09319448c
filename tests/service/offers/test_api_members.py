"""Profile, recommendations and wallet over HTTP."""

from datetime import timedelta
from uuid import UUID

import pytest

from tests.builders import MEMBER, NOW
from tests.service.offers.conftest import Caller
from tests.service.offers.shop import Shop, bought, every, member

ONE = f"/v1/members/{MEMBER}"


async def settled(shop: Shop) -> None:
    """One member who buys milk every 7 days and bread every 14, another who buys figs."""
    await shop.enrol(MEMBER, member(2))
    await shop.list_products("milk", "bread", "figs")
    await shop.buy(
        *every(7, "milk", times=6, last=8),
        *every(14, "bread", times=3, last=1, no="b"),
        *every(3, "figs", times=9, owner=member(2)),
    )


async def test_the_profile_tells_what_is_usual_and_due(shop: Shop, call: Caller) -> None:
    await settled(shop)
    answer = (await call.get(f"{ONE}/profile")).json()
    assert answer["purchases"] == 9
    assert answer["usual_spend_minor"] == 200
    milk, bread = answer["products"]
    assert (milk["name"], milk["interval_days"], milk["due"]) == ("MILK", 7.0, True)
    assert (bread["name"], bread["interval_days"], bread["due"]) == ("BREAD", 14.0, False)
    assert (milk["days_since"], milk["usual_spend_minor"]) == (8.0, 200)
    assert [one["category"] for one in answer["categories"]] == ["OF milk", "OF bread"]
    assert [one["sku"] for one in answer["due_now"]] == ["milk"]


async def test_a_member_without_purchases_has_an_empty_profile(shop: Shop, call: Caller) -> None:
    await shop.enrol(MEMBER)
    answer = (await call.get(f"{ONE}/profile")).json()
    assert (answer["purchases"], answer["last_at"], answer["products"]) == (0, None, [])


async def test_recommendations_are_ranked_with_reasons(shop: Shop, call: Caller) -> None:
    await settled(shop)
    await shop.publish()
    await shop.issue()  # sums popularity
    answer = (await call.get(f"{ONE}/recommendations?k=3")).json()
    assert [one["sku"] for one in answer["data"]] == ["milk", "bread", "figs"]
    assert [one["known"] for one in answer["data"]] == [True, True, False]
    assert [one["reason"] for one in answer["data"]] == [
        "You buy milk about every 7 days; last bought 8 days ago.",
        "You buy bread about every 14 days; last bought 1 day ago.",
        "Many members buy figs; it would be new to you.",
    ]
    scores = [one["score"] for one in answer["data"]]
    assert scores == sorted(scores, reverse=True)
    assert len((await call.get(f"{ONE}/recommendations?k=1")).json()["data"]) == 1


async def test_a_new_member_is_recommended_what_is_popular(shop: Shop, call: Caller) -> None:
    await settled(shop)
    await shop.publish()
    await shop.issue()
    await shop.enrol(member(3))
    answer = (await call.get(f"/v1/members/{member(3)}/recommendations")).json()
    assert {one["sku"] for one in answer["data"]} == {"milk", "bread", "figs"}


async def test_fuel_is_neither_recommended_nor_usual(shop: Shop, call: Caller) -> None:
    await shop.list_products("petrol", category="FUEL")
    await shop.buy(*every(7, "petrol", "milk", times=4))
    profile = (await call.get(f"{ONE}/profile")).json()
    assert [one["sku"] for one in profile["products"]] == ["milk"]
    found = (await call.get(f"{ONE}/recommendations")).json()["data"]
    assert [one["sku"] for one in found] == ["milk"]


async def test_the_wallet_shows_each_offer_with_its_reason(shop: Shop, call: Caller) -> None:
    await settled(shop)
    await shop.publish(k=2)
    await shop.issue()
    answer = (await call.get(f"{ONE}/offers", role="app")).json()
    assert answer["next_cursor"] is None
    by_sku = {one["products"][0]["sku"]: one for one in answer["data"]}
    milk = by_sku["milk"]
    assert milk["title"] == "15 % off milk"
    assert milk["discount"] == {"kind": "percent", "percent": 15, "amount_minor": None}
    assert milk["products"] == [{"sku": "milk", "name": "MILK"}]
    assert milk["state"] == "issued"
    assert milk["reason"] == "You buy milk about every 7 days; last bought 8 days ago."
    assert milk["valid_until"] == (NOW + timedelta(days=14)).isoformat().replace("+00:00", "Z")


async def test_the_wallet_comes_in_pages_and_hides_what_ended(shop: Shop, call: Caller) -> None:
    await settled(shop)
    await shop.publish()
    await shop.issue()
    whole = (await call.get(f"{ONE}/offers")).json()["data"]
    assert len(whole) == 3
    paged = []
    cursor = ""
    while cursor is not None:
        page = (await call.get(f"{ONE}/offers?limit=2{cursor and '&cursor=' + cursor}")).json()
        paged += page["data"]
        cursor = page["next_cursor"]
    assert paged == whole
    shop.clock.advance(timedelta(days=15))
    assert (await call.get(f"{ONE}/offers")).json()["data"] == []
    past = (await call.get(f"{ONE}/offers?past=true")).json()["data"]
    assert {one["state"] for one in past} == {"expired"}


@pytest.mark.parametrize("what", ["profile", "recommendations", "offers"])
async def test_a_stranger_is_not_found(shop: Shop, call: Caller, what: str) -> None:
    await shop.buy(bought("milk", owner=member(9)))
    await shop.enrol(member(9), status="erased")
    for stranger in (UUID(int=404), member(9)):
        answer = await call.get(f"/v1/members/{stranger}/{what}")
        assert (answer.status_code, answer.json()["code"]) == (404, "member_not_found")


@pytest.mark.parametrize(
    "path", ["/v1/members/me/profile", f"{ONE}/offers?cursor=%00", f"{ONE}/recommendations?k=0"]
)
async def test_bad_requests_are_named(call: Caller, path: str) -> None:
    answer = await call.get(path)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"]
