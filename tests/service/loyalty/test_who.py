"""Rules that ask who the member is, on a real Postgres: the tier at each sale, and the birthday."""

import itertools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import event

from services.loyalty.domain.bonuses import Bonus
from services.loyalty.domain.caps import Cap
from services.loyalty.domain.ladder import Tier, TierPolicy
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.terms import Pending
from services.loyalty.store import tables
from shared.contracts.purchases import ReturnedLine
from tests import builders
from tests.builders import NOW
from tests.service.loyalty.desk import Desk
from tests.service.loyalty.merging import Office
from tests.unit.loyalty import programmes

BONUSES = (
    Bonus("gold", "Gold: half as much again", multiplier_percent=150, tiers=frozenset({"Gold"})),
    Bonus("day", "On your birthday: 50", points_per_receipt=50, birthday="day"),
)
CAPS = (Cap("daily", "At most 5,000 a day", "day", 5_000),)
PROGRAMME = programmes.small(
    programmes.version(bonuses=BONUSES, caps=CAPS), policy=TierPolicy(grace_days=31)
)
LIFTS = 3_000
"""Points of a sale after which a member is Gold: 300 dollars."""
AN_HOUR, NO_TIME = timedelta(hours=1), timedelta()


@asynccontextmanager
async def opened(desk: Desk, programme: Programme) -> AsyncGenerator[Office]:
    desk.under(programme)
    async with desk.client("admin") as clerk, desk.client("terminal") as till:
        yield Office(desk, clerk, till)


@pytest_asyncio.fixture(name="office")
async def open_office(desk: Desk) -> AsyncGenerator[Office]:
    """Open an office under rules that ask who the member is."""
    async with opened(desk, PROGRAMME) as office:
        yield office


async def levels(desk: Desk) -> dict[int, tuple[int | None, int]]:
    """Return the level and the points of each receipt, by how many days ago it was sold."""
    rows = await desk.rows(tables.receipt)
    return {(NOW - row.occurred_at).days: (row.level, row.posted) for row in rows}


def ago(days: int) -> Any:
    return NOW - timedelta(days=days)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_batches_in_any_order_end_in_the_same_books(
    office: Office, order: tuple[int, int, int]
) -> None:
    ann = await office.enrol()
    first = office.sale(ann, LIFTS, occurred_at=ago(100))
    part = ReturnedLine(line_no=1, quantity_milli=0, amount_minor=10_000)
    returned = builders.purchase_returned(first.data, [part], time=ago(80))
    batches = [
        [first, office.sale(ann, 100, occurred_at=ago(90))],
        [office.sale(ann, 100, occurred_at=ago(60)), returned],
        [office.sale(ann, 100, occurred_at=ago(30)), office.sale(ann, 100, occurred_at=ago(100))],
    ]

    for one in order:
        await office.desk.apply(*batches[one])
        await office.desk.apply(*batches[one])

    # The return takes Gold, and 31 days later it is gone.
    found = await levels(office.desk)
    assert [found[one] for one in (90, 60, 30)] == [(2, 150), (2, 150), (1, 100)]
    # Two at the same instant: neither counts for the other.
    assert {row.level for row in await office.desk.rows(tables.receipt)} == {0, 1, 2}
    assert await office.has(ann) == [(2_000 + 100 + 150 + 150 + 100, 0, 0, 0)]


async def test_the_entry_on_an_earlier_sale_names_the_late_one_as_its_cause(
    office: Office,
) -> None:
    ann = await office.enrol()
    sold = await office.earn(ann, 100)
    late = await office.earn(ann, LIFTS, occurred_at=ago(10))

    entries = (await office.show(ann, "entries"))["data"]

    assert entries[0]["explain"]["words"] == (
        "The tier at the time of the sale is now Gold, which decides on Gold: half as much again:"
        " the receipt is worth 150 points, 100 had been posted, so +50."
    )
    assert entries[0]["cause_id"] == str(late.id)
    assert entries[0]["receipt_id"] == str(sold.data.receipt_id)


