"""Sales that are put right: the newest correction counts, what came back stays taken."""

from typing import Any

import pytest
import sqlalchemy as sa

from services.ingest import domain
from services.ingest.context import IngestContext
from services.ingest.store import tables
from shared.db import Database
from shared.errors import Refused
from tests.service.ingest.conftest import (
    Apply,
    Record,
    amendment_body,
    as_amendment,
    as_return,
    as_sale,
    bananas,
    enrol,
    enrolled,
    published,
    purchase_body,
    return_body,
)


async def _states(db: Database) -> list[tuple[str, int, str]]:
    """Return kind, revision and state of every change."""
    change = tables.receipt_change
    query = sa.select(change.c.kind, change.c.amendment, change.c.state)
    async with db.transaction() as tx:
        return [tuple(row) for row in await tx.execute(query.order_by("amendment", "kind"))]


async def test_amendment_is_published_with_the_corrected_net_state(
    db: Database, record: Record, apply: Apply
) -> None:
    await record(as_sale(purchase_body()))
    await apply(as_amendment(amendment_body(**bananas("2", 198))))
    (sale_key, sale), (key, event) = await published(db)
    assert (event.type, key) == ("purchase.amended.v1", sale_key)
    assert (event.data.revision, event.data.total_minor) == (2, 198)
    assert event.data.sold_total_minor == 111
    assert event.data.lines[0].quantity_milli == 2000
    assert event.data.reason == "Weighed again"
    assert event.data.occurred_at == sale.data.occurred_at
    assert event.data.received_at == sale.data.received_at


async def test_amendment_again_gets_the_first_answer(
    db: Database, record: Record, apply: Apply
) -> None:
    await record(as_sale(purchase_body()))
    first = await apply(as_amendment(amendment_body(**bananas("2", 198))))
    again = await apply(as_amendment(amendment_body(**bananas("2.000", 198))))
    assert again == domain.Outcome("replayed", first.event_id)
    assert len(await published(db)) == 2


async def test_another_body_under_the_same_revision_is_a_conflict(
    record: Record, apply: Apply
) -> None:
    await record(as_sale(purchase_body()))
    await apply(as_amendment(amendment_body(**bananas("2", 198))))
    outcome = await apply(as_amendment(amendment_body(**bananas("2", 199))))
    assert outcome.kind == "conflict"
    assert outcome.fields == ("purchase.lines.0.amount_minor", "purchase.total_minor")


async def test_amendment_that_changes_nothing_makes_no_revision_and_no_event(
    db: Database, record: Record, apply: Apply
) -> None:
    await record(as_sale(purchase_body()))
    first = await apply(as_amendment(amendment_body()))
    again = await apply(as_amendment(amendment_body()))
    assert (first.kind, first.changed) == ("accepted", False)
    assert again == domain.Outcome("replayed", first.event_id, changed=False)
    assert len(await published(db)) == 1
    async with db.transaction() as tx:
        assert await tx.scalar(sa.select(tables.receipt.c.revision)) == 1


async def test_older_correction_that_comes_later_changes_nothing(
    db: Database, record: Record, apply: Apply
) -> None:
    await record(as_sale(purchase_body()))
    await apply(as_amendment(amendment_body(3, **bananas("3", 297))))
    older = await apply(as_amendment(amendment_body(2, **bananas("2", 198))))
    assert (older.kind, older.changed) == ("accepted", False)
    (*_, (_, event)) = await published(db)
    assert event.data.total_minor == 297
    assert await _states(db) == [("amendment", 2, "unchanged"), ("amendment", 3, "applied")]


@pytest.mark.parametrize("order", [(2, 3), (3, 2)])
async def test_corrections_before_their_sale_end_as_the_newest_says(
    db: Database, record: Record, apply: Apply, order: tuple[int, int]
) -> None:
    for revision in order:
        await apply(as_amendment(amendment_body(revision, **bananas(str(revision), revision * 99))))
    await record(as_sale(purchase_body()))
    totals = [event.data.total_minor for _, event in await published(db)]
    assert totals == [111, 198, 297]


async def test_return_stays_taken_from_the_corrected_lines(
    db: Database, record: Record, apply: Apply
) -> None:
    await record(as_sale(purchase_body()))
    await apply(as_return(return_body()))  # 1 for 11
    await apply(as_amendment(amendment_body(**bananas("3", 300))))
    await apply(as_return(return_body("R2", total_minor=289, lines=_back("2", 289))))
    assert [event.data.total_minor for _, event in await published(db)] == [111, 100, 289, 0]


