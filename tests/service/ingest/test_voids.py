"""Sales that are undone: once, whatever came before and whatever comes after."""

from typing import Any

import pytest

from services.ingest import domain
from services.ingest.context import IngestContext
from shared.db import Database
from shared.errors import Refused
from tests.service.ingest.conftest import (
    Apply,
    Record,
    amendment_body,
    as_amendment,
    as_return,
    as_sale,
    as_void,
    bananas,
    enrol,
    enrolled,
    published,
    purchase_body,
    return_body,
    void_body,
)


async def test_void_leaves_nothing_of_the_sale(db: Database, record: Record, apply: Apply) -> None:
    await record(as_sale(purchase_body()))
    await apply(as_void(void_body()))
    (sale_key, _), (key, event) = await published(db)
    assert (event.type, key) == ("purchase.voided.v1", sale_key)
    assert (event.data.revision, event.data.total_minor, event.data.reason) == (2, 0, "Wrong till")
    assert [(one.quantity_milli, one.amount_minor) for one in event.data.lines] == [(0, 0)]
    assert event.data.sold_total_minor == 111
    assert event.time.isoformat() == "2026-11-22T14:20:00+01:00"
    assert event.data.voided


async def test_void_again_gets_the_first_answer(db: Database, record: Record, apply: Apply) -> None:
    await record(as_sale(purchase_body()))
    first = await apply(as_void(void_body()))
    assert await apply(as_void(void_body())) == domain.Outcome("replayed", first.event_id)
    assert len(await published(db)) == 2


async def test_void_with_another_body_is_a_conflict(record: Record, apply: Apply) -> None:
    await record(as_sale(purchase_body()))
    await apply(as_void(void_body()))
    again = void_body(reason="Changed my mind", occurred_at="2026-11-22T15:00:00+01:00")
    outcome = await apply(as_void(again))
    assert (outcome.kind, outcome.fields) == ("conflict", ("reason", "occurred_at"))


async def test_void_before_its_sale_is_withheld_and_comes_last(
    db: Database, record: Record, apply: Apply
) -> None:
    await apply(as_void(void_body()))
    await apply(as_return(return_body()))
    await apply(as_amendment(amendment_body(**bananas("2", 222))))
    assert await published(db) == []
    await record(as_sale(purchase_body()))
    events = [event for _, event in await published(db)]
    assert [event.type.split(".")[1] for event in events] == [
        "recorded",
        "amended",
        "returned",
        "voided",
    ]
    assert [event.data.total_minor for event in events] == [111, 222, 211, 0]
    assert [event.data.revision for event in events] == [1, 2, 3, 4]


async def test_void_after_returns_takes_what_they_left(
    db: Database, record: Record, apply: Apply
) -> None:
    await record(as_sale(purchase_body()))
    await apply(as_return(return_body()))
    await apply(as_void(void_body()))
    (*_, (_, event)) = await published(db)
    assert (event.data.revision, event.data.total_minor) == (3, 0)


@pytest.mark.parametrize(
    "late",
    [as_return(return_body()), as_amendment(amendment_body(**bananas("2", 222)))],
    ids=lambda change: change.kind,
)
async def test_nothing_can_be_changed_after_a_void(
    db: Database, record: Record, apply: Apply, late: domain.Change
) -> None:
    await record(as_sale(purchase_body()))
    await apply(as_void(void_body()))
    with pytest.raises(Refused, match="receipt_voided"):
        await apply(late)
    assert len(await published(db)) == 2


async def test_void_of_a_return_is_refused(apply: Apply) -> None:
    await apply(as_return(return_body("R1")))
    with pytest.raises(Refused, match="void_of_return"):
        await apply(as_void(void_body(receipt_no="R1", business_date="2026-11-23")))


async def test_voided_receipt_still_finds_its_member(
    db: Database, context: IngestContext, record: Record, apply: Apply
) -> None:
    await record(as_sale(purchase_body()))
    await apply(as_void(void_body()))
    await enrol(context, enrolled("9840001234"))
    (*_, (_, moved)) = await published(db)
    assert (moved.type, moved.data.total_minor) == ("purchase.attributed.v1", 0)


async def test_each_revision_says_what_came_off_a_line_and_when(
    db: Database, record: Record, apply: Apply
) -> None:
    await record(as_sale(purchase_body(**bananas("10", 1000))))
    # The first of them is heard of last: the list goes by time.
    days = [2, 3, 4, 5, 6, 7, 8, 9, 10, 1]
    for day in days:
        body = return_body(f"R{day}", occurred_at=f"2026-12-{day:02}T10:00:00+01:00", **part(day))
        await apply(as_return(body))
        if day == 4:
            await apply(as_amendment(amendment_body(**bananas("11", 1100))))
    await apply(as_void(void_body(occurred_at="2026-12-24T10:00:00+01:00")))

    events = [event for _, event in await published(db)]

    assert b"returns" not in events[0].model_dump_json().encode()
    [line] = events[-1].data.lines
    assert [(one.at.day, one.quantity_milli, one.amount_minor) for one in line.returns] == [
        *((day, 500, day) for day in sorted(days)),
        (24, 6_000, 1_045),
    ]
    for event in events[5:]:
        [line] = event.data.lines
        assert line.amount_minor + sum(one.amount_minor for one in line.returns) == 1_100


def part(amount_minor: int) -> dict[str, Any]:
    lines = [{"line_no": 1, "quantity": "0.5", "amount_minor": amount_minor}]
    return {"lines": lines, "total_minor": amount_minor}
