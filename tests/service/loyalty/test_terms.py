"""The worked cases of terms on a real Postgres, over HTTP; and in words."""

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from services.loyalty.domain.programme import Programme
from services.loyalty.domain.terms import Expiry, Pending
from services.loyalty.handlers import holds
from services.loyalty.store import liability, tables
from shared.contracts.loyalty import PointsActivated, PointsExpired, PointsWrittenOff
from shared.db import run_unit
from tests import builders
from tests.cases import terms
from tests.cases.terms import Step
from tests.service.loyalty.desk import Desk
from tests.service.loyalty.till import Till
from tests.unit.loyalty import programmes

IDLE = Expiry(inactive_months=3)
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


async def test_it_is_announced_once_when_points_begin_that_had_to_wait(till: Till) -> None:
    """Fourteen days after 20 November the day begins at five in the morning; in New York."""
    till.desk.under(programmes.small(programmes.version(pending=Pending(days=14))))
    bought = await till.earn(100)
    await bring_to(till.desk, builders.NOW + timedelta(days=13))
    assert await till.has() == (0, 100, 0, 0)

    for _ in range(2):
        await bring_to(till.desk, builders.NOW + timedelta(days=15))

    assert await till.has() == (100, 0, 0, 0)
    (told,) = [e for e in await till.desk.published("loyalty") if isinstance(e, PointsActivated)]
    assert (told.time, told.subject) == (datetime(2026, 12, 4, 5, tzinfo=UTC), str(till.member_id))
    assert (told.data.lot_id, told.data.points) == (bought.data.receipt_id, 100)
    assert (told.data.available, told.data.expires_at) == (
        100,
        datetime(2027, 12, 1, 5, tzinfo=UTC),
    )
    assert [told.data.explain] == [said for _, said in await words(till, 1)]


def idle(**more: Any) -> Programme:
    return programmes.small(programmes.version(expiry=IDLE, **more))


async def shown(till: Till) -> tuple[Any, list[Any]]:
    """Return the next expiry, and the lots with their ends."""
    async with till.desk.client("staff") as client:
        balance = (await client.get(f"/v1/members/{till.member_id}/balance")).json()
        lots = (await client.get(f"/v1/members/{till.member_id}/lots")).json()["data"]
    return balance["next_expiry"], [(one["remaining"], one["expires_at"]) for one in lots]


async def test_the_end_by_inactivity_is_shown_as_things_stand(till: Till) -> None:
    """The clock says 20 November; in New York."""
    till.desk.under(idle())
    await till.earn(100)
    end, moved = "2027-02-21T05:00:00Z", "2027-03-06T05:00:00Z"
    assert await shown(till) == ({"at": end, "points": 100}, [(100, end)])

    till.desk.clock.advance(timedelta(days=15))
    await till.act(await till.held(30), "capture")
    async with till.desk.client("admin") as office:
        body = {"member_id": str(till.member_id), "points": 7, "reason": "goodwill"}
        await office.post("/v1/adjustments", json=body, headers={"Idempotency-Key": "one"})

    next_expiry, lots = await shown(till)
    assert next_expiry == {"at": moved, "points": 77}
    assert sorted(lots) == [(7, moved), (70, moved)]


async def test_a_sale_does_not_touch_the_points_before_and_the_sweep_looks_at_the_facts(
    till: Till,
) -> None:
    till.desk.under(idle())
    await till.earn(100)
    (before,) = await till.desk.rows(tables.account)
    till.desk.clock.advance(timedelta(days=60))
    await till.earn(50, occurred_at=till.desk.clock.now())
    (account,) = await till.desk.rows(tables.account)
    assert account.idle_at == before.idle_at

    # The day that the first purchase alone would have lasted to: nothing has ended.
    assert await till.sweep(days=60) == 1
    assert await till.sweep() == 0
    assert await till.has() == (150, 0, 0, 0)

    # The last day; what nobody swept yet can not be spent all the same.
    till.desk.clock.advance(timedelta(days=35))
    assert (await till.hold(1)).json()["code"] == "points_insufficient"
    await asyncio.gather(*(till.sweep() for _ in range(3)))
    assert await till.has() == (0, 0, 0, 0)
    (account,) = await till.desk.rows(tables.account)
    assert account.idle_at is None
    ended = [one for one in await till.desk.published("loyalty") if isinstance(one, PointsExpired)]
    assert sorted(one.data.points for one in ended) == [50, 100]
    assert {one.time for one in ended} == {datetime(2027, 4, 20, 4, tzinfo=UTC)}


async def test_lots_that_ended_by_inactivity_count_as_such(till: Till) -> None:
    till.desk.under(idle())
    await till.earn(100)
    await till.act(await till.held(40), "capture")
    await till.sweep(days=200)

    async with till.desk.db.transaction() as tx:
        history = await liability.load_history(tx, till.desk.clock.now())

    assert (history.lots, history.points, history.expired) == (1, 100, 60)


async def test_the_archive_says_when_points_end(till: Till) -> None:
    till.desk.under(idle())
    await till.earn(100)

    async with till.desk.client("admin") as client:
        answer = await client.get(f"/v1/members/{till.member_id}/export")

    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        (lot,) = json.loads(archive.read("lots.json"))
    assert lot["expires_at"] == "2027-02-21T05:00:00Z"