def _back(quantity: str, amount_minor: int) -> list[dict[str, object]]:
    return [{"line_no": 1, "quantity": quantity, "amount_minor": amount_minor}]


@pytest.mark.parametrize(
    "corrected",
    [
        bananas("0.999", 111),
        bananas("1.12", 10),
        bananas("1.12", 111) | {"lines": [bananas("1.12", 111)["lines"][0] | {"line_no": 2}]},
    ],
    ids=["quantity", "amount", "line gone"],
)
async def test_correction_to_less_than_came_back_is_refused_and_names_the_line(
    db: Database, record: Record, apply: Apply, corrected: dict[str, Any]
) -> None:
    await record(as_sale(purchase_body()))
    await apply(as_return(return_body()))
    with pytest.raises(Refused, match="amendment_below_return") as refusal:
        await apply(as_amendment(amendment_body(**corrected)))
    assert refusal.value.extra["returned"] == [{"line_no": 1, "quantity": "1", "amount_minor": 11}]
    assert await _states(db) == [("return", 0, "applied")]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"currency": "EUR"}, "purchase.currency"),
        ({"occurred_at": "2026-11-22T14:06:00+01:00"}, "purchase.occurred_at"),
        ({"member": {"card": "another"}}, "purchase.member"),
        ({"member": None}, "purchase.member"),
    ],
)
async def test_what_a_receipt_is_judged_by_can_not_be_corrected(
    db: Database, record: Record, apply: Apply, changed: dict[str, Any], field: str
) -> None:
    await record(as_sale(purchase_body()))
    with pytest.raises(Refused, match="amendment_fixed") as refusal:
        await apply(as_amendment(amendment_body(**changed)))
    assert refusal.value.extra["fields"] == [field]
    assert await _states(db) == []


async def test_correction_of_an_attributed_receipt_stays_its_members(
    db: Database, context: IngestContext, record: Record, apply: Apply
) -> None:
    await record(as_sale(purchase_body()))
    event = enrolled("9840001234")
    await enrol(context, event)
    await apply(as_amendment(amendment_body(**bananas("2", 198))))
    (*_, (key, amended)) = await published(db)
    assert key == str(event.data.member_id) == str(amended.data.member_id)
    assert amended.data.revision == 3


async def test_order_is_delivered_in_parts_by_corrections(
    db: Database, record: Record, apply: Apply
) -> None:
    """Ordered and paid: two kinds. Weighed: one. Delivered: that one alone."""
    cheese = {"line_no": 2, "sku": "7", "quantity": "1", "amount_minor": 500}
    ordered = [*purchase_body()["lines"], cheese]
    whole: dict[str, Any] = {"lines": ordered, "total_minor": 611, "fulfilment": "pending"}
    await record(as_sale(purchase_body(**whole)))
    weighed = [ordered[0] | {"quantity": "1.3", "amount_minor": 129}, cheese]
    await apply(as_amendment(amendment_body(2, **whole | {"lines": weighed, "total_minor": 629})))
    await apply(as_amendment(amendment_body(3, lines=weighed[:1], total_minor=129)))
    told = [(e.data.fulfilment, e.data.total_minor) for _, e in await published(db)]
    assert told == [("pending", 611), ("pending", 629), ("complete", 129)]


async def test_completing_an_order_is_a_change_of_its_own(
    db: Database, record: Record, apply: Apply
) -> None:
    await record(as_sale(purchase_body(fulfilment="pending")))
    outcome = await apply(as_amendment(amendment_body()))
    assert outcome.changed
    (*_, (_, event)) = await published(db)
    assert event.data.fulfilment == "complete"
    assert event.data.fulfilled_at == event.data.received_at  # the clock of these tests stands
    await apply(as_return(return_body()))
    (*_, (_, after)) = await published(db)
    assert after.data.fulfilled_at == event.data.fulfilled_at


async def test_repeat_of_a_sale_stays_a_repeat_after_a_correction(
    db: Database, record: Record, apply: Apply
) -> None:
    await record(as_sale(purchase_body()))
    await apply(as_amendment(amendment_body(**bananas("2", 198))))
    (outcome,) = await record(as_sale(purchase_body()))
    assert outcome.kind == "replayed"
    (other,) = await record(as_sale(purchase_body(fulfilment="pending")))
    assert (other.kind, other.fields) == ("conflict", ("fulfilment",))
