"""Real baskets, in the order of the sales and shuffled with repetitions: the books are equal."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from bench import workload
from services.loyalty.domain.spending import Spend
from services.loyalty.handlers import holds
from services.loyalty.settings import programme
from services.loyalty.store import spends, tables
from shared import ids
from shared.db import run_unit
from tests import builders
from tests.conftest import MakeDatabase
from tests.service.loyalty.desk import Desk
from tests.unit.loyalty.programmes import DEMO_FILE

HOUSEHOLDS = 40
WEEKS = 20
BOOKS = {
    tables.account: ("member_id", "available", "pending", "held", "debt"),
    tables.lot: ("member_id", "lot_id", "points", "remaining", "activates_at", "expires_at"),
    tables.receipt: ("receipt_id", "member_id", "revision", "posted", "desired"),
    tables.qualifying_spend: ("member_id", "year", "amount_minor"),
    tables.spend: ("spend_id", "taken"),
}


@pytest.mark.slow
async def test_real_baskets_shuffled_and_in_order_end_in_equal_books(
    make_database: MakeDatabase,
) -> None:
    """With returns, voids and purchases that spend points, under the demo's rules and cap."""
    sold = [
        workload.event(basket, number)
        for number, basket in enumerate(workload.sample(households=HOUSEHOLDS, weeks=WEEKS))
    ]
    events, granted = with_returns_and_spending(sold)
    chance = random.Random(11)
    shuffled = chance.sample(
        [*events, *chance.sample(events, len(events) // 5)], k=len(events) * 6 // 5
    )
    assert len(events) > 1_000 < len(granted) * 100

    in_order = await settled(Desk(await make_database("loyalty")), granted, events, chance)
    any_order = await settled(Desk(await make_database("loyalty")), granted, shuffled, chance)

    for table, columns in BOOKS.items():
        assert await written(any_order, table, columns) == await written(in_order, table, columns)
    for desk in (in_order, any_order):
        assert (await desk.audit()).ok
    taken = [points for _, points in await written(in_order, tables.spend, BOOKS[tables.spend])]
    assert len(events) > 500
    assert 0 < sum(taken) < len(taken) * 250


def with_returns_and_spending(sold: Sequence[Any]) -> tuple[list[Any], list[Spend]]:
    """Let every 9th sale name a hold, every 7th come back, every 31st be voided."""
    events: list[Any] = []
    granted: list[Spend] = []
    for number, event in enumerate(sold):
        if number % 9 == 8:
            hold = released_hold(event.data.member_id, event.data.receipt_id, event.time)
            granted.append(hold)
            named = event.data.model_copy(update={"hold_ids": (hold.spend_id,)})
            event = event.model_copy(update={"data": named})  # noqa: PLW2901  the same sale
        events.append(event)
        if number % 31 == 30:
            events.append(builders.purchase_voided(event.data))
        elif number % 7 == 6:
            events.append(builders.purchase_returned(event.data))
    return events, granted


def released_hold(member_id: UUID, receipt_id: UUID, at: datetime) -> Spend:
    """Return a hold from a moment before the sale; the purchase that names it captures it."""
    return Spend(
        spend_id=ids.derived_id(receipt_id, "hold"),
        member_id=member_id,
        points=250,
        taken=0,
        captured=0,
        state="released",
        at=at - timedelta(minutes=1),
        expires_at=at + timedelta(minutes=9),
        identified_by="card",
        opened_by="till",
        closed_at=at + timedelta(minutes=1),
    )


async def settled(
    desk: Desk, granted: Sequence[Spend], events: Sequence[Any], chance: random.Random
) -> Desk:
    """Apply events in batches of any size, and post what the clock says."""
    desk.under(programme.load(DEMO_FILE))
    desk.clock.advance(timedelta(days=200))
    await run_unit(desk.db, lambda tx: spends.write(tx, granted, ()))
    at = 0
    while at < len(events):
        size = chance.randint(1, 400)
        await desk.apply(*events[at : at + size])
        at += size
    while await run_unit(desk.db, lambda tx: holds.sweep(tx, desk.context)):
        pass
    return desk


async def written(desk: Desk, table: Any, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    rows = await desk.rows(table)
    return sorted(tuple(getattr(row, name) for name in columns) for row in rows)
