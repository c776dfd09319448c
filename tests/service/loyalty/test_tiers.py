"""Tiers on a real database: what is announced, when, and exactly once."""

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from services.loyalty import jobs
from services.loyalty.domain.ladder import TierPolicy
from services.loyalty.handlers import tiers
from services.loyalty.store import tables
from shared.contracts.purchases import ReturnedLine
from shared.db import run_unit
from tests import builders
from tests.builders import NOW
from tests.conftest import MakeDatabase
from tests.service.loyalty.desk import Desk
from tests.unit.loyalty import programmes

GRACE = TierPolicy(grace_days=30, notice_days=14)
OTHER = UUID(int=7)


class Shop:
    """A member who buys, and what is announced of their tier."""

    def __init__(self, desk: Desk, client: Any, member_id: UUID) -> None:
        self.desk, self.client, self.member_id = desk, client, member_id
        self.receipts = 0

    def sold(self, cents: int, at: datetime | None = None, **more: Any) -> Any:
        self.receipts += 1
        about: dict[str, Any] = {"member_id": self.member_id, **more}
        line = builders.line(category="BREAD", amount_minor=cents)
        at = at or self.desk.clock.now()
        return builders.purchase_recorded(
            None, receipt_no=str(self.receipts), occurred_at=at, lines=[line], **about
        )

    def back(self, event: Any, cents: int, at: datetime | None = None) -> Any:
        part = ReturnedLine(line_no=1, quantity_milli=0, amount_minor=cents)
        time = at or self.desk.clock.now()
        return builders.purchase_returned(event.data, [part], time=time)

    async def later(self, **by: float) -> None:
        self.desk.clock.advance(timedelta(**by))
        await jobs.review_tiers(self.desk.context)

    async def tier(self) -> dict[str, Any]:
        answer = await self.client.get(f"/v1/members/{self.member_id}/balance")
        return answer.json()["tier"]

    async def told(self, kind: str = "tier.changed.v1") -> list[Any]:
        events = await self.desk.published("loyalty")
        return [event for event in events if event.type == kind]

    async def changes(self) -> list[tuple[str | None, str | None]]:
        return [(event.data.previous, event.data.tier) for event in await self.told()]


@pytest_asyncio.fixture(name="shop")
async def open_shop(desk: Desk) -> AsyncGenerator[Shop]:
    desk.under(programmes.small(policy=GRACE))
    async with desk.client() as client:
        body = {"identifiers": [{"kind": "card", "value": "1"}]}
        answer = await client.post("/v1/members", json=body)
        yield Shop(desk, client, UUID(answer.json()["member_id"]))


async def test_a_return_leaves_the_tier_for_its_grace_with_a_notice_in_time(shop: Shop) -> None:
    sale = shop.sold(30_000)
    await shop.desk.apply(sale)
    await shop.later(hours=1)
    await shop.desk.apply(shop.back(sale, 25_000))

    tier = await shop.tier()
    assert (tier["name"], tier["falls_to"]) == ("Gold", None)
    assert tier["falls_at"] == "2026-12-20T13:00:00Z"
    assert (tier["to_stay"]["missing"], tier["to_stay"]["by"]) == (25_000, "2026-12-20")
    assert await shop.told("tier.notice.v1") == []

    await shop.later(days=16, seconds=1)
    await shop.later(hours=1)
    [notice] = await shop.told("tier.notice.v1")
    assert (notice.data.tier, notice.data.falls_to, notice.data.missing) == ("Gold", None, 25_000)
    assert notice.data.explain == (
        "Gold lasts until 2026-12-20, then you have no tier. "
        "250.00 USD more by 2026-12-20 would keep it."
    )

    await shop.later(days=14)
    assert await shop.changes() == [(None, "Gold"), ("Gold", None)]
    assert [event.data.rose for event in await shop.told()] == [True, False]
    assert (await shop.told())[-1].time == NOW + timedelta(days=30, hours=1)
    assert (await shop.tier())["name"] is None
    assert len(await shop.told("tier.notice.v1")) == 1


async def test_who_re_earns_in_grace_hears_of_nothing_more(shop: Shop) -> None:
    sale = shop.sold(10_000)
    await shop.desk.apply(sale, shop.sold(1_000))
    await shop.later(hours=1)
    await shop.desk.apply(shop.back(sale, 5_000))
    await shop.later(days=20)

    await shop.desk.apply(shop.sold(5_000))
    await shop.later(days=60)

    assert await shop.changes() == [(None, "Silver")]
    assert len(await shop.told("tier.notice.v1")) == 1
    assert (await shop.tier())["falls_at"] is None


async def test_new_year_alone_takes_a_tier_after_notice_and_grace(shop: Shop) -> None:
    await shop.desk.apply(shop.sold(12_000))

    shop.desk.clock.advance(datetime(2028, 1, 17, 5, tzinfo=NOW.tzinfo) - NOW)
    await shop.later(seconds=-1)
    assert await shop.told("tier.notice.v1") == []
    await shop.later(seconds=1)
    [notice] = await shop.told("tier.notice.v1")
    assert notice.data.falls_at.isoformat() == "2028-01-31T05:00:00+00:00"
    await shop.later(days=14)

    assert await shop.changes() == [(None, "Silver"), ("Silver", None)]
    newest: Any = (await shop.desk.published("members"))[-1]
    assert (newest.data.version, newest.data.tier) == (3, None)


