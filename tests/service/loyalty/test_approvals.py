"""Large receipts on a real Postgres: they wait, and somebody of the staff decides, once."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from services.loyalty.domain.caps import Cap
from services.loyalty.domain.ladder import Tier, TierPolicy
from services.loyalty.domain.terms import Pending
from services.loyalty.handlers import approvals
from services.loyalty.store import tables
from services.loyalty.store.approvals import approval
from shared.auth import Caller
from shared.contracts.loyalty import ApprovalDecided, PointsActivated, PointsReturned
from shared.contracts.purchases import ReturnedLine
from shared.db import run_unit
from tests import builders
from tests.service.loyalty.desk import Desk
from tests.unit.loyalty import programmes

ABOVE = Pending(approval_above=1_000)
DAILY = Cap("daily", "At most 2,000 points a day", "day", 2_000)


class Office:
    """A member whose large receipts wait, and two keys that may decide."""

    def __init__(self, desk: Desk, clerk: httpx.AsyncClient, second: httpx.AsyncClient) -> None:
        self.desk, self.clerk, self.second = desk, clerk, second
        self.member_id = UUID(int=0)

    async def enrol(self) -> None:
        answer = await self.clerk.post("/v1/members", json={"external_id": uuid4().hex})
        self.member_id = UUID(answer.json()["member_id"])

    async def sell(self, points: int, number: int = 1) -> Any:
        """Sell bread, which gives a point for ten cents; the later number is the later sale."""
        at = self.desk.clock.now() - timedelta(minutes=60 - number)
        sale = builders.purchase_recorded(
            receipt_no=str(number),
            member_id=self.member_id,
            occurred_at=at,
            received_at=at,
            lines=[builders.line(category="BREAD", amount_minor=points * 10)],
        )
        await self.desk.apply(sale)
        return sale.data

    async def come_back(self, receipt: Any, points: int) -> Any:
        part = ReturnedLine(line_no=1, quantity_milli=0, amount_minor=points * 10)
        event = builders.purchase_returned(receipt, [part])
        await self.desk.apply(event)
        return event.data

    async def decide(
        self, receipt: Any, verb: str, *, by: httpx.AsyncClient | None = None
    ) -> httpx.Response:
        return await (by or self.clerk).post(f"/v1/approvals/{receipt.receipt_id}:{verb}")

    async def waiting(self) -> list[Any]:
        answer = await self.clerk.get("/v1/approvals")
        waiting: list[Any] = answer.json()["data"]
        return waiting

    async def has(self) -> tuple[int, int, int]:
        """Return what is available, pending and owed; the books must close."""
        report = await self.desk.audit()
        assert report.ok, report
        rows = await self.desk.rows(tables.account)
        (own,) = [row for row in rows if row.member_id == self.member_id]
        return own.available, own.pending, own.debt

    async def told(self) -> list[Any]:
        """Return what was announced of decisions."""
        return [
            (one.data.receipt_id, one.data.verdict, one.data.begins_at, one.data.explain)
            for one in await self.desk.published("loyalty")
            if isinstance(one, ApprovalDecided)
        ]

    async def words(self) -> list[str]:
        answer = await self.clerk.get(f"/v1/members/{self.member_id}/entries")
        return [one["explain"]["words"] for one in answer.json()["data"]]


@pytest_asyncio.fixture(name="office")
async def open_office(desk: Desk) -> AsyncGenerator[Office]:
    """Open an office where what is worth more than 1,000 points waits."""
    desk.under(programmes.small(programmes.version(pending=ABOVE)))
    async with desk.client("staff") as clerk, desk.client("admin") as second:
        office = Office(desk, clerk, second)
        await office.enrol()
        yield office


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_large_receipt_waits_until_it_is_approved(office: Office) -> None:
    await office.sell(1_000, 1)
    large = await office.sell(1_001, 2)
    assert await office.has() == (1_000, 1_001, 0)
    (shown,) = await office.waiting()
    assert (shown["receipt_id"], shown["points"]) == (str(large.receipt_id), 1_001)
    assert shown["store_id"] == large.store_id
    office.desk.clock.advance(timedelta(days=2))

    first, again = [await office.decide(large, "approve") for _ in range(2)]

    assert (first.status_code, first.json()) == (200, again.json())
    assert (first.json()["verdict"], first.json()["points"]) == ("approved", 1_001)
    assert await office.has() == (2_001, 0, 0)
    assert await office.told() == [
        (
            large.receipt_id,
            "approved",
            office.desk.clock.now(),
            "The receipt was approved: 1001 points.",
        )
    ]
    assert await office.waiting() == []
    (lot,) = [row for row in await office.desk.rows(tables.lot) if row.points == 1_001]
    assert lot.activates_at == office.desk.clock.now()
    assert (await office.words())[0] == "The points can be spent from now on: 1001 points."
    assert code(await office.decide(large, "reject")) == (409, "approval_decided")
    assert code(await office.decide(large, "approve", by=office.second)) == (
        409,
        "approval_decided",
    )


async def test_points_that_have_to_wait_after_all_are_announced_and_explained(
    office: Office,
) -> None:
    small = await office.sell(900)
    more = builders.line(category="BREAD", amount_minor=12_000)
    await office.desk.apply(builders.purchase_amended(small, [more]))
    assert await office.has() == (0, 1_200, 0)
    office.desk.clock.advance(timedelta(days=2))

    await office.decide(small, "approve")

    assert await office.has() == (1_200, 0, 0)
    told = [
        e.data for e in await office.desk.published("loyalty") if isinstance(e, PointsActivated)
    ]
    assert [(one.lot_id, one.points, one.available) for one in told] == [
        (small.receipt_id, -1_200, 0),
        (small.receipt_id, 1_200, 1_200),
    ]
    waits, begins = [one.explain for one in told]
    assert waits == "The points can not be spent yet after all: 1200 points."
    assert (await office.words())[:2] == [begins, waits]
    # What lies ahead is no time of an entry.
    now = office.desk.clock.now()
    assert all(row.occurred_at <= now for row in await office.desk.rows(tables.entry))


async def test_points_that_wait_stand_beside_those_that_are_drawn(office: Office) -> None:
    """What never begins is read back as such, and is put in order with the rest."""
    await office.sell(1_001, 1)
    small = await office.sell(500, 2)
    await office.sell(400, 3)
    await office.come_back(small, 100)

    answer = await office.clerk.get(f"/v1/members/{office.member_id}/lots")

    begins = {one["points"]: one["activates_at"] for one in answer.json()["data"]}
    assert (begins[1_001], begins[400] is None) == (None, False)
    assert await office.has() == (800, 1_001, 0)


async def test_what_is_rejected_is_taken_back_and_stays_so(office: Office) -> None:
    large = await office.sell(2_000)

    assert (await office.decide(large, "reject")).json()["verdict"] == "rejected"
    await office.come_back(large, 100)

    assert await office.has() == (0, 0, 0)
    assert await office.words() == [
        "Not approved: the receipt is worth 0 points, 2000 had been posted, so -2000.",
        *(await office.words())[1:],
    ]
    told = [one for one in await office.desk.published() if isinstance(one, PointsReturned)]
    assert [(one.data.points, one.data.receipt_id) for one in told] == [(2_000, large.receipt_id)]
    words = "The receipt was not approved: it does not give its 2000 points."
    assert await office.told() == [(large.receipt_id, "rejected", None, words)]
    assert await office.desk.rows(tables.lot) == []
    assert code(await office.decide(large, "approve")) == (409, "approval_decided")


async def test_approved_and_rejected_at_once_one_wins(office: Office) -> None:
    large = await office.sell(2_000)

    answers = await asyncio.gather(
        *(office.decide(large, verb) for verb in ["approve", "reject"] * 3)
    )

    assert sorted(one.status_code for one in answers) == [200, 200, 200, 409, 409, 409]
    (verdict,) = {one.json()["verdict"] for one in answers if one.status_code == 200}
    assert await office.has() == (2_000 if verdict == "approved" else 0, 0, 0)
    assert [row.verdict for row in await office.desk.rows(approval)] == [verdict]


async def test_a_decision_and_a_return_at_once_are_both_heard(office: Office) -> None:
    large = await office.sell(3_000)

    answer, _ = await asyncio.gather(
        office.decide(large, "approve"), office.come_back(large, 1_000)
    )

    assert answer.status_code == 200
    assert await office.has() == (2_000, 0, 0)


async def test_goods_come_back_before_and_after_the_decision(office: Office) -> None:
    large = await office.sell(3_000)
    large = await office.come_back(large, 500)
    assert await office.has() == (0, 2_500, 0)
    assert (await office.decide(large, "approve")).json()["points"] == 2_500
    large = await office.come_back(large, 1_000)
    assert await office.has() == (1_500, 0, 0)

    other = await office.sell(1_200, 2)
    other = await office.come_back(other, 300)

    # Worth no more than may pass by itself.
    assert await office.has() == (2_400, 0, 0)
    assert code(await office.decide(other, "approve")) == (409, "approval_not_needed")
    assert await office.has() == (2_400, 0, 0)


async def test_what_is_rejected_leaves_the_day_to_others(office: Office) -> None:
    office.desk.under(programmes.small(programmes.version(pending=ABOVE, caps=(DAILY,))))
    large = await office.sell(1_900, 1)
    await office.sell(900, 2)
    assert await office.has() == (100, 1_900, 0)

    async with office.desk.client("staff") as clerk:
        await office.decide(large, "reject", by=clerk)

    assert await office.has() == (900, 0, 0)


async def test_what_is_rejected_carries_no_tier_by_points(office: Office) -> None:
    tiers, policy = (Tier("Silver", 1_500),), TierPolicy(measure="points")
    capped = programmes.version(pending=ABOVE, caps=(DAILY,))
    office.desk.under(programmes.small(capped, policy=policy, tiers=tiers))
    large = await office.sell(1_400, 1)
    async with office.desk.client("staff") as clerk:
        path = f"/v1/members/{office.member_id}"
        await office.sell(900, 2)  # of which the day's cap leaves 600
        before = (await clerk.get(f"{path}/balance")).json()["tier"]
        await office.decide(large, "reject", by=clerk)
        after = (await clerk.get(f"{path}/balance")).json()["tier"]
        told = (await clerk.get(f"{path}/tiers")).json()["data"]

    assert (before["name"], after["name"]) == ("Silver", None)
    to_next = after["to_next"]
    assert (to_next["measure"], to_next["missing"], to_next["spend_minor"]) == ("points", 600, None)
    assert [one["reason"] for one in told] == [
        "Best points of 2025 and 2026: 900 points.",
        "Best points of 2025 and 2026: 2300 points.",
    ]


async def test_what_is_approved_moves_with_its_receipt(office: Office) -> None:
    large = await office.sell(2_000)
    await office.decide(large, "approve")
    first = office.member_id
    await office.enrol()

    await office.desk.apply(builders.purchase_attributed(large, office.member_id))

    assert await office.has() == (2_000, 0, 0)
    assert (await office.desk.balances())[first] == 0


async def test_it_waits_for_days_as_well(office: Office) -> None:
    pending = Pending(days=14, approval_above=1_000)
    office.desk.under(programmes.small(programmes.version(pending=pending)))
    large = await office.sell(2_000)

    assert (await office.decide(large, "approve")).status_code == 200

    assert await office.has() == (0, 2_000, 0)
    assert await office.waiting() == []


async def test_who_dies_before_the_commit_has_decided_nothing(office: Office) -> None:
    large = await office.sell(2_000)

    async def dies(tx: Any) -> None:
        caller = Caller("clerk", "staff")
        context = office.desk.context
        await approvals.decide(tx, large.receipt_id, caller, context, verdict="rejected")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await run_unit(office.desk.db, dies)
    assert await office.has() == (0, 2_000, 0)
    assert (await office.decide(large, "approve")).status_code == 200


async def test_nobody_decides_on_what_does_not_wait(office: Office) -> None:
    small = await office.sell(1_000)
    unknown = builders.receipt(receipt_no="999")

    assert code(await office.decide(small, "approve")) == (409, "approval_not_needed")
    assert code(await office.decide(unknown, "reject")) == (404, "approval_unknown")
    async with office.desk.client("marketer") as marketer:
        assert (await marketer.get("/v1/approvals")).status_code == 200
        assert code(await office.decide(small, "approve", by=marketer))[0] == 403
    assert await office.has() == (1_000, 0, 0)


async def test_they_are_listed_in_pages_the_earliest_sale_first(office: Office) -> None:
    large = [await office.sell(2_000, number) for number in (3, 1, 2)]

    first = (await office.clerk.get("/v1/approvals?limit=2")).json()
    path = f"/v1/approvals?limit=2&cursor={first['next_cursor']}"
    rest = (await office.clerk.get(path)).json()

    listed = [one["receipt_id"] for one in (*first["data"], *rest["data"])]
    assert listed == [str(large[at].receipt_id) for at in (1, 2, 0)]
    assert rest["next_cursor"] is None


async def test_it_is_decided_after_the_member_has_left(office: Office) -> None:
    large = await office.sell(2_000)
    await office.clerk.post(f"/v1/members/{office.member_id}:erase")

    assert (await office.decide(large, "reject")).status_code == 200
    assert await office.has() == (0, 0, 0)


async def test_our_own_processes_can_not_edit_what_was_decided(office: Office) -> None:
    await office.decide(await office.sell(2_000), "approve")

    for statement in ("UPDATE approval SET points = 1", "DELETE FROM approval"):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with office.desk.db.transaction() as tx:
                await tx.execute(sa.text(statement))


@pytest.mark.parametrize(
    "by_hand",
    [
        "UPDATE receipt SET approval = NULL WHERE approval = 'rejected'",
        "UPDATE receipt SET approval = 'rejected', approved_at = NULL WHERE approval = 'approved'",
        "UPDATE receipt SET approved_at = approved_at - interval '1 h' WHERE approval = 'approved'",
        "UPDATE receipt SET approval = 'waiting', due_at = now() WHERE approval = 'rejected'",
        "UPDATE receipt SET approval = 'rejected' WHERE approval IS NULL",
    ],
)
async def test_the_audit_finds_a_receipt_that_was_changed_by_hand(
    office: Office, by_hand: str
) -> None:
    await office.sell(100, 1)
    for number, verb in enumerate(["approve", "reject"], start=2):
        await office.decide(await office.sell(2_000, number), verb)
    office.desk.clock.advance(timedelta(days=1))
    await office.sell(3_000, 4)
    assert (await office.desk.audit()).ok

    async with office.desk.db.transaction() as tx:
        changed = await tx.execute(sa.text(by_hand))
    report = await office.desk.audit()

    assert changed.rowcount == 1
    assert (report.wrong_approvals, report.ok) == (1, False)
