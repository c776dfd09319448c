"""Batches of purchases on a real Postgres."""

import asyncio
import random
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from services.loyalty.handlers import earn
from services.loyalty.store import tables
from shared.contracts.loyalty import PointsMovement, TierMovement
from shared.contracts.purchases import Receipt, ReturnedLine
from shared.db import run_unit
from shared.errors import Unavailable
from tests import builders
from tests.builders import MEMBER, NOW
from tests.conftest import MakeDatabase
from tests.service.loyalty.desk import Desk
from tests.service.waiting import until_one_waits

OTHER = UUID(int=7)


def bread(cents: int) -> list[Any]:
    return [builders.line(category="BREAD", amount_minor=cents)]


def sale(number: int, member: UUID | None = MEMBER, cents: int = 1_000) -> Any:
    return builders.purchase_recorded(receipt_no=str(number), member_id=member, lines=bread(cents))


def give_back(of: Receipt, cents: int) -> Any:
    back = ReturnedLine(line_no=1, quantity_milli=0, amount_minor=cents)
    return builders.purchase_returned(of, [back])


async def test_a_purchase_becomes_points_a_lot_and_an_event(desk: Desk) -> None:
    bought = sale(1)

    await desk.apply(bought)

    assert await desk.balances() == {MEMBER: 100}
    (lot,) = await desk.rows(tables.lot)
    assert (lot.member_id, lot.lot_id, lot.points, lot.remaining) == (
        MEMBER,
        bought.data.receipt_id,
        100,
        100,
    )
    (event,) = await desk.published("loyalty")
    assert event.type == "points.earned.v1"
    assert event.time == bought.time


async def test_every_entry_has_two_sides_that_sum_to_zero(desk: Desk) -> None:
    bought = sale(1)

    await desk.apply(bought, give_back(bought.data, 300))

    async with desk.db.transaction() as tx:
        legs = (
            await tx.execute(
                sa.text("SELECT version, account, points FROM entry_leg ORDER BY version, points")
            )
        ).all()
    assert [tuple(leg) for leg in legs] == [
        (1, "issued", -100),
        (1, "available", 100),
        (2, "available", -30),
        (2, "issued", 30),
    ]
    report = await desk.audit()
    assert report.ok
    assert (report.causes, report.entries, report.available) == (2, 2, 70)


async def test_the_same_batch_twice_changes_nothing(desk: Desk) -> None:
    batch = [sale(number) for number in range(5)]

    await desk.apply(*batch)
    await desk.apply(*batch)

    assert await desk.balances() == {MEMBER: 500}
    assert len(await desk.rows(tables.entry)) == 5
    assert len(await desk.published()) == 5


async def test_a_large_batch_of_interleaved_members_adds_up(desk: Desk) -> None:
    members = [UUID(int=number + 1) for number in range(40)]
    batch = [sale(number, members[number % 40]) for number in range(500)]

    await desk.apply(*batch)

    balances = await desk.balances()
    assert set(balances.values()) == {1_200, 1_300}
    assert sum(balances.values()) == 50_000
    assert (await desk.audit()).ok


async def test_a_return_in_a_later_batch_takes_back_the_exact_difference(desk: Desk) -> None:
    bought = sale(1, cents=199)
    await desk.apply(bought)

    await desk.apply(give_back(bought.data, 100))

    assert await desk.entries(MEMBER) == [19, -10]
    assert [row.points for row in await desk.rows(tables.lot)] == [9]
    taken = (await desk.published("loyalty"))[-1]
    assert taken.type == "points.returned.v1"
    movement = PointsMovement.model_validate(taken.model_dump()["data"])
    assert (movement.points, movement.available) == (10, 9)


async def test_ten_returns_of_one_equal_one_return_of_ten(desk: Desk) -> None:
    one_by_one, at_once = sale(1, MEMBER, 1_990), sale(2, OTHER, 1_990)
    await desk.apply(one_by_one, at_once)
    net = one_by_one.data
    for _ in range(10):
        event = give_back(net, 33)
        await desk.apply(event)
        net = event.data
    await desk.apply(give_back(at_once.data, 330))

    assert await desk.balances() == {MEMBER: 166, OTHER: 166}
    assert (await desk.audit()).ok