async def test_the_job_run_twice_and_by_two_at_once_announces_once(shop: Shop) -> None:
    others = [UUID(int=number + 100) for number in range(30)]
    await shop.desk.apply(*(shop.sold(12_000, member_id=one) for one in others))
    shop.desk.clock.advance(timedelta(days=800))

    async def review() -> None:
        # In chunks that overlap: both processes find the same members due.
        for _ in range(6):
            await run_unit(
                shop.desk.db, lambda tx: tiers.review_due(tx, shop.desk.context, limit=20)
            )

    await asyncio.gather(review(), review())
    await review()

    fallen = [event.data.member_id for event in await shop.told() if event.data.tier is None]
    assert sorted(fallen) == others
    rows = await shop.desk.rows(tables.account)
    assert {(row.tier, row.tier_review_at) for row in rows} == {(None, None)}


async def test_a_job_that_dies_in_the_middle_has_announced_nothing(shop: Shop) -> None:
    await shop.desk.apply(shop.sold(12_000))
    shop.desk.clock.advance(timedelta(days=800))

    async def dies(tx: Any) -> None:
        await tiers.review_due(tx, shop.desk.context)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await run_unit(shop.desk.db, dies)
    assert len(await shop.changes()) == 1

    await shop.later()
    assert await shop.changes() == [(None, "Silver"), ("Silver", None)]


async def test_a_late_sale_from_before_the_return_gives_back_what_had_fallen(shop: Shop) -> None:
    sale = shop.sold(10_000)
    await shop.desk.apply(sale)
    await shop.later(days=2)
    await shop.desk.apply(shop.back(sale, 5_000))
    await shop.later(days=40)
    assert (await shop.tier())["name"] is None

    await shop.desk.apply(shop.sold(6_000, NOW + timedelta(days=1)))

    tier = await shop.tier()
    assert (tier["name"], tier["since"]) == ("Silver", "2026-11-20T12:00:00Z")
    assert await shop.changes() == [(None, "Silver"), ("Silver", None), (None, "Silver")]


async def test_a_receipt_that_moves_takes_its_tier_along_without_grace(shop: Shop) -> None:
    sale = shop.sold(10_000)
    await shop.desk.apply(sale)
    await shop.desk.apply(builders.purchase_attributed(sale.data, OTHER))

    assert (await shop.tier())["name"] is None
    told = [(event.data.member_id, event.data.tier) for event in await shop.told()]
    assert sorted(told[1:], key=str) == sorted([(shop.member_id, None), (OTHER, "Silver")], key=str)


async def test_the_history_is_told_in_words_page_by_page(shop: Shop) -> None:
    await shop.desk.apply(shop.sold(12_000))
    await shop.desk.apply(shop.sold(20_000))
    path = f"/v1/members/{shop.member_id}/tiers"

    first = (await shop.client.get(path, params={"limit": 1})).json()
    after = {"limit": 1, "cursor": first["next_cursor"]}
    second = (await shop.client.get(path, params=after)).json()

    [gold], [silver] = first["data"], second["data"]
    assert (gold["previous"], gold["tier"]) == ("Silver", "Gold")
    assert gold["reason"] == "Best net spend of 2025 and 2026: 320.00 USD."
    assert (silver["previous"], silver["tier"], second["next_cursor"]) == (None, "Silver", None)


async def test_nobody_elses_tiers_are_shown(shop: Shop) -> None:
    answer = await shop.client.get(f"/v1/members/{OTHER}/tiers")

    assert (answer.status_code, answer.json()["code"]) == (404, "member_unknown")


@pytest.mark.parametrize(
    "policy",
    [
        GRACE,
        TierPolicy(),
        TierPolicy(rolling_months=2, grace_days=20, notice_days=9),
        TierPolicy(grace_days=20, downgrade="one_step"),
    ],
    ids=["grace", "default", "rolling", "one step"],
)
async def test_any_order_and_batching_ends_in_the_same_tiers(
    desk: Desk, make_database: MakeDatabase, policy: TierPolicy
) -> None:
    other_desk = Desk(await make_database("loyalty"))
    chance = random.Random(46)
    members = [UUID(int=number + 1) for number in range(6)]
    events = history(desk, members, chance)
    shuffled = events + chance.choices(events, k=20)
    chance.shuffle(shuffled)

    standings: list[Any] = []
    for one, order, size in ((desk, events, 1), (other_desk, shuffled, 9)):
        one.under(programmes.small(policy=policy)).clock.advance(timedelta(days=60))
        for at in range(0, len(order), size):
            await one.apply(*order[at : at + size])
        await jobs.review_tiers(one.context)
        rows = await one.rows(tables.account)
        standings.append({row.member_id: (row.tier, row.tier_review_at) for row in rows})

    assert standings[0] == standings[1]
    assert len({tier for tier, _ in standings[0].values()}) > 1


def history(desk: Desk, members: Sequence[UUID], chance: random.Random) -> list[Any]:
    shop, events = Shop(desk, None, members[0]), list[Any]()
    for _ in range(60):
        at = NOW - timedelta(days=chance.randint(0, 90))
        event = shop.sold(chance.randint(5, 40) * 100, at, member_id=chance.choice(members))
        events.append(event)
        if chance.random() < 0.5:
            paid = event.data.total_minor
            event = shop.back(event, chance.randint(1, paid), at + timedelta(days=9))
            events.append(event)
        if chance.random() < 0.1:
            events.append(builders.purchase_attributed(event.data, chance.choice(members)))
    return events
