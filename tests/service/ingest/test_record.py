"""Recording purchases on real Postgres."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from services.ingest import domain
from services.ingest.context import IngestContext
from services.ingest.store import tables
from shared.contracts.purchases import PurchaseRecorded
from shared.db import Database
from tests.service.ingest.conftest import Record, as_sale, enrol, enrolled, published, purchase_body


async def _count(db: Database) -> int:
    async with db.transaction() as tx:
        return await tx.scalar(sa.select(sa.func.count()).select_from(tables.receipt)) or 0


async def test_new_purchase_is_stored_and_announced_once(db: Database, record: Record) -> None:
    (outcome,) = await record(as_sale(purchase_body()))
    assert outcome.kind == "accepted"
    ((key, event),) = await published(db)
    assert isinstance(event, PurchaseRecorded)
    assert event.id == outcome.event_id
    assert key == str(event.data.receipt_id)
    assert event.data.lines[0].quantity_milli == 1120
    assert event.data.sold_total_minor == event.data.total_minor == 111


async def test_same_body_again_gets_the_first_answer(db: Database, record: Record) -> None:
    (first,) = await record(as_sale(purchase_body()))
    (again,) = await record(as_sale(purchase_body()))
    assert again == domain.Outcome("replayed", first.event_id, first.claim_token)
    assert await _count(db) == 1
    assert len(await published(db)) == 1


async def test_equal_spellings_of_a_body_are_the_same(record: Record) -> None:
    line = purchase_body()["lines"][0]
    await record(as_sale(purchase_body()))
    spelled = purchase_body(
        occurred_at="2026-11-22T13:05:00Z",
        member={"card": " 9840001234 "},
        lines=[dict(reversed(line.items())) | {"quantity": 1.120, "discount_minor": 0}],
        tenders=[],
    )
    (again,) = await record(as_sale(spelled))
    assert again.kind == "replayed"


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"currency": "EUR"}, ("currency",)),
        ({"occurred_at": "2026-11-22T14:05:01+01:00"}, ("occurred_at",)),
        ({"member": None}, ("member",)),
        ({"member": {"app_id": "9840001234"}}, ("member",)),
        ({"terminal_seq": 7}, ("terminal_seq",)),
        (
            {
                "lines": [{"line_no": 1, "sku": "1082185", "quantity": 2, "amount_minor": 111}],
            },
            ("lines.0.category", "lines.0.quantity", "lines.0.unit_price_minor"),
        ),
    ],
)
async def test_other_body_is_a_conflict_that_names_the_fields(
    record: Record, changes: dict[str, Any], fields: tuple[str, ...]
) -> None:
    await record(as_sale(purchase_body()))
    (outcome,) = await record(as_sale(purchase_body(**changes)))
    assert outcome.kind == "conflict"
    assert outcome.fields == fields


async def test_one_batch_tells_first_repeat_and_conflict_apart(
    db: Database, record: Record
) -> None:
    outcomes = await record(
        as_sale(purchase_body("1")),
        as_sale(purchase_body("2")),
        as_sale(purchase_body("1")),
        as_sale(purchase_body("1", currency="EUR")),
    )
    assert [one.kind for one in outcomes] == ["accepted", "accepted", "replayed", "conflict"]
    assert await _count(db) == 2


async def test_two_files_resent_at_once_do_not_deadlock(
    db: Database, context: IngestContext
) -> None:
    file = [as_sale(purchase_body(str(number))) for number in range(400)]
    both = await asyncio.gather(
        context.purchases.submit_bulk(file), context.purchases.submit_bulk(file[::-1])
    )
    kinds = [one.kind for outcomes in both for one in outcomes if isinstance(one, domain.Outcome)]
    assert sorted(kinds) == ["accepted"] * 400 + ["replayed"] * 400
    assert await _count(db) == len(await published(db)) == 400


async def test_concurrent_requests_share_commits(db: Database, context: IngestContext) -> None:
    numbered = [as_sale(purchase_body(str(number))) for number in range(200)]
    outcomes = await asyncio.gather(*(context.purchases.submit(one) for one in numbered))
    assert {one.kind for one in outcomes} == {"accepted"}
    assert len({one.event_id for one in outcomes}) == 200
    async with db.transaction() as tx:
        transactions = await tx.scalar(
            sa.select(sa.func.count(sa.distinct(sa.cast(sa.column("xmin"), sa.Text)))).select_from(
                tables.receipt
            )
        )
    assert transactions is not None
    assert transactions <= 10


async def test_one_bad_row_fails_alone(db: Database, context: IngestContext) -> None:
    good = [as_sale(purchase_body(str(number))) for number in range(20)]
    # Validation lets no NUL pass; this stands for what nobody thought of.
    bad = as_sale(purchase_body("bad"))
    object.__setattr__(bad, "key", domain.ReceiptKey("a\0b", "t", bad.key.business_date, "1"))
    outcomes = await context.purchases.submit_bulk([*good[:10], bad, *good[10:]])
    refused = [index for index, one in enumerate(outcomes) if not isinstance(one, domain.Outcome)]
    assert refused == [10]
    assert await _count(db) == 20


async def test_client_that_hangs_up_does_not_undo_the_commit(
    db: Database, context: IngestContext
) -> None:
    request = asyncio.ensure_future(context.purchases.submit(as_sale(purchase_body())))
    await asyncio.sleep(0)  # the worker takes it
    await asyncio.sleep(0)
    request.cancel()
    other = await context.purchases.submit(as_sale(purchase_body("other")))
    assert other.kind == "accepted"
    # Another worker may have committed the second one first.
    async with asyncio.timeout(5):
        while await _count(db) < 2:
            await asyncio.sleep(0.01)


async def test_known_member_is_found_by_card(
    db: Database, context: IngestContext, record: Record
) -> None:
    event = enrolled("9840001234")
    await enrol(context, event)
    (outcome,) = await record(as_sale(purchase_body()))
    ((key, recorded),) = await published(db)
    assert outcome.claim_token is None
    assert key == str(event.data.member_id) == recorded.subject
    assert recorded.data.member_id == event.data.member_id


async def test_unmatched_receipt_gets_a_claim_token_and_only_its_hash_is_kept(
    db: Database, record: Record
) -> None:
    (outcome,) = await record(as_sale(purchase_body(member=None)))
    assert outcome.claim_token is not None
    async with db.transaction() as tx:
        row = (await tx.execute(sa.select(tables.receipt))).one()
    assert row.claim_sha256 is not None
    assert outcome.claim_token not in str(row)


async def test_member_named_by_id_counts_once_ingest_knows_it(
    db: Database, context: IngestContext, record: Record
) -> None:
    member_id = UUID("018f0000-0000-7000-8000-000000000001")
    sale = as_sale(purchase_body(member={"member_id": str(member_id)}))
    (outcome,) = await record(sale)
    assert outcome.claim_token is not None
    await enrol(context, enrolled("1", member_id=member_id))
    assert [event.type for _, event in await published(db)] == [
        "purchase.recorded.v1",
        "purchase.attributed.v1",
    ]