async def test_sales_in_order_read_no_history(office: Office) -> None:
    ann, clock = await office.enrol(), office.desk.clock
    statements: list[str] = []

    def note(_c: Any, _cur: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    engine = office.desk.db.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        await office.earn(ann, LIFTS, occurred_at=clock.now())
        clock.advance(timedelta(hours=1))
        both = [
            office.sale(ann, 100, occurred_at=clock.now() - one) for one in (AN_HOUR / 2, NO_TIME)
        ]
        await office.desk.apply(*both)
        assert not any("JOIN receipt" in one or "FROM receipt" in one for one in statements)
        await office.earn(ann, 100, occurred_at=ago(20))
        assert any("FROM receipt" in one for one in statements)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert await office.has(ann) == [(LIFTS + 400, 0, 0, 0)]


async def test_after_a_merge_both_count_and_undone_they_never_did(office: Office) -> None:
    ann, ben = await office.enrol(), await office.enrol()
    await office.earn(ann, LIFTS, occurred_at=ago(10))
    await office.merged(ann, ben)
    office.desk.clock.advance(timedelta(days=1))

    await office.earn(ben, 100, occurred_at=office.desk.clock.now())
    assert await office.has(ben) == [(LIFTS + 150, 0, 0, 0)]
    answer = await office.unmerge(ann)

    assert answer.status_code == 200
    assert await office.has(ann, ben) == [(LIFTS, 0, 0, 0), (100, 0, 0, 0)]
    assert any("is now none" in one for one in await office.words(ben))


async def test_a_late_sale_of_who_was_merged_lifts_who_took_over(office: Office) -> None:
    ann, ben = await office.enrol(), await office.enrol()
    await office.merged(ann, ben)
    office.desk.clock.advance(timedelta(days=1))
    await office.earn(ben, 100, occurred_at=office.desk.clock.now())

    await office.earn(ann, LIFTS, occurred_at=ago(10))

    assert await office.has(ann, ben) == [(0, 0, 0, 0), (LIFTS + 150, 0, 0, 0)]


async def test_a_birthday_is_looked_at_once(office: Office) -> None:
    born = builders.NOW.date().replace(year=1990).isoformat()
    ann = await office.enrol(birth_date=born)
    sold = await office.earn(ann, 100)
    await office.clerk.patch(f"/v1/members/{ann}", json={"birth_date": "1990-01-01"})

    part = ReturnedLine(line_no=1, quantity_milli=0, amount_minor=500)
    await office.desk.apply(builders.purchase_returned(sold.data, [part]))
    await office.earn(ann, 100, occurred_at=NOW + timedelta(seconds=1))

    assert await office.has(ann) == [(50 + 50 + 100, 0, 0, 0)]


async def preview(office: Office, member_id: UUID | None) -> tuple[int, dict[str, Any]]:
    body = {
        "store_id": "0042",
        "currency": "USD",
        "lines": [
            {"line_no": 1, "sku": "b", "category": "BREAD", "quantity": 1, "amount_minor": 1_000}
        ],
    } | ({"member": {"member_id": str(member_id)}} if member_id else {})
    found = (await office.till.post("/v1/previews", json=body)).json()
    reasons = {one["rule"]: [why["words"] for why in one["reasons"]] for one in found["rules"]}
    return found["points"], reasons


async def test_a_preview_goes_by_who_the_member_is_now(office: Office) -> None:
    born = builders.NOW.date().replace(year=1990).isoformat()
    ann = await office.enrol(birth_date=born)

    assert (await preview(office, None))[1]["gold"] == ["Only for the tiers Gold; here is none."]
    before = await preview(office, ann)
    await office.earn(ann, 1_000, occurred_at=ago(10))
    silver = await preview(office, ann)
    await office.earn(ann, LIFTS, occurred_at=ago(10))
    gold = await preview(office, ann)

    assert [one[0] for one in (before, silver, gold)] == [150, 150, 200]
    assert silver[1]["gold"] == ["Only for the tiers Gold; this member is Silver."]
    assert (gold[1]["gold"], gold[1]["day"]) == ([], [])


async def test_what_is_rejected_lifts_no_sale_behind_it_where_points_carry_tiers(
    desk: Desk,
) -> None:
    version = programmes.version(bonuses=BONUSES, pending=Pending(approval_above=2_000))
    by_points = TierPolicy(measure="points")
    programme = programmes.small(version, policy=by_points, tiers=(Tier("Gold", 2_500),))
    async with opened(desk, programme) as office:
        ann = await office.enrol()
        large = await office.earn(ann, LIFTS, occurred_at=ago(10))
        await office.earn(ann, 100, occurred_at=ago(5))
        assert (await levels(desk))[5] == (1, 150)

        answer = await office.clerk.post(f"/v1/approvals/{large.data.receipt_id}:reject")

        assert answer.status_code == 200, answer.text
        assert (await levels(desk))[5] == (0, 100)
        assert await office.has(ann) == [(100, 0, 0, 0)]
