"""Rewards in the documents of the programme: checked when they are put, there once published."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.loyalty.store import tables
from tests.service.loyalty.desk import Desk

DOCUMENT: dict[str, Any] = {
    "rounding": "floor_per_line",
    "base": {"rule": "base", "title": "One a dollar", "points_per_unit": 1},
    "expiry": {"months": 12},
}


def reward(**fields: Any) -> dict[str, Any]:
    return {"reward": "cup", "title": "Cup", "points": 10, "kind": "product", "sku": "C", **fields}


@pytest.mark.parametrize(
    ("rewards", "path", "message"),
    [
        ([reward(sku=None)], "rewards.0", "must have sku"),
        ([reward(percent=5)], "rewards.0", "must not have percent"),
        ([reward(kind="percent", sku=None, percent=101)], "rewards.0.percent", "100"),
        ([reward(kind="amount", sku=None)], "rewards.0", "must have amount_minor"),
        ([reward(kind="experience")], "rewards.0", "must not have sku"),
        ([reward(), reward()], "", "two rewards have the name cup"),
        ([reward(tiers=["Bronze"])], "rewards.0.tiers", "no tier Bronze"),
        ([reward(points=0)], "rewards.0.points", "greater"),
        ([reward(available_from=1_700_000_000)], "rewards.0.available_from", "RFC 3339"),
        ([reward(per_member={"times": 1, "per": "week"})], "rewards.0.per_member.per", "'ever'"),
    ],
)
async def test_a_document_whose_rewards_make_no_sense_is_refused(
    desk: Desk, rewards: list[Any], path: str, message: str
) -> None:
    body = DOCUMENT | {"rewards": rewards}
    async with desk.client("marketer") as client:
        refused = await client.put("/v1/programmes/v2", json=body)
        told = (await client.post("/v1/programmes/v2:validate", json=body)).json()["problems"]

    assert refused.status_code == 422
    (error,) = refused.json()["errors"]
    assert (error["field"].removeprefix("body").strip("."), told[0]["path"]) == (path, path)
    assert message in error["message"]
    assert await desk.rows(tables.programme_version) == []


async def test_rewards_are_published_with_the_rules(desk: Desk) -> None:
    body = DOCUMENT | {
        "rewards": [
            reward(
                tiers=["Gold"],
                per_member={"times": 1, "per": "month"},
                available_from="2026-12-01T00:00:00-05:00",
            )
        ]
    }
    async with desk.client("marketer") as client:
        await client.put("/v1/programmes/v2", json=body)
        await client.post("/v1/programmes/v2:publish", json={})
        known = (await client.put("/v1/rewards/cup/stock", json={"stock": 3})).json()
        desk.clock.advance(timedelta(minutes=2))
        desk.seconds += 60
        (shown,) = (await client.get("/v1/rewards")).json()["data"]

    assert known["left"] == 3
    assert (shown["reward_id"], shown["tiers"], shown["left"]) == ("cup", ["Gold"], 3)
    assert shown["per_member"] == {"times": 1, "per": "month"}
    assert datetime.fromisoformat(shown["available_from"]) == datetime(2026, 12, 1, 5, tzinfo=UTC)
