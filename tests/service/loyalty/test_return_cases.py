"""The worked cases of returns on a real Postgres, and what caps do between transactions."""

import asyncio
import random
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from services.loyalty.domain.accounts import gain
from services.loyalty.domain.caps import Cap
from services.loyalty.store import tables
from tests import builders
from tests.builders import MEMBER, NOW
from tests.cases import returns
from tests.cases.returns import Case
from tests.conftest import MakeDatabase
from tests.service.loyalty.desk import Desk
from tests.unit.loyalty import programmes

CASES = returns.load()
OTHER = UUID(int=7)
DAILY = Cap("daily", "At most 500 points a day", "day", 500)


def sale(number: int, hours: int, cents: int, member: UUID = MEMBER) -> Any:
    """Build a sale of the demo day; 10 points per dollar."""
    at = NOW.replace(hour=12) + timedelta(hours=hours)
    lines = [builders.line(category="BREAD", amount_minor=cents)]
    return builders.purchase_recorded(
        receipt_no=str(number), occurred_at=at, member_id=member, lines=lines
    )


@pytest.mark.parametrize("case", [pytest.param(one, id=one.name) for one in CASES])
async def test_the_ledger_says_what_the_table_says(desk: Desk, case: Case) -> None:
    desk.under(case.programme)
    desk.clock.advance(timedelta(days=30))  # to after the last sale of the table

    for event in case.events:
        await desk.apply(event)

    entries = sorted(await desk.rows(tables.entry), key=lambda row: (row.member_id, row.version))
    expected = sorted(case.entries, key=lambda posted: posted[1])  # stable: in order per member
    assert [
        (
            case.letters[row.receipt_id],
            row.member_id,
            gain(row.from_account, row.to_account, row.points),
        )
        for row in entries
    ] == expected
    receipts = await desk.rows(tables.receipt)
    assert {case.letters[row.receipt_id]: row.posted for row in receipts} == case.worth
    assert (await desk.audit()).ok
    ids = [event.id for event in await desk.published()]
    assert len(set(ids)) == len(ids)


async def test_an_entry_names_the_cap_and_the_other_receipt_that_moved_it(desk: Desk) -> None:
    desk.under(programmes.small(programmes.version(caps=(DAILY,))))
    async with desk.client() as client:
        member = (await client.post("/v1/members", json={})).json()["member_id"]
        first, second = sale(1, 0, 4_000, UUID(member)), sale(2, 1, 3_000, UUID(member))
        await desk.apply(first, second)
        await desk.apply(builders.purchase_returned(first.data))
        entries = (await client.get(f"/v1/members/{member}/entries")).json()["data"]

    moved, taken, capped, _ = entries
    assert [entry["points"] for entry in entries] == [200, -400, 100, 400]
    assert capped["explain"]["words"] == (
        "Purchase: 100 points (10 points per dollar: 300; At most 500 points a day: 100 of 300)."
    )
    assert (capped["explain"]["desired_points"], capped["explain"]["capped_by"]) == (300, "daily")
    assert moved["cause_id"] == taken["cause_id"]
    assert moved["receipt_id"] == str(second.data.receipt_id)
    assert moved["explain"]["words"] == (
        "Another receipt under the same cap has changed: the receipt is worth 300 points, "
        "100 had been posted, so +200."
    )
    assert moved["explain"]["capped_by"] is None
    event = (await desk.published("loyalty"))[-1]
    assert event.model_dump()["data"]["explain"] == (
        "Another receipt under the same cap has changed: now worth 300 points, "
        "100 were posted before."
    )


async def test_batches_that_race_for_a_cap_share_it_by_the_time_of_the_sale(
    desk: Desk, make_database: MakeDatabase
) -> None:
    """Each batch sees, under the lock of the account, what the one before it left."""
    dice = random.Random(20261126)
    programme = programmes.small(programmes.version(caps=(DAILY,)))
    events = [
        sale(
            number,
            dice.randrange(-30, 30),
            dice.randrange(100, 2_000),
            dice.choice([MEMBER, OTHER]),
        )
        for number in range(120)
    ]
    in_order = Desk(await make_database("loyalty")).under(programme)
    await in_order.apply(*sorted(events, key=lambda event: event.data.occurred_at))
    desk.under(programme)

    async with asyncio.TaskGroup() as group:
        for at in range(0, len(events), 15):
            group.create_task(desk.apply(*events[at : at + 15]))

    assert await _worth(desk) == await _worth(in_order)
    assert (await desk.audit()).ok


async def _worth(desk: Desk) -> dict[UUID, int]:
    return {row.receipt_id: row.posted for row in await desk.rows(tables.receipt)}


async def test_receipts_from_before_the_upgrade_keep_what_they_have(desk: Desk) -> None:
    """What was worth nothing then has no time, and takes nothing from a cap."""
    desk.under(programmes.small(programmes.version(caps=(DAILY,))))
    old = sale(1, 0, 1_000)
    await desk.apply(old)
    async with desk.db.transaction() as tx:
        await tx.execute(
            tables.receipt.update().values(
                occurred_at=None, store_id=None, programme_version=None, desired=0
            )
        )
        assert await tx.scalar(sa.select(tables.receipt.c.posted)) == 100

    await desk.apply(sale(2, 1, 6_000))
    await desk.apply(builders.purchase_returned(old.data))

    assert await desk.entries(MEMBER) == [100, 500, -100]
    assert (await desk.audit()).ok
