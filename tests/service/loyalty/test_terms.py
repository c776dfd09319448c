"""The worked cases of terms on a real Postgres, over HTTP; and in words."""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any

import pytest
import pytest_asyncio

from services.loyalty.handlers import holds
from services.loyalty.store import tables
from shared.contracts.loyalty import PointsWrittenOff
from shared.db import run_unit
from tests import builders
from tests.cases import terms
from tests.cases.terms import Step
from tests.service.loyalty.desk import Desk
from tests.service.loyalty.till import Till
from tests.unit.loyalty import programmes

NAMES = [case.name for case in terms.load()]


@pytest_asyncio.fixture(name="till")
async def open_till(desk: Desk) -> AsyncGenerator[Till]:
    """Open a till for a member who has nothing yet."""
    async with desk.client("terminal") as client:
        till = Till(desk, client)
        await till.enrol(0)
        yield till


@pytest.mark.parametrize("name", NAMES)
async def test_the_ledger_says_what_the_table_says(till: Till, name: str) -> None:
    (case,) = [one for one in terms.load(till.member_id) if one.name == name]
    desk = till.desk.under(case.programme)

    for step in case.steps:
        await bring_to(desk, step.at)
        await take(till, step)
    await bring_to(desk, case.until)

    entries = sorted(await desk.rows(tables.entry), key=lambda row: row.version)
    assert [f"{row.from_account}>{row.to_account} {row.points}" for row in entries] == case.entries
    (account,) = await desk.rows(tables.account)
    assert {name: getattr(account, name) for name in case.has} == case.has
    assert (await desk.audit()).ok
    ids = [event.id for event in await desk.published()]
    assert len(set(ids)) == len(ids)


async def bring_to(desk: Desk, at: datetime) -> None:
    """Let the clock say so, and the sweep come by."""
    if (await desk.rows(tables.entry)) == []:
        desk.clock.advance(at - desk.clock.now())
    desk.clock.advance(max(at, desk.clock.now()) - desk.clock.now())
    await run_unit(desk.db, lambda tx: holds.sweep(tx, desk.context))


async def take(till: Till, step: Step) -> None:
    """Do what a step says."""
    if step.event:
        await till.desk.apply(step.event)
    else:
        await till.act(await till.held(step.spend), "capture")


async def words(till: Till, many: int) -> list[tuple[int, str]]:
    """Return the newest entries in words, oldest first."""
    async with till.desk.client("staff") as client:
        answer = await client.get(f"/v1/members/{till.member_id}/entries?limit={many}")
    return [(one["points"], one["explain"]["words"]) for one in reversed(answer.json()["data"])]


async def test_what_the_shop_bears_is_told_in_words_and_to_the_others(till: Till) -> None:
    version = programmes.version(shortfall="down_to_zero")
    till.desk.under(programmes.small(version))
    bought = await till.earn(500)
    await till.act(await till.held(400), "capture")

    await till.desk.apply(builders.purchase_returned(bought.data))
    assert await till.has() == (0, 0, 0, 0)
    await till.earn(150, occurred_at=builders.NOW.replace(hour=1))

    assert await till.has() == (0, 0, 0, 0)
    told: list[Any] = [
        one for one in await till.desk.published("loyalty") if isinstance(one, PointsWrittenOff)
    ]
    assert [(one.data.points, one.data.explain) for one in told] == [
        (400, "There were not as many; the shop bears the rest: 400 points."),
        (-150, "There were more than it seemed; the shop bears less: 150 points."),
    ]
    said = await words(till, 4)
    assert said[1] == (400, told[0].data.explain)
    assert said[3] == (-150, told[1].data.explain)