async def test_a_receipt_that_moves_takes_points_lot_and_spend_along(desk: Desk) -> None:
    bought = sale(1, MEMBER, 20_000)
    await desk.apply(bought)

    await desk.apply(builders.purchase_attributed(bought.data, OTHER))

    assert await desk.balances() == {MEMBER: 0, OTHER: 2_000}
    assert [row.member_id for row in await desk.rows(tables.lot)] == [OTHER]
    tier_events = [
        TierMovement.model_validate(event.model_dump()["data"])
        for event in await desk.published("loyalty")
        if event.type == "tier.changed.v1"
    ]
    assert [(one.member_id, one.tier) for one in tier_events] == [
        (MEMBER, "Silver"),
        (MEMBER, None),
        (OTHER, "Silver"),
    ]
    ids = [event.id for event in await desk.published()]
    assert len(set(ids)) == len(ids)
    assert (await desk.audit()).ok


async def test_an_anonymous_receipt_earns_once_it_is_attributed(desk: Desk) -> None:
    anonymous = sale(1, None)

    await desk.apply(anonymous)
    assert await desk.rows(tables.receipt) == []
    await desk.apply(builders.purchase_attributed(anonymous.data))

    assert await desk.balances() == {MEMBER: 100}


async def test_any_order_and_batching_ends_in_the_same_books(
    desk: Desk, make_database: MakeDatabase
) -> None:
    dice = random.Random(20261122)
    events: list[Any] = []
    for number in range(60):
        member = dice.choice([MEMBER, OTHER, None])
        bought = sale(number, member, dice.randrange(0, 9_000))
        events.append(bought)
        net = bought.data
        for _ in range(dice.randrange(3)):
            back = dice.randrange(net.lines[0].amount_minor + 1)
            event = give_back(net, back)
            events.append(event)
            net = event.data
        if member is None and dice.random() < 0.7:
            events.append(builders.purchase_attributed(net, dice.choice([MEMBER, OTHER])))
    other_desk = Desk(await make_database("loyalty"))
    shuffled = dice.sample(events, len(events)) + dice.sample(events, 40)

    await desk.apply(*events)
    for at in range(0, len(shuffled), 17):
        await other_desk.apply(*shuffled[at : at + 17])

    assert await _books(desk) == await _books(other_desk)
    assert (await desk.audit()).ok
    assert (await other_desk.audit()).ok


async def _books(desk: Desk) -> dict[str, Any]:
    return {
        "balances": {key: points for key, points in (await desk.balances()).items() if points},
        "lots": sorted(map(tuple, await desk.rows(tables.lot))),
        "receipts": {
            (row.receipt_id, row.member_id, row.posted) for row in await desk.rows(tables.receipt)
        },
        "spend": sorted(
            tuple(row) for row in await desk.rows(tables.qualifying_spend) if row.amount_minor
        ),
    }


async def test_entries_can_not_be_edited_by_our_own_processes(desk: Desk) -> None:
    await desk.apply(sale(1))

    for statement in ("UPDATE entry SET points = 1", "DELETE FROM entry", "TRUNCATE entry"):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with desk.db.transaction() as tx:
                await tx.execute(sa.text(statement))


async def test_an_entry_can_not_lack_a_side(desk: Desk) -> None:
    columns = ", ".join(column.name for column in tables.entry.columns)
    one_sided = sa.text(
        f"INSERT INTO entry ({columns}) SELECT gen_random_uuid(), 1, cause_id, 'issued', 'issued',"
        " points, 0, NULL, NULL, '{}', now(), now(), '' FROM entry"
    )
    await desk.apply(sale(1))

    with pytest.raises(DBAPIError, match="entry_has_two_sides"):
        async with desk.db.transaction() as tx:
            await tx.execute(one_sided)


async def test_concurrent_batches_of_different_members_do_not_wait_in_a_circle(
    desk: Desk,
) -> None:
    members = [UUID(int=number + 1) for number in range(8)]

    async def one_process(start: int) -> None:
        for batch in range(5):
            numbers = range(start + batch * 100, start + batch * 100 + 40)
            # Each batch has the members in another order, and all members are shared.
            order = members[batch:] + members[:batch]
            await desk.apply(*(sale(number, order[number % 8]) for number in numbers))

    async with asyncio.TaskGroup() as group:
        for start in (0, 10_000, 20_000, 30_000):
            group.create_task(one_process(start))

    assert sum((await desk.balances()).values()) == 4 * 5 * 40 * 100
    assert (await desk.audit()).ok


