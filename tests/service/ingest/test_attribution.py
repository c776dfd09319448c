"""Receipts that find their member later."""

from datetime import timedelta

import sqlalchemy as sa

from services.ingest import jobs
from services.ingest.context import IngestContext
from services.ingest.handlers import changes
from services.ingest.store import tables
from shared.clock import FixedClock
from shared.db import Database
from tests.service.ingest.conftest import (
    Record,
    as_return,
    as_sale,
    enrol,
    enrolled,
    published,
    purchase_body,
    return_body,
)


async def test_enrolling_a_card_moves_its_receipts_once(
    db: Database, context: IngestContext, record: Record
) -> None:
    await record(as_sale(purchase_body("1")), as_sale(purchase_body("2", member={"card": "other"})))
    event = enrolled("9840001234")
    await enrol(context, event)
    await enrol(context, enrolled("9840001234", member_id=event.data.member_id, version=2))
    await jobs.sweep(context)
    (*_, (key, moved)) = await published(db)
    assert [one.type for _, one in await published(db)].count("purchase.attributed.v1") == 1
    assert key == moved.subject == str(event.data.member_id)
    assert (moved.data.receipt_no, moved.data.revision) == ("1", 2)
    assert moved.data.member_id == event.data.member_id
    assert moved.data.total_minor == 111


async def test_older_version_of_a_member_changes_nothing(
    db: Database, context: IngestContext, record: Record
) -> None:
    newer = enrolled("9840001234", version=2)
    await enrol(context, newer)
    await enrol(context, enrolled("stolen", member_id=newer.data.member_id, version=1))
    await record(as_sale(purchase_body(member={"card": "stolen"})))
    assert [event.data.member_id for _, event in await published(db)] == [None]


async def test_card_that_was_taken_off_a_member_matches_no_more(
    db: Database, context: IngestContext, record: Record
) -> None:
    before = enrolled("9840001234", version=1)
    await enrol(context, before)
    await enrol(context, enrolled("new-card", member_id=before.data.member_id, version=2))
    await record(as_sale(purchase_body()))
    assert [event.data.member_id for _, event in await published(db)] == [None]


async def test_receipt_older_than_the_claim_window_stays_unmatched(
    db: Database, context: IngestContext, clock: FixedClock, record: Record
) -> None:
    await record(as_sale(purchase_body()))
    clock.advance(timedelta(days=context.settings.claim_window_days, seconds=1))
    await enrol(context, enrolled("9840001234"))
    assert [event.type for _, event in await published(db)] == ["purchase.recorded.v1"]


async def test_return_before_attribution_is_kept_by_it(
    db: Database, context: IngestContext, record: Record
) -> None:
    await record(as_sale(purchase_body()))
    async with db.transaction() as tx:
        await changes.take(tx, as_return(return_body()), context)
    await enrol(context, enrolled("9840001234"))
    (*_, (_, moved)) = await published(db)
    assert (moved.data.revision, moved.data.total_minor) == (3, 100)
    assert moved.data.sold_total_minor == 111


async def test_sweep_brings_together_what_a_restore_left_apart(
    db: Database, context: IngestContext, record: Record
) -> None:
    await enrol(context, enrolled("9840001234"))
    await record(as_sale(purchase_body()))
    async with db.transaction() as tx:
        await tx.execute(tables.receipt.update().values(member_id=None))
    await jobs.sweep(context)
    async with db.transaction() as tx:
        assert await tx.scalar(sa.select(tables.receipt.c.member_id)) is not None
