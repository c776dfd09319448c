"""What previews say of challenges, and of waiting for approval, is what then happens."""

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from services.loyalty.domain.challenges import Challenge
from services.loyalty.domain.terms import Pending
from services.loyalty.store import tables
from shared.contracts.loyalty import PointsAwarded
from tests import builders
from tests.builders import MEMBER, NOW
from tests.service.loyalty.desk import Desk
from tests.service.loyalty.test_previews import body, some_purchase
from tests.unit.loyalty import programmes

REGULAR = Challenge("regular", "Two visits a week, twice", 500, "visits", 2, "week", periods=2)
SPENDER = Challenge("spender", "60 dollars in a month", 300, "spend_minor", 6_000, "month")
FIRST = Challenge("first", "Your first purchase", 100, "visits", 1, "ever", once=True)
FRUIT = Challenge(
    "fruit", "Fruit", 50, "quantity_milli", 4_000, "day", categories=frozenset({"BANANAS"})
)
RULES = replace(
    programmes.version(pending=Pending(approval_above=400)),
    challenges=(REGULAR, SPENDER, FIRST, FRUIT),
)


async def awarded(desk: Desk) -> Counter[str]:
    """Return how many points each challenge has given so far."""
    given = Counter[str]()
    for event in await desk.published("loyalty"):
        if isinstance(event, PointsAwarded):
            given[event.data.rule] += event.data.points
    return given


async def test_what_a_preview_says_is_what_the_sale_then_does(desk: Desk) -> None:
    """Sales of two members over weeks, some of them earlier than those before."""
    dice = random.Random(20261126)
    desk.under(programmes.small(RULES))
    waited: set[bool] = set()
    gains: set[tuple[str, int]] = set()
    async with desk.client() as client:
        for number in range(40):
            bought = some_purchase(dice, number)
            at = NOW - timedelta(hours=dice.randrange(0, 24 * 40))
            bought = bought.model_copy(
                update={"data": bought.data.model_copy(update={"occurred_at": at})}
            )
            shown = (await client.post("/v1/previews", json=body(bought))).json()
            before = await awarded(desk)
            await desk.apply(bought)
            again = (await client.post("/v1/previews", json=body(bought))).json()
            after = await awarded(desk)

            expected = {one["rule"]: one["points"] for one in shown["challenges"]}
            assert {rule: n for rule, n in expected.items() if n} == dict(after - before)
            assert not before - after
            (posted,) = [
                row
                for row in await desk.rows(tables.receipt)
                if row.receipt_id == bought.data.receipt_id
            ]
            assert shown["needs_approval"] == (posted.approval == "waiting")
            assert again["challenges"] == shown["challenges"]
            waited.add(shown["needs_approval"])
            gains |= set(expected.items())

    # So that all of it was tried.
    assert waited == {True, False}
    assert gains > {(one.rule, one.points) for one in RULES.challenges}


async def test_a_preview_says_how_far_the_basket_comes(desk: Desk) -> None:
    desk.under(programmes.small(RULES))
    monday = NOW - timedelta(days=4)
    sales = [
        builders.purchase_recorded(
            receipt_no=str(number),
            occurred_at=monday + timedelta(days=days),
            lines=[builders.line(category="BREAD", amount_minor=2_500)],
        )
        for number, days in enumerate([-7, -6, 0, 1])
    ]
    await desk.apply(*sales[:3])
    async with desk.client("terminal") as client:
        shown = (await client.post("/v1/previews", json=body(sales[3]))).json()
        nobody = body(sales[3]) | {"member": {"card": "nobody-has-this"}}
        other = body(sales[3]) | {"member": {"member_id": str(UUID(int=9))}}
        unknown, new = [
            (await client.post("/v1/previews", json=one)).json() for one in (nobody, other)
        ]

    regular, spender = shown["challenges"]
    assert (regular["rule"], regular["so_far"], regular["so_far_after"]) == ("regular", 1, 2)
    assert (regular["reaches_goal"], regular["points"]) == (True, 500)
    assert (spender["so_far"], spender["so_far_after"]) == (7_500, 10_000)
    assert (spender["reaches_goal"], spender["points"]) == (False, 0)
    assert unknown["challenges"] is None
    assert [(one["rule"], one["points"]) for one in new["challenges"]] == [
        ("regular", 0),
        ("spender", 0),
        ("first", 100),
    ]


async def test_a_draft_is_tried_with_its_own_challenges(desk: Desk) -> None:
    desk.under(programmes.small(replace(RULES, challenges=(FIRST,))))
    draft: dict[str, Any] = {
        "effective_from": "2027-01-01T00:00:00Z",
        "rounding": "floor_per_line",
        "base": {"rule": "base", "title": "Base", "points_per_unit": 1},
        "expiry": {"months": 12},
        "challenges": [
            {
                "rule": "breakfast",
                "title": "Bread",
                "points": 70,
                "count": "spend_minor",
                "goal": 1_000,
                "per": "day",
            }
        ],
    }
    sale = builders.purchase_recorded(
        member_id=MEMBER, lines=[builders.line(category="BREAD", amount_minor=1_200)]
    )
    async with desk.client("admin") as client:
        put = await client.put("/v1/programmes/v2", json=draft)
        assert put.status_code in {200, 201}, put.text
        shown = (await client.post("/v1/previews", json=body(sale) | {"version": "v2"})).json()

    [breakfast] = shown["challenges"]
    assert (breakfast["rule"], breakfast["so_far_after"], breakfast["points"]) == (
        "breakfast",
        1_200,
        70,
    )
    assert not shown["needs_approval"]
