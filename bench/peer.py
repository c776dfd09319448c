"""The peer: what one would write otherwise, one FastStream message per SQLAlchemy transaction.

The same bookkeeping as loyalty's: dedupe by event id, an entry with two sides, a lot, the
balance, an outbox row. The points come from loyalty's own domain, so that only the shape differs.
"""

import asyncio
import os
from pathlib import Path

import sqlalchemy as sa
from faststream import FastStream
from faststream.kafka import KafkaBroker
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bench.progress import Progress
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.settle import settle
from services.loyalty.settings import programme
from shared import ids
from shared.contracts.purchases import PurchaseRecorded

METADATA = sa.MetaData()
seen = sa.Table("seen", METADATA, sa.Column("event_id", sa.Uuid, primary_key=True))
balance = sa.Table(
    "balance",
    METADATA,
    sa.Column("member_id", sa.Uuid, primary_key=True),
    sa.Column("points", sa.BigInteger, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
)
entry = sa.Table(
    "entry",
    METADATA,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("event_id", sa.Uuid, nullable=False),
    sa.Column("from_account", sa.Text, nullable=False),
    sa.Column("to_account", sa.Text, nullable=False, index=True),
    sa.Column("points", sa.BigInteger, nullable=False),
    sa.Column("balance_after", sa.BigInteger, nullable=False),
)
lot = sa.Table(
    "lot",
    METADATA,
    sa.Column("receipt_id", sa.Uuid, primary_key=True),
    sa.Column("member_id", sa.Uuid, nullable=False, index=True),
    sa.Column("points", sa.BigInteger, nullable=False),
)
announced = sa.Table(
    "announced",
    METADATA,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("event_id", sa.Uuid, nullable=False),
    sa.Column("member_id", sa.Uuid, nullable=False),
    sa.Column("points", sa.BigInteger, nullable=False),
)


async def _book(tx: AsyncConnection, event: PurchaseRecorded, rules: Programme) -> None:
    """Apply one event."""
    taken = await tx.execute(
        insert(seen).values(event_id=event.id).on_conflict_do_nothing().returning(seen.c.event_id)
    )
    if taken.scalar_one_or_none() is None or event.data.member_id is None:
        return
    member, points = event.data.member_id, settle(event.data, rules).points
    statement = insert(balance).values(member_id=member, points=points, version=1)
    after = await tx.execute(
        statement.on_conflict_do_update(
            index_elements=["member_id"],
            set_={
                "points": balance.c.points + statement.excluded.points,
                "version": balance.c.version + 1,
            },
        ).returning(balance.c.points)
    )
    total = after.scalar_one()
    await tx.execute(
        entry.insert().values(
            event_id=event.id,
            from_account="programme:issued",
            to_account=str(member),
            points=points,
            balance_after=total,
        )
    )
    await tx.execute(
        lot.insert().values(receipt_id=event.data.receipt_id, member_id=member, points=points)
    )
    earned = ids.derived_id(event.id, "points.earned.v1")
    await tx.execute(announced.insert().values(event_id=earned, member_id=member, points=points))


async def run(events: int, progress: Progress) -> None:
    """Consume until ``events`` are committed."""
    url = os.environ["BENCH_DATABASE_URL"].replace("://", "+asyncpg://", 1)
    engine: AsyncEngine = create_async_engine(url)
    async with engine.begin() as tx:
        await tx.run_sync(METADATA.create_all)
    rules = programme.load(Path(os.environ["LOYALTY_PROGRAMME_FILE"]))
    broker = KafkaBroker(os.environ["KAFKA_BOOTSTRAP_SERVERS"])
    application = FastStream(broker, logger=None)
    done = 0
    complete = asyncio.Event()

    @broker.subscriber("purchases", group_id="peer", auto_offset_reset="earliest")
    async def on_purchase(event: PurchaseRecorded) -> None:
        nonlocal done
        async with engine.begin() as tx:
            await _book(tx, event, rules)
        done += 1
        progress.at(done)
        if done >= events:
            complete.set()

    async with asyncio.TaskGroup() as group:
        serving = group.create_task(application.run())
        await complete.wait()
        application.exit()
        await serving
    await engine.dispose()
