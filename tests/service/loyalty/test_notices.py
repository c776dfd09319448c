"""Notices before an end: once for each member and end, whoever comes by and how often."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import pytest_asyncio

from services.loyalty import jobs
from services.loyalty.domain.terms import Expiry
from services.loyalty.handlers import notices
from services.loyalty.store import tables
from services.loyalty.store.notices import Key
from shared.contracts.loyalty import EndAhead, PointsExpiring
from shared.db import run_unit
from tests.service.loyalty.desk import Desk
from tests.service.loyalty.till import Till
from tests.unit.loyalty import programmes

END = datetime(2027, 12, 1, 5, tzinfo=UTC)
"""Of what is bought on the day of the tests, by the month; in New York."""


@pytest_asyncio.fixture(name="till")
async def open_till(desk: Desk) -> AsyncGenerator[Till]:
    """Open a till for a member with 1,000 points, where 30 days before their end it is told."""
    desk.under(programmes.small(programmes.version(expiry_notice_days=30)))
    async with desk.client("terminal") as client:
        till = Till(desk, client)
        await till.enrol(1_000)
        yield till


async def told(till: Till, at: datetime | None = None) -> list[EndAhead]:
    """Let the job come by, and return all that it ever told."""
    if at is not None:
        till.desk.clock.advance(at - till.desk.clock.now())
    await jobs.run_notices(till.desk.context)
    events = await till.desk.published("loyalty")
    return [event.data for event in events if isinstance(event, PointsExpiring)]


async def test_an_end_is_told_once_so_many_days_before(till: Till) -> None:
    assert await told(till, END - timedelta(days=30, seconds=1)) == []

    (first,) = await told(till, END - timedelta(days=30))
    assert await told(till, END - timedelta(days=29)) == [first]

    assert (first.member_id, first.points, first.ends_at) == (till.member_id, 1_000, END)
    assert (first.value_minor, first.currency, first.last_day) == (100, "USD", "30 November 2027")
    assert first.explain == "1000 points, worth 1.00 USD, can be spent until 30 November 2027."
    (row,) = await till.desk.rows(tables.expiry_notice)
    assert (row.member_id, row.ends_at, row.points) == (till.member_id, END, 1_000)


async def test_what_is_spent_is_not_told_and_what_has_ended_neither(till: Till) -> None:
    await till.act(await till.held(400), "capture")
    (first,) = await told(till, END - timedelta(days=1))
    assert first.points == 600

    assert await told(till, END) == [first]


async def test_all_of_it_spent_tells_nothing(till: Till) -> None:
    await till.act(await till.held(1_000), "capture")

    assert await told(till, END - timedelta(days=1)) == []


async def test_nothing_is_told_where_the_rules_in_force_do_not_say_so(till: Till) -> None:
    till.desk.under(programmes.small())

    assert await told(till, END - timedelta(days=1)) == []


@pytest.mark.parametrize("expiry", [Expiry(12), Expiry(inactive_months=12)])
async def test_many_processes_at_once_tell_each_member_once(till: Till, expiry: Expiry) -> None:
    """By chunks of two, so that each walks on behind what another one told."""
    version = programmes.version(expiry_notice_days=30, expiry=expiry)
    till.desk.under(programmes.small(version))
    members = [till.member_id]
    for number in range(6):
        body = {"identifiers": [{"kind": "card", "value": str(9_840_005_000 + number)}]}
        await till.client.post("/v1/members", json=body)
    for row in await till.desk.rows(tables.member):
        if row.member_id not in members:
            members.append(row.member_id)
            till.member_id = row.member_id
            await till.earn(100)
    till.desk.clock.advance(timedelta(days=360))

    await asyncio.gather(*(walk(till) for _ in range(4)))

    found = await told(till)
    assert len(found) == len(members) == 7
    assert {one.member_id for one in found} == set(members)


async def walk(till: Till) -> None:
    """Do what the job does, two ends at a time."""
    context = till.desk.context
    for tell in (notices.tell_dated, notices.tell_idle):
        step = partial(tell, context=context, limit=2)
        after: Key | None = None
        while after := await run_unit(context.db, partial(step, after=after)):
            pass


async def test_an_end_that_moves_is_told_anew(till: Till) -> None:
    version = programmes.version(expiry_notice_days=30, expiry=Expiry(inactive_months=3))
    till.desk.under(programmes.small(version))
    till.desk.clock.advance(timedelta(hours=1))
    await till.earn(50, occurred_at=till.desk.clock.now())
    end = datetime(2027, 2, 21, 5, tzinfo=UTC)
    assert await told(till, end - timedelta(days=31)) == []
    (first,) = await told(till, end - timedelta(days=30))
    assert (first.ends_at, first.points) == (end, 50)

    # The member comes again; what was known of the end is out of date until somebody looks.
    await till.earn(7, occurred_at=till.desk.clock.now())
    await till.sweep(days=30)
    assert await told(till) == [first]
    moved = datetime(2027, 4, 23, 4, tzinfo=UTC)
    later: list[Any] = await told(till, moved - timedelta(days=1))

    assert [(one.ends_at, one.points) for one in later] == [(end, 50), (moved, 57)]
    assert await told(till) == later


async def test_who_came_in_time_is_told_nothing(till: Till) -> None:
    version = programmes.version(expiry_notice_days=30, expiry=Expiry(inactive_months=3))
    till.desk.under(programmes.small(version))
    await till.earn(50)
    till.desk.clock.advance(timedelta(days=40))
    await till.earn(7, occurred_at=till.desk.clock.now())

    assert await told(till, datetime(2027, 2, 20, 5, tzinfo=UTC)) == []
    (account,) = await till.desk.rows(tables.account)
    assert account.idle_at == datetime(2027, 3, 31, 4, tzinfo=UTC)
