"""Goods that come back, before or after their sale is known."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import sqlalchemy as sa

from services.ingest import domain, jobs
from services.ingest.context import IngestContext
from services.ingest.handlers import changes
from services.ingest.store import tables
from shared.db import Database
from shared.errors import Refused
from tests.service.ingest.conftest import (
    Record,
    as_return,
    as_sale,
    published,
    purchase_body,
    return_body,
)

Take = Callable[..., Awaitable[domain.Outcome]]


@pytest.fixture
def take(db: Database, context: IngestContext) -> Take:
    """``await take("R1", quantity="1", amount_minor=11)``: one return in a transaction."""

    async def take(receipt_no: str = "R1", **differing: Any) -> domain.Outcome:
        async with db.transaction() as tx:
            return await changes.take(tx, as_return(return_body(receipt_no, **differing)), context)

    return take


def _of(quantity: str, amount_minor: int) -> dict[str, Any]:
    lines = [{"line_no": 1, "quantity": quantity, "amount_minor": amount_minor}]
    return {"lines": lines, "total_minor": amount_minor}


async def _states(db: Database) -> list[str]:
    async with db.transaction() as tx:
        query = sa.select(tables.receipt_change.c.state).order_by("occurred_at", "change_id")
        return list(await tx.scalars(query))


async def test_partial_returns_add_up(db: Database, record: Record, take: Take) -> None:
    await record(as_sale(purchase_body()))
    await take("R1", **_of("1", 11))
    await take("R2", **_of("0.12", 100))
    _, (_, one), (_, two) = await published(db)
    assert (one.data.revision, one.data.total_minor, one.data.returned.total_minor) == (2, 100, 11)
    assert (two.data.revision, two.data.total_minor) == (3, 0)
    assert two.data.lines[0].quantity_milli == 0
    assert two.data.sold_total_minor == 111


async def test_return_has_the_key_of_its_sale(db: Database, record: Record, take: Take) -> None:
    await record(as_sale(purchase_body()))
    await take()
    (sale_key, _), (return_key, _) = await published(db)
    assert return_key == sale_key


async def test_return_of_more_than_is_left_writes_nothing_and_says_what_is_left(
    db: Database, record: Record, take: Take
) -> None:
    await record(as_sale(purchase_body()))
    await take("R1", **_of("1", 11))
    with pytest.raises(Refused) as refusal:
        await take("R2", **_of("0.5", 50))
    assert refusal.value.code == "over_return"
    assert refusal.value.extra["left"] == [{"line_no": 1, "quantity": "0.12", "amount_minor": 100}]
    assert await _states(db) == ["applied"]
    assert len(await published(db)) == 2


async def test_return_again_gets_the_first_answer(db: Database, record: Record, take: Take) -> None:
    await record(as_sale(purchase_body()))
    first = await take()
    assert await take() == domain.Outcome("replayed", first.event_id)
    assert len(await published(db)) == 2


async def test_return_with_another_body_is_a_conflict(take: Take) -> None:
    await take("R1", **_of("1", 11))
    outcome = await take("R1", **_of("1", 12))
    assert outcome.kind == "conflict"
    assert outcome.fields == ("lines.0.amount_minor", "total_minor")


async def test_sale_and_return_may_have_the_same_number(
    db: Database, record: Record, take: Take
) -> None:
    await record(as_sale(purchase_body()))
    outcome = await take("000123", business_date="2026-11-22")
    assert outcome.kind == "accepted"


async def test_returns_before_their_sale_are_released_with_it_in_order(
    db: Database, record: Record, take: Take
) -> None:
    await take("late", occurred_at="2026-11-23T12:00:00+01:00", **_of("0.12", 100))
    await take("early", **_of("1", 11))
    assert await published(db) == []
    await record(as_sale(purchase_body()))
    events = [event for _, event in await published(db)]
    assert [event.data.revision for event in events] == [1, 2, 3]
    assert [event.data.total_minor for event in events] == [111, 100, 0]
    assert await _states(db) == ["applied", "applied"]


async def test_withheld_return_of_too_much_is_refused_for_good_and_the_sale_stands(
    db: Database, record: Record, take: Take
) -> None:
    await take("R1", **_of("2", 222))
    (outcome,) = await record(as_sale(purchase_body()))
    assert outcome.kind == "accepted"
    assert await _states(db) == ["refused"]
    assert [event.type for _, event in await published(db)] == ["purchase.recorded.v1"]


async def test_return_in_another_currency_is_refused(record: Record, take: Take) -> None:
    await record(as_sale(purchase_body()))
    with pytest.raises(Refused, match="return_currency"):
        await take(currency="EUR")


async def test_sweep_releases_a_return_that_missed_its_sale(
    db: Database, context: IngestContext, record: Record, take: Take
) -> None:
    await record(as_sale(purchase_body()))
    await take()
    async with db.transaction() as tx:
        await tx.execute(
            tables.receipt_change.update().values(state="withheld", published_event_id=None)
        )
        await tx.execute(tables.receipt.update().values(state=None, revision=1))
    await jobs.sweep(context)
    assert await _states(db) == ["applied"]
