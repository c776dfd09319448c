"""``POST /v1/programmes/{version}:backtest`` on a real topic."""

from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from aiokafka.admin import NewTopic

from deploy.local.kafka import LocalKafka
from services.loyalty.handlers import backtests
from services.loyalty.handlers.backtests import Bounds
from services.loyalty.store import tables
from shared.contracts.purchases import ReturnedLine
from shared.contracts.topics import TOPICS
from shared.errors import Refused
from shared.kafka import client
from tests import builders
from tests.builders import NOW
from tests.service.loyalty.desk import Desk
from tests.service.loyalty.test_programmes import DRAFT

pytestmark = pytest.mark.kafka

PARTITIONS = 3
ANN, BEN = UUID(int=1), UUID(int=2)


@pytest.fixture(name="topic")
def registered_topic() -> Iterator[str]:
    name = f"purchases-{uuid4().hex[:8]}"
    TOPICS[name] = replace(TOPICS["purchases"], name=name)
    yield name
    del TOPICS[name]


@pytest_asyncio.fixture(name="shop")
async def shop_with_a_draft(desk: Desk, kafka: LocalKafka, topic: str) -> AsyncGenerator[Desk]:
    """Return a desk that knows Kafka and a draft, with an empty topic."""
    settings = desk.context.settings.model_copy(update={"kafka_bootstrap_servers": kafka.bootstrap})
    desk.context = replace(desk.context, settings=settings)
    # The events are of a fixed day: by the broker's own default they would be deleted under a test.
    for_ever = NewTopic(topic, PARTITIONS, 1, topic_configs={"retention.ms": "-1"})
    async with client.admin(kafka.bootstrap) as admin:
        await admin.create_topics([for_ever])
    async with desk.client("marketer") as marketer:
        await marketer.put("/v1/programmes/v2", json=DRAFT)
    yield desk
    async with client.admin(kafka.bootstrap) as admin:
        await admin.delete_topics([topic])


async def send(desk: Desk, topic: str, *events: Any, at: datetime | None = None) -> None:
    """Publish events, each at its own time or ``at``; keyed as the relay does it."""
    bootstrap = desk.context.settings.kafka_bootstrap_servers
    async with client.producer(bootstrap, "test") as producer:
        for event in events:
            moment = int((at or event.time).timestamp() * 1_000)
            value = event.model_dump_json().encode()
            await producer.send_and_wait(
                topic, value, key=str(event.subject).encode(), timestamp_ms=moment
            )


def sale(number: int, member: UUID, cents: int = 1_000, days: int = 1) -> Any:
    return builders.purchase_recorded(
        receipt_no=str(number),
        member_id=member,
        occurred_at=NOW - timedelta(days=days),
        lines=[builders.line(category="BREAD", amount_minor=cents)],
    )


async def test_the_receipts_of_the_topic_are_settled_by_both_rules(shop: Desk, topic: str) -> None:
    bought, other = sale(1, ANN, 2_000), sale(2, BEN)
    back = ReturnedLine(line_no=1, quantity_milli=0, amount_minor=1_500)
    returned = builders.purchase_returned(bought.data, [back])
    long_ago = sale(3, BEN, days=30)
    await send(shop, topic, long_ago, bought, other, returned, other, bought)

    report = await backtests.backtest(shop.context, "v2", 2, topic=topic)

    # 5 dollars are left of the first: 50 points by the rules of the day, 5 by the draft.
    outcome = report.outcome
    assert (outcome.receipts, outcome.before, outcome.after) == (2, 150, 15)
    assert (outcome.losers, outcome.largest_losses[0].member_id) == (2, BEN)
    assert report.liability_difference_minor == -14  # 15 points are worth 1.5 cents, 150 worth 15
    assert (report.unreadable, report.stopped_by) == (0, None)
    for table in (tables.account, tables.entry, tables.receipt):
        assert await shop.rows(table) == []


async def test_only_what_was_published_since_then_is_read(shop: Desk, topic: str) -> None:
    await send(shop, topic, *(sale(number, ANN) for number in range(3)), at=NOW - timedelta(days=8))
    await send(shop, topic, sale(9, ANN), sale(10, BEN))

    report = await backtests.backtest(shop.context, "v2", 1, topic=topic)

    assert (report.events, report.outcome.receipts) == (2, 2)


async def test_a_bound_ends_it_and_is_named(shop: Desk, topic: str) -> None:
    await send(shop, topic, *(sale(number, ANN) for number in range(120)))

    by_events = await backtests.backtest(
        shop.context, "v2", 1, bounds=Bounds(events=50), topic=topic
    )
    by_time = await backtests.backtest(
        shop.context, "v2", 1, bounds=Bounds(within_s=0), topic=topic
    )

    assert (by_events.stopped_by, by_time.stopped_by) == ("events", "time")
    assert by_events.events == by_events.outcome.receipts == 50


async def test_one_runs_at_a_time(shop: Desk, topic: str) -> None:
    async with shop.context.backtests:
        with pytest.raises(Refused, match="backtest_running"):
            await backtests.backtest(shop.context, "v2", 1, topic=topic)


async def test_over_http_it_needs_kafka_a_version_and_some_weeks(desk: Desk) -> None:
    settings = desk.context.settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:1"})
    desk.context = replace(desk.context, settings=settings)
    async with desk.client("marketer") as marketer:
        await marketer.put("/v1/programmes/v2", json=DRAFT)
        path = "/v1/programmes/v2:backtest"
        away = await marketer.post(path, json={"weeks": 1})
        never = await marketer.post(path, json={"weeks": 0})
        unknown = await marketer.post("/v1/programmes/v3:backtest", json={"weeks": 1})

    assert (away.status_code, away.json()["code"]) == (503, "kafka_unavailable")
    assert never.status_code == 422
    assert (unknown.status_code, unknown.json()["code"]) == (404, "programme_version_unknown")


async def test_rules_on_the_member_see_the_tier_announced_by_then(shop: Desk, topic: str) -> None:
    gold = {
        "rule": "gold",
        "title": "Gold",
        "points_per_receipt": 70,
        "tiers": ["Gold"],
    }
    party = {"rule": "party", "title": "Party", "points_per_receipt": 5, "birthday": "month"}
    async with shop.client("marketer") as marketer:
        await marketer.put("/v1/programmes/v2", json=DRAFT | {"bonuses": [gold, party]})
    async with shop.client("admin") as clerk:
        born = {"birth_date": f"1990-{NOW - timedelta(days=1):%m}-01"}
        ben = UUID((await clerk.post("/v1/members", json=born)).json()["member_id"])
    lifts, later, other = sale(1, ANN, 40_000, days=3), sale(2, ANN), sale(3, ben)
    await shop.apply(lifts)
    await send(shop, topic, lifts, later, other)

    report = await backtests.backtest(shop.context, "v2", 1, topic=topic)

    # A point a dollar: 400, then 10 and 70 with Gold, and 10 and 5 in the month of the birthday.
    assert report.outcome.after == 400 + 80 + 15
    assert report.outcome.before == 4_000 + 100 + 100