async def test_a_hot_member_gets_every_point(desk: Desk) -> None:
    async with asyncio.TaskGroup() as group:
        for start in range(0, 1_000, 50):
            batch = [sale(number) for number in range(start, start + 50)]
            group.create_task(desk.apply(*batch))

    assert await desk.balances() == {MEMBER: 100_000}
    report = await desk.audit()
    assert report.ok
    assert report.causes == 1_000


async def test_a_receipt_settled_by_two_processes_at_once_is_settled_once(desk: Desk) -> None:
    """A receipt that moves between members arrives on two partitions."""
    bought = sale(1)
    moved = builders.purchase_attributed(bought.data, OTHER)
    async with asyncio.TaskGroup() as group, desk.db.transaction() as tx:
        await earn.on_purchases(tx, [bought], desk.context)
        slower = group.create_task(desk.apply(moved))
        await until_one_waits(desk.db)
        assert not slower.done()

    assert await desk.balances() == {MEMBER: 0, OTHER: 100}
    assert (await desk.audit()).ok


async def test_losing_that_race_asks_to_try_again(desk: Desk) -> None:
    bought = sale(1)
    moved = builders.purchase_attributed(bought.data, OTHER)

    async def second() -> None:
        with pytest.raises(Unavailable, match="receipt_race"):
            async with desk.db.transaction() as tx:
                await earn.on_purchases(tx, [moved], desk.context)

    async with asyncio.TaskGroup() as group, desk.db.transaction() as first:
        await earn.on_purchases(first, [bought], desk.context)
        group.create_task(second())
        await until_one_waits(desk.db)


async def test_a_receipt_that_moves_while_a_batch_waits_for_its_owner_is_looked_up_again(
    desk: Desk,
) -> None:
    """The batch knew another owner, and holds the lock of the wrong account."""
    third = UUID(int=8)
    bought = sale(1)
    await desk.apply(bought)
    moved = builders.purchase_attributed(bought.data, OTHER)
    moved_on = builders.purchase_attributed(moved.data, third)
    async with asyncio.TaskGroup() as group, desk.db.transaction() as tx:
        await earn.on_purchases(tx, [moved], desk.context)
        slower = group.create_task(desk.apply(moved_on))
        await until_one_waits(desk.db)
        assert not slower.done()

    assert await desk.balances() == {MEMBER: 0, OTHER: 0, third: 100}
    assert (await desk.audit()).ok


async def test_the_account_remembers_its_newest_event(desk: Desk) -> None:
    later = builders.purchase_recorded(receipt_no="2", occurred_at=NOW + timedelta(hours=3))

    await desk.apply(later, sale(1))

    (account,) = await desk.rows(tables.account)
    assert account.last_event_at == NOW + timedelta(hours=3)


async def test_the_audit_finds_a_balance_that_was_tampered_with(desk: Desk) -> None:
    await desk.apply(sale(1))

    async def tamper(tx: Any) -> None:
        await tx.execute(tables.account.update().values(available=99))

    await run_unit(desk.db, tamper)

    report = await desk.audit()
    assert not report.ok
    assert (report.wrong_balances, report.wrong_lots, report.wrong_hashes) == (1, 1, 0)


async def test_five_hundred_sales_each_voided_twice_at_once_lose_their_points_once(
    desk: Desk,
) -> None:
    """Two processes hold the same voids, in another order and in other batches."""
    bought = [sale(number, UUID(int=number % 50 + 1)) for number in range(500)]
    await desk.apply(*bought)
    voids = [builders.purchase_voided(one.data) for one in bought]
    chance = random.Random(7)

    async def void_all(size: int) -> None:
        mine = chance.sample(voids, len(voids))
        for at in range(0, len(mine), size):
            await desk.apply(*mine[at : at + size])

    await asyncio.gather(void_all(50), void_all(40))

    assert set((await desk.balances()).values()) == {0}
    report = await desk.audit()
    assert report.ok
    assert (report.causes, report.entries) == (1_000, 1_000)
