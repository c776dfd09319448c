"""A year of receipts, imported at once: the books of live recording, and not one message."""

import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
import sqlalchemy as sa

from services.ingest.api.imports import KINDS
from services.ingest.context import IngestContext
from services.ingest.handlers import members, sales
from services.loyalty.store import tables as loyalty
from services.notify import app as notify_app
from services.notify.context import NotifyContext
from services.notify.handlers import triggers
from services.notify.settings import NotifySettings
from services.notify.store.tables import message
from shared import ids
from shared.contracts.members import MemberChanged
from shared.db import Database
from shared.imports import staging, working
from tests.conftest import MakeDatabase
from tests.service.ingest.conftest import NOW, as_sale, enrolled, published, purchase_body
from tests.service.loyalty.desk import Desk

RECEIPTS, BATCH = 400, 50
CARDS = [str(card) for card in range(9840000, 9840006)]


def year() -> list[dict[str, Any]]:
    """Return receipts of the last 14 months: some before the programme began, some of yesterday."""
    chance = random.Random(7)
    bodies: list[dict[str, Any]] = []
    for number in range(RECEIPTS):
        day = (NOW - timedelta(days=1 + number % 420)).date()
        amount = chance.randrange(50, 9_000)
        line = {"line_no": 1, "sku": "1", "quantity": "1", "amount_minor": amount}
        category = chance.choice(["BANANAS", "FUEL", None])
        bodies.append(
            purchase_body(
                f"{number:06}",
                business_date=day.isoformat(),
                occurred_at=f"{day}T{chance.randrange(8, 20):02}:30:00Z",
                member={"card": chance.choice(CARDS)},
                lines=[line | {"category": category}],
                total_minor=amount,
            )
        )
    return bodies


@pytest_asyncio.fixture
async def notify(make_database: MakeDatabase) -> AsyncIterator[NotifyContext]:
    """Notify, of which only what it writes down is looked at."""
    settings = NotifySettings.model_validate(
        {
            "database_url": "postgresql://unused",
            "unsubscribe_key": "ab" * 32,
            "public_url": "https://shop.example",
        }
    )
    db = await make_database("notify")
    async with AsyncExitStack() as stack:
        yield await notify_app.open_context(settings, db, stack)


@pytest.fixture
def shoppers() -> list[MemberChanged]:
    """Who the cards belong to, the same in every house."""
    return [enrolled(card, member_id=ids.new_id()) for card in CARDS]


async def know(db: Database, context: IngestContext, shoppers: Sequence[MemberChanged]) -> None:
    async with db.transaction() as tx:
        await members.on_members(tx, shoppers, context)


async def record_live(
    db: Database, context: IngestContext, shoppers: Sequence[MemberChanged]
) -> None:
    """Record each receipt at the time of its sale, as a till does."""
    await know(db, context, shoppers)
    for body in year():
        sold_at = datetime.fromisoformat(body["occurred_at"])
        async with db.transaction() as tx:
            sale = as_sale(body, received_at=sold_at + timedelta(seconds=2))
            await sales.record(tx, [sale], claim_key=b"k" * 32)


async def import_all(context: IngestContext, shoppers: Sequence[MemberChanged]) -> None:
    await know(context.db, context, shoppers)
    kinds = {kind.name: kind for kind in KINDS}
    request = staging.Request(dry_run=False, created_by="test", media_type="application/x-ndjson")

    async def file() -> AsyncIterator[bytes]:
        for body in year():
            yield json.dumps(body).encode() + b"\n"

    await staging.receive(context, kinds["receipts"], file(), request)
    await working.work(context, kinds, for_s=30)


async def settle(db: Database, desk: Desk) -> None:
    """Bring what ingest published to loyalty, in batches."""
    desk.clock.advance(NOW - desk.clock.now())
    events = [event for _, event in await published(db)]
    assert len(events) == RECEIPTS
    for start in range(0, RECEIPTS, BATCH):
        await desk.apply(*events[start : start + BATCH])


async def books(desk: Desk) -> dict[str, Any]:
    assert (await desk.audit()).ok
    return {
        "balances": await desk.balances(),
        "lots": {
            (row.member_id, row.lot_id, row.points, row.remaining, row.activates_at, row.expires_at)
            for row in await desk.rows(loyalty.lot)
        },
        "spend": {tuple(row) for row in await desk.rows(loyalty.qualifying_spend)},
        "entries": {
            (row.member_id, row.receipt_id, row.points, row.programme_version, row.occurred_at)
            for row in await desk.rows(loyalty.entry)
        },
    }


async def messages(desk: Desk, notify: NotifyContext, clock_at: datetime) -> int:
    """Tell notify of all that loyalty published; return how many messages it wrote down."""
    told = replace(notify, clock=desk.clock)
    assert desk.clock.now() == clock_at
    async with told.db.transaction() as tx:
        await triggers.on_loyalty(tx, await desk.published("loyalty"), told)  # pyright: ignore[reportArgumentType]  of that topic
    async with told.db.transaction() as tx:
        return await tx.scalar(sa.select(sa.func.count()).select_from(message)) or 0


@pytest.mark.timeout(120)
async def test_a_year_imported_at_once_makes_the_books_of_live_recording_and_no_message(
    context: IngestContext,
    make_database: MakeDatabase,
    notify: NotifyContext,
    shoppers: list[MemberChanged],
) -> None:
    live_db, live, moved = (
        await make_database("ingest"),
        Desk(await make_database("loyalty")),
        Desk(await make_database("loyalty")),
    )
    await record_live(live_db, context, shoppers)
    await import_all(context, shoppers)

    await settle(live_db, live)
    await settle(context.db, moved)

    assert await books(moved) == await books(live)
    began = live.context.programme.versions[0].effective_from
    earned: list[UUID] = [row.lot_id for row in await moved.rows(loyalty.lot)]
    assert 0 < len(earned) < RECEIPTS, "history before the programme earns nothing"
    assert all(row.activates_at >= began for row in await moved.rows(loyalty.lot))
    assert await messages(moved, notify, NOW) == 0
    assert await messages(live, notify, NOW) > 0
