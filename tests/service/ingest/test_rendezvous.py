"""Two transactions that look for each other: whichever is first, they meet, and meet once."""

import asyncio
from collections.abc import Awaitable

import pytest

from services.ingest import domain
from services.ingest.context import IngestContext
from services.ingest.handlers import changes, claims, members, sales
from shared.db import Database, Tx
from tests.service.ingest.conftest import (
    Apply,
    Record,
    amendment_body,
    as_amendment,
    as_return,
    as_sale,
    as_void,
    bananas,
    card_of,
    enrol,
    enrolled,
    published,
    purchase_body,
    return_body,
    void_body,
)
from tests.service.waiting import until_one_waits

CLAIM_KEY = b"k" * 32
DEADLINE_S = 5.0


async def interleave(
    db: Database, first: "Awaitable[object]", tx: Tx, second: "Awaitable[object]"
) -> None:
    """Run ``first`` in the open ``tx``; start ``second``, see it wait, commit ``first``."""
    await first
    later = asyncio.ensure_future(second)
    await until_one_waits(db)
    assert not later.done()
    await tx.commit()
    await later


async def _types(db: Database) -> list[str]:
    return [event.type for _, event in await published(db)]


CHANGES = [
    as_return(return_body()),
    as_void(void_body()),
    as_amendment(amendment_body(**bananas("2", 198))),
]
each_change = pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.kind)
PAST = {"return": "returned", "void": "voided", "amendment": "amended"}


@each_change
async def test_change_waits_for_the_sale_that_is_being_recorded(
    db: Database, apply: Apply, change: domain.Change
) -> None:
    async with db.engine.connect() as tx:
        first = sales.record(tx, [as_sale(purchase_body())], claim_key=CLAIM_KEY)
        await interleave(db, first, tx, apply(change))
    assert await _types(db) == ["purchase.recorded.v1", f"purchase.{PAST[change.kind]}.v1"]


@each_change
async def test_sale_waits_for_the_change_that_is_being_recorded(
    db: Database, context: IngestContext, record: Record, change: domain.Change
) -> None:
    async with db.engine.connect() as tx:
        first = changes.take(tx, change, context)
        await interleave(db, first, tx, record(as_sale(purchase_body())))
    assert await _types(db) == ["purchase.recorded.v1", f"purchase.{PAST[change.kind]}.v1"]


async def test_two_returns_of_one_sale_take_turns(
    db: Database, context: IngestContext, record: Record, apply: Apply
) -> None:
    await record(as_sale(purchase_body()))
    half = {"lines": [{"line_no": 1, "quantity": "0.12", "amount_minor": 100}], "total_minor": 100}
    async with db.engine.connect() as tx:
        first = changes.take(tx, as_return(return_body("R1")), context)
        await interleave(db, first, tx, apply(as_return(return_body("R2", **half))))
    assert [event.data.total_minor for _, event in await published(db)] == [111, 100, 0]


async def test_claim_and_enrolment_that_meet_move_the_receipt_once(
    db: Database, context: IngestContext, record: Record
) -> None:
    (sold,) = await record(as_sale(purchase_body()))
    ann = enrolled("ann")
    await enrol(context, ann)
    async with db.engine.connect() as tx:
        first = claims.claim(tx, str(sold.claim_token), card_of("ann"), context)
        await interleave(db, first, tx, enrol(context, enrolled("9840001234")))
    _, (_, moved) = await published(db)
    assert moved.data.member_id == ann.data.member_id


async def test_enrolment_waits_for_the_receipt_that_is_being_recorded(
    db: Database, context: IngestContext
) -> None:
    async with db.engine.connect() as tx:
        first = sales.record(tx, [as_sale(purchase_body())], claim_key=CLAIM_KEY)
        await interleave(db, first, tx, enrol(context, enrolled("9840001234")))
    assert await _types(db) == ["purchase.recorded.v1", "purchase.attributed.v1"]


async def test_receipt_waits_for_the_enrolment_that_is_being_stored(
    db: Database, context: IngestContext, record: Record
) -> None:
    event = enrolled("9840001234")
    async with db.engine.connect() as tx:
        first = members.on_members(tx, [event], context)
        await interleave(db, first, tx, record(as_sale(purchase_body())))
    ((key, recorded),) = await published(db)
    assert recorded.data.member_id == event.data.member_id
    assert key == str(event.data.member_id)


async def test_sales_never_wait_for_each_other(db: Database, record: Record) -> None:
    async with db.engine.connect() as tx:
        await sales.record(tx, [as_sale(purchase_body("1"))], claim_key=CLAIM_KEY)
        async with asyncio.timeout(DEADLINE_S):
            await record(as_sale(purchase_body("2")))
        await tx.commit()
    assert await _types(db) == ["purchase.recorded.v1"] * 2
