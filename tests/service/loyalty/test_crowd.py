"""Half of all traffic on one member: exact, without a deadlock, and the others go on."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest_asyncio
import sqlalchemy as sa

from services.loyalty.handlers import books, holds
from services.loyalty.store import tables
from shared.db import Tx, run_unit
from shared.errors import Unavailable
from tests import builders
from tests.service.loyalty.desk import Desk
from tests.service.loyalty.till import Till
from tests.service.waiting import until_one_waits

STREAMS = 4
BATCHES = 12
BATCH = 20
POINTS = 10
HOLDS = 24


def batches(crowd: UUID, others: Sequence[UUID], chance: random.Random) -> list[list[Any]]:
    """Return batches in which every other sale is of one member, the rest of anyone."""
    sold: list[Any] = []
    for number in range(STREAMS * BATCHES * BATCH):
        member_id = crowd if number % 2 else chance.choice(others)
        lines = [builders.line(category="BREAD", amount_minor=POINTS * 10)]
        sold.append(
            builders.purchase_recorded(receipt_no=f"c{number}", member_id=member_id, lines=lines)
        )
    chance.shuffle(sold)
    return [sold[at : at + BATCH] for at in range(0, len(sold), BATCH)]


async def patiently(desk: Desk, batch: list[Any]) -> None:
    """Apply a batch as the consumer does: again after what is worth another try."""
    while True:
        try:
            return await desk.apply(*batch)
        except Unavailable:
            await asyncio.sleep(0.05)


@pytest_asyncio.fixture(name="till")
async def open_till(desk: Desk) -> Any:
    """Enrol the member whom everybody asks for."""
    async with desk.client("terminal") as client:
        till = Till(desk, client)
        await till.enrol(1_000)
        yield till


async def deadlocks(desk: Desk) -> int:
    """Return how many Postgres had to end, which nobody but a slow till would have noticed."""
    await desk.db.engine.dispose()  # a server process tells what it counted when it ends
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    while await ask(desk, f"SELECT count(*) {others}"):
        await asyncio.sleep(0.01)
    return await ask(
        desk, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    )


async def ask(desk: Desk, query: str) -> int:
    async with desk.db.transaction() as tx:
        return await tx.scalar(sa.text(query))


async def test_half_of_the_traffic_on_one_member_is_exact_and_lets_the_rest_go_on(
    till: Till,
) -> None:
    """Four consumers and a crowd of tills at once, whose batches share members in any order."""
    desk, chance = till.desk, random.Random(7)
    others = [uuid4() for _ in range(30)]
    every = batches(till.member_id, others, chance)

    async def consume(own: list[list[Any]]) -> None:
        for batch in own:
            await patiently(desk, batch)

    async def spend() -> None:
        answer = await till.hold_at_last(5)
        assert answer.status_code == 201, answer.text
        captured = await till.act(UUID(answer.json()["hold_id"]), "capture")
        while captured.status_code == 503:
            captured = await till.act(UUID(answer.json()["hold_id"]), "capture")
        assert captured.status_code == 200, captured.text

    await asyncio.gather(
        *(consume(every[number::STREAMS]) for number in range(STREAMS)),
        *(spend() for _ in range(HOLDS)),
        run_unit(desk.db, lambda tx: holds.sweep(tx, desk.context)),
    )

    assert await deadlocks(desk) == 0
    sold = STREAMS * BATCHES * BATCH
    assert await till.has() == (1_000 + sold // 2 * POINTS - HOLDS * 5, 0, 0, 0)
    balances = await desk.balances()
    assert sum(balances[one] for one in others) == sold // 2 * POINTS
    assert len(await desk.rows(tables.receipt)) == sold + 1


async def test_nobody_waits_for_a_new_account_with_others_locked(desk: Desk) -> None:
    """Who opens it may go on to one of those: the second of them locks nothing until then."""
    new, known = UUID(int=1), UUID(int=2)
    await desk.apply(builders.purchase_recorded(receipt_no="1", member_id=known))

    async def lock(tx: Tx, *member_ids: UUID) -> None:
        await books.lock(tx, member_ids, desk.context)

    async with desk.db.transaction() as first:
        await lock(first, new)
        second = asyncio.create_task(run_unit(desk.db, lambda tx: lock(tx, new, known)))
        await until_one_waits(desk.db)
        await lock(first, known)
    await second
    assert await deadlocks(desk) == 0
