"""``POST /v1/previews``: what a basket would earn, which is what the ledger then posts."""

import random
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.loyalty.domain.bonuses import Bonus, Hours
from services.loyalty.domain.caps import Cap
from services.loyalty.domain.conditions import compile_condition
from services.loyalty.store import tables
from tests import builders
from tests.builders import MEMBER, NOW
from tests.service.loyalty.desk import Desk
from tests.unit.loyalty import programmes

BONUSES = (
    Bonus("bread", "Bread", points_per_unit=5, categories=frozenset({"BREAD"})),
    Bonus("sku", "The b", multiplier_percent=150, skus=frozenset("b"), stacking="best_of"),
    Bonus("early", "Early", points_per_unit=3, hours=Hours(360, 720), stacking="best_of"),
    Bonus("big", "Big", points_per_receipt=40, minimum_spend_minor=2_000),
    Bonus("app", "App", points_per_unit=9, sales_channels=frozenset({"app"}), stacking="exclusive"),
    Bonus("odd", "Odd", points_per_receipt=7, when=compile_condition("60 / (hour - 9) > 1")),
)
CAPS = (
    Cap("receipt-cap", "At most 400 a receipt", "receipt", 400),
    Cap("daily-cap", "At most 900 a day", "day", 900),
)
PROGRAMME = programmes.small(programmes.version(bonuses=BONUSES, caps=CAPS))


def body(event: Any) -> dict[str, Any]:
    """Return the purchase that led to an event, as a till would send it."""
    data = event.data
    lines = [
        {
            "line_no": one.line_no,
            "sku": one.sku,
            "category": one.category,
            "quantity": f"{one.quantity_milli / 1000:.3f}",
            "amount_minor": one.amount_minor,
        }
        for one in data.lines
    ]
    return {
        "store_id": data.store_id,
        "terminal_id": data.terminal_id,
        "receipt_no": data.receipt_no,
        "business_date": data.business_date.isoformat(),
        "occurred_at": data.occurred_at.isoformat(),
        "sales_channel": data.sales_channel,
        "member": {"member_id": str(data.member_id)},
        "currency": data.currency,
        "lines": lines,
        "total_minor": data.total_minor,
    }


def some_purchase(dice: random.Random, number: int) -> Any:
    lines = [
        builders.line(
            no,
            sku=dice.choice("abcd"),
            category=dice.choice(["BREAD", "BANANAS", "FUEL", None]),
            quantity_milli=dice.randrange(0, 4_000),
            amount_minor=dice.randrange(0, 3_000),
        )
        for no in range(1, dice.randrange(2, 6))
    ]
    return builders.purchase_recorded(
        receipt_no=str(number),
        member_id=dice.choice([MEMBER, UUID(int=7)]),
        identified_by="member_id",
        sales_channel=dice.choice(["pos", "pos", "app"]),
        occurred_at=NOW + timedelta(hours=dice.randrange(0, 60)),
        lines=lines,
    )


async def test_a_preview_is_what_the_ledger_posts_for_the_same_purchase(desk: Desk) -> None:
    dice = random.Random(20261126)
    desk.under(PROGRAMME)
    reasons: set[str] = set()
    async with desk.client() as client:
        for number in range(30):
            bought = some_purchase(dice, number)
            answer = await client.post("/v1/previews", json=body(bought))
            assert answer.status_code == 200, answer.text
            shown = answer.json()
            await desk.apply(bought)

            (posted,) = [
                row
                for row in await desk.rows(tables.receipt)
                if row.receipt_id == bought.data.receipt_id
            ]
            assert (shown["points"], shown["desired_points"], shown["qualifying_minor"]) == (
                posted.posted,
                posted.desired,
                posted.qualifying_minor,
            )
            assert sum(one["points"] for one in shown["lines"]) == posted.desired
            reasons |= {reason["code"] for one in shown["rules"] for reason in one["reasons"]}

    # So that all of it was tried.
    assert reasons >= {"lost", "hours", "sales_channel", "condition_failed", "minimum_spend"}
    assert (await desk.audit()).ok


async def test_a_preview_says_of_each_rule_why_not(desk: Desk) -> None:
    desk.under(PROGRAMME)
    bought = builders.purchase_recorded(
        identified_by="member_id",
        lines=[
            builders.line(1, sku="b", category="BANANAS", amount_minor=1_000),
            builders.line(2, sku="x", category="FUEL", amount_minor=3_000),
        ],
    )
    async with desk.client("terminal") as client:
        shown = (await client.post("/v1/previews", json=body(bought))).json()

    assert (shown["points"], shown["version"]) == (250, "v1")
    assert [one["words"] for one in shown["lines"]] == [
        (
            "Line 1: 10.00 USD × 25 per USD = 250 points, rounded down "
            "(Fresh produce counts double + The b)."
        ),
        "Line 2: 30.00 USD earns nothing (Fuel earns nothing).",
    ]
    why = {one["rule"]: [reason["words"] for reason in one["reasons"]] for one in shown["rules"]}
    assert why == {
        "base": [],
        "fresh": [],
        "bread": ["No line of the receipt counts for it."],
        "sku": [],
        "early": ["Lost to: The b."],
        "big": ["Only from a spend of 2000 in minor units; this is 1000."],
        "app": ["Only for the sales channels app; this is pos."],
        "odd": ["60 / (hour - 9) > 1 is false."],
        "fuel": [],
        "receipt-cap": ["It leaves the 250 points of this receipt as they are."],
        "daily-cap": ["It leaves the 250 points of this receipt as they are."],
    }


async def test_a_preview_writes_nothing_and_needs_neither_member_nor_number(desk: Desk) -> None:
    basket = {
        "store_id": "0042",
        "currency": "USD",
        "member": {"card": "nobody-has-this"},
        "lines": [{"line_no": 1, "sku": "b", "quantity": "1", "amount_minor": 1_000}],
    }
    async with desk.client() as client:
        shown = (await client.post("/v1/previews", json=basket)).json()
        other = (await client.post("/v1/previews", json=basket | {"currency": "EUR"})).json()

    assert (shown["member_id"], shown["points"]) == (None, 100)
    assert (other["version"], other["points"], other["rules"]) == (None, 0, [])
    for table in (tables.account, tables.entry, tables.receipt, tables.lot):
        assert await desk.rows(table) == []
    assert await desk.published() == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        pytest.param({"total_minor": 1}, "", id="another total"),
        pytest.param({"surprise": 1}, "surprise", id="unknown field"),
        pytest.param({"lines": []}, "lines", id="nothing bought"),
        pytest.param({"member": {"card": "1", "phone": "2"}}, "member", id="two members"),
    ],
)
async def test_a_basket_that_can_not_be_one_is_refused(
    desk: Desk, changes: dict[str, Any], field: str
) -> None:
    async with desk.client() as client:
        answer = await client.post(
            "/v1/previews", json=body(builders.purchase_recorded()) | changes
        )

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert field in answer.json()["detail"]


async def test_a_version_that_nobody_put_is_not_found(desk: Desk) -> None:
    basket = body(builders.purchase_recorded()) | {"version": "v9"}
    async with desk.client() as client:
        answer = await client.post("/v1/previews", json=basket)

    assert (answer.status_code, answer.json()["code"]) == (404, "programme_version_unknown")
