"""Campaigns over HTTP, and who may call what."""

from typing import Any

import pytest

from services.offers.store import tables
from shared.contracts.credentials import Role
from tests.builders import MEMBER
from tests.service.offers.conftest import ROLES, Caller
from tests.service.offers.shop import CAMPAIGN, Shop, every

WEEKLY = "/v1/campaigns/weekly"


async def test_put_publish_issue(shop: Shop, call: Caller) -> None:
    await shop.enrol(MEMBER)
    await shop.list_products("milk")
    await shop.buy(*every(7, "milk", times=4))
    draft = (await call.put(WEEKLY, CAMPAIGN, "marketer")).json()
    assert (draft["status"], draft["published"]) == ("draft", None)
    published = (await call.post(f"{WEEKLY}:publish", role="marketer")).json()
    assert (published["status"], published["published"]) == ("published", published["draft"])
    run = (await call.post(f"{WEEKLY}:issue", role="marketer")).json()
    assert (run["campaign"], run["state"], run["offers"]) == ("weekly", "done", 1)
    again = (await call.post(f"{WEEKLY}:issue", role="marketer")).json()
    assert (again["offers"], again["spent_minor"]) == (1, run["spent_minor"])
    assert len(await shop.wallet()) == 1


async def test_putting_the_same_again_changes_nothing(call: Caller) -> None:
    first = (await call.put(WEEKLY, CAMPAIGN)).json()
    assert (await call.put(WEEKLY, CAMPAIGN)).json() == first
    listed = (await call.get("/v1/campaigns")).json()
    assert listed == {"data": [first], "next_cursor": None}
    assert (await call.get(WEEKLY)).json() == first


async def test_one_depth_stands_for_all_kinds(call: Caller) -> None:
    answer = (await call.put(WEEKLY, CAMPAIGN | {"depth_percent": 20})).json()
    assert answer["draft"]["depth_percent"] == {"due": 20, "habit": 20, "discovery": 20}


async def test_a_draft_does_not_issue(call: Caller) -> None:
    await call.put(WEEKLY, CAMPAIGN)
    answer = await call.post(f"{WEEKLY}:issue")
    assert (answer.status_code, answer.json()["code"]) == (409, "campaign_not_published")


async def test_a_verb_is_no_campaign_and_a_path_names_all_its_methods(call: Caller) -> None:
    verb = await call.put(f"{WEEKLY}:publish", CAMPAIGN)
    assert (verb.status_code, verb.headers["Allow"]) == (405, "POST")
    path = await call.post(WEEKLY)
    assert (path.status_code, path.headers["Allow"]) == (405, "GET, PUT")


@pytest.mark.parametrize("action", ["publish", "issue"])
async def test_a_campaign_that_nobody_put_is_not_found(call: Caller, action: str) -> None:
    answer = await call.post(f"/v1/campaigns/other:{action}")
    assert (answer.status_code, answer.json()["code"]) == (404, "campaign_not_found")


@pytest.mark.parametrize(
    "change",
    [
        {"k": 0},
        {"k": 21},
        {"k": "3"},
        {"budget_minor": -1},
        {"budget_minor": 1.5},
        {"currency": "usd"},
        {"depth_percent": 0},
        {"depth_percent": 91},
        {"depth_percent": {"due": 10}},
        {"validity_days": 0},
        {"margin_floor_percent": 100},
        {"period": "year"},
        {"title": "a\x00b"},
        {"surprise": True},
    ],
)
async def test_a_wrong_document_is_refused_and_not_kept(
    shop: Shop, call: Caller, change: dict[str, Any]
) -> None:
    answer = await call.put(WEEKLY, CAMPAIGN | change)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert next(iter(change)) in answer.json()["errors"][0]["field"]
    assert await shop.rows(tables.campaign) == []


async def test_another_currency_than_the_shop_s_is_refused(call: Caller) -> None:
    answer = await call.put(WEEKLY, CAMPAIGN | {"currency": "EUR"})
    assert (answer.status_code, answer.json()["code"]) == (422, "currency_not_supported")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", WEEKLY, {"marketer", "admin"}),
        ("POST", f"{WEEKLY}:publish", {"marketer", "admin"}),
        ("POST", f"{WEEKLY}:issue", {"marketer", "admin"}),
        ("GET", WEEKLY, {"marketer", "staff", "admin"}),
        ("GET", "/v1/campaigns", {"marketer", "staff", "admin"}),
        ("GET", f"/v1/members/{MEMBER}/profile", {"app", "marketer", "staff", "admin"}),
        ("GET", f"/v1/members/{MEMBER}/recommendations", {"app", "marketer", "staff", "admin"}),
        ("GET", f"/v1/members/{MEMBER}/offers", set(ROLES)),
        ("POST", "/v1/quotes", {"terminal", "app", "staff", "admin"}),
    ],
)
async def test_roles(call: Caller, method: str, path: str, allowed: set[Role]) -> None:
    assert (await call(method, path, role=None)).status_code == 401
    for role in ROLES:
        status = (await call(method, path, role=role)).status_code
        assert (status != 403) == (role in allowed), role
