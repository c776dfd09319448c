"""Adjustments on a real Postgres: by one person up to a limit, by two above it, each once."""

import asyncio
import itertools
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from services.loyalty.handlers import adjustments
from services.loyalty.handlers.adjustments import Wish
from services.loyalty.store import tables
from shared.auth import Caller
from shared.contracts.loyalty import PointsAdjusted
from shared.db import run_unit
from tests import builders
from tests.service.loyalty.desk import Desk

BIG = 5_001
"""Above what one person may do alone."""


class Office:
    """A member with points, a clerk who corrects them, and a second one."""

    def __init__(self, desk: Desk, clerk: httpx.AsyncClient, second: httpx.AsyncClient) -> None:
        self.desk, self.clerk, self.second = desk, clerk, second
        self.member_id = UUID(int=0)
        self.keys = map(str, itertools.count())

    async def enrol(self, points: int) -> None:
        answer = await self.clerk.post("/v1/members", json={"external_id": uuid4().hex})
        self.member_id = UUID(answer.json()["member_id"])
        lines = [builders.line(category="BREAD", amount_minor=points * 10)]
        sale = builders.purchase_recorded(member_id=self.member_id, lines=lines)
        await self.desk.apply(sale)

    async def ask(self, points: Any, key: str | None = None, **more: Any) -> httpx.Response:
        body = {"member_id": str(self.member_id), "points": points, "reason": "goodwill", **more}
        headers = {"Idempotency-Key": key or next(self.keys)}
        return await self.clerk.post("/v1/adjustments", json=body, headers=headers)

    async def asked(self, points: int, **more: Any) -> str:
        answer = await self.ask(points, **more)
        assert (answer.status_code, answer.json()["state"]) == (201, "pending_approval"), answer
        adjustment_id: str = answer.json()["adjustment_id"]
        return adjustment_id

    async def decide(
        self, adjustment_id: str, verb: str, *, by: httpx.AsyncClient | None = None
    ) -> httpx.Response:
        return await (by or self.second).post(f"/v1/adjustments/{adjustment_id}:{verb}")

    async def has(self) -> int:
        """Return what is available; the books must close."""
        report = await self.desk.audit()
        assert report.ok, report
        return (await self.desk.balances())[self.member_id]

    async def words(self) -> list[str]:
        answer = await self.clerk.get(f"/v1/members/{self.member_id}/entries")
        return [one["explain"]["words"] for one in answer.json()["data"]]


@pytest_asyncio.fixture(name="office")
async def open_office(desk: Desk) -> AsyncGenerator[Office]:
    """Open an office for a member with 1,000 points."""
    async with desk.client("staff") as clerk, desk.client("admin") as second:
        office = Office(desk, clerk, second)
        await office.enrol(1_000)
        yield office


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_points_are_given_and_taken_by_one_person_and_the_ledger_says_why(
    office: Office,
) -> None:
    given = (await office.ask(300, reason="complaint")).json()
    taken = (await office.ask(-1_200, reason="misuse")).json()

    assert (given["state"], given["decided_by"], taken["state"]) == ("posted", None, "posted")
    # The programme's rules: 12 months, to the end of the month.
    assert given["expires_at"].startswith("2027-12-01")
    assert taken["expires_at"] is None
    assert await office.has() == 100
    assert (await office.words())[:2] == [
        "Corrected by hand: -1200 points, because of misuse.",
        "Corrected by hand: +300 points, after a complaint.",
    ]
    published = await office.desk.published("loyalty")
    told = [one.data for one in published if isinstance(one, PointsAdjusted)]
    assert [(one.points, one.available, one.reason) for one in told] == [
        (300, 1_300, "complaint"),
        (-1_200, 100, "misuse"),
    ]
    assert told[1].explain == "Corrected by hand: -1200 points, because of misuse."
    lots = await office.desk.rows(tables.lot)
    assert sorted(lot.points for lot in lots) == [300, 1_000]
    assert sum(lot.remaining for lot in lots) == 100


async def test_above_the_limit_another_key_posts_it_once(office: Office) -> None:
    adjustment_id = await office.asked(BIG)
    assert await office.has() == 1_000
    assert code(await office.decide(adjustment_id, "approve", by=office.clerk)) == (
        403,
        "second_person_needed",
    )

    both = [await office.decide(adjustment_id, "approve") for _ in range(2)]

    assert [one.status_code for one in both] == [200, 200]
    assert both[0].json() == both[1].json()
    assert both[0].json()["state"] == "posted"
    assert both[0].json()["decided_by"] != both[0].json()["asked_by"]
    assert code(await office.decide(adjustment_id, "reject")) == (409, "adjustment_decided")
    assert code(await office.decide(adjustment_id, "approve", by=office.clerk)) == (
        409,
        "adjustment_decided",
    )
    assert await office.has() == 1_000 + BIG


async def test_what_is_rejected_is_never_posted(office: Office) -> None:
    adjustment_id = await office.asked(BIG)
    assert code(await office.decide(adjustment_id, "reject", by=office.clerk)) == (
        403,
        "second_person_needed",
    )

    assert (await office.decide(adjustment_id, "reject")).json()["state"] == "rejected"

    assert code(await office.decide(adjustment_id, "approve")) == (409, "adjustment_decided")
    assert await office.has() == 1_000


async def test_approved_and_rejected_at_once_one_wins(office: Office) -> None:
    adjustment_id = await office.asked(BIG)

    answers = await asyncio.gather(
        *(office.decide(adjustment_id, verb) for verb in ["approve", "reject"] * 3)
    )

    # The same verdict again is answered the same.
    assert sorted(one.status_code for one in answers) == [200, 200, 200, 409, 409, 409]
    (state,) = {one.json()["state"] for one in answers if one.status_code == 200}
    assert await office.has() == (1_000 + BIG if state == "posted" else 1_000)


async def test_many_small_ones_are_no_way_around_the_limit(office: Office) -> None:
    assert (await office.ask(-600)).json()["state"] == "posted"
    assert (await office.ask(4_400)).json()["state"] == "posted"
    assert (await office.ask(1)).json()["state"] == "pending_approval"

    office.desk.clock.advance(timedelta(hours=24))

    assert (await office.ask(5_000)).json()["state"] == "posted"
    assert await office.has() == 1_000 - 600 + 4_400 + 5_000


async def test_two_at_once_by_one_key_share_its_limit(office: Office) -> None:
    answers = await asyncio.gather(*(office.ask(3_000) for _ in range(3)))

    states = sorted(one.json()["state"] for one in answers)
    assert states == ["pending_approval", "pending_approval", "posted"]
    assert await office.has() == 4_000


async def test_the_same_key_adjusts_once(office: Office) -> None:
    first, again = await office.ask(100, "a"), await office.ask(100, "a")
    assert (again.status_code, again.json()) == (201, first.json())
    assert code(await office.ask(101, "a")) == (422, "idempotency_key_reused")

    assert await office.has() == 1_100


async def test_who_dies_before_the_commit_has_done_nothing(office: Office) -> None:
    wish = Wish(office.member_id, -100, "other", None, None)
    caller = Caller("clerk", "staff")
    context = office.desk.context

    async def dies(tx: Any) -> None:
        await adjustments.ask(tx, wish, caller, context)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await run_unit(office.desk.db, dies)
    assert await office.has() == 1_000
    await run_unit(office.desk.db, lambda tx: adjustments.ask(tx, wish, caller, context))
    assert await office.has() == 900


async def test_never_more_is_taken_than_is_there(office: Office) -> None:
    assert code(await office.ask(-1_001)) == (409, "points_insufficient")
    assert code(await office.ask(-BIG)) == (409, "points_insufficient")
    await office.ask(5_000)
    adjustment_id = await office.asked(-6_000)
    office.desk.clock.advance(timedelta(hours=24))
    assert (await office.ask(-1)).json()["state"] == "posted"

    assert code(await office.decide(adjustment_id, "approve")) == (409, "points_insufficient")

    # It waits on: once there are as many again, it can be posted.
    await office.ask(1)
    assert (await office.decide(adjustment_id, "approve")).json()["state"] == "posted"
    assert await office.has() == 0


async def test_ten_that_take_at_once_take_no_more_than_there_is(office: Office) -> None:
    answers = await asyncio.gather(*(office.ask(-300) for _ in range(10)))

    assert sorted(one.status_code for one in answers) == [201] * 3 + [409] * 7
    assert await office.has() == 100


async def test_what_is_given_repays_what_is_owed_first(office: Office) -> None:
    (sale,) = await office.desk.rows(tables.receipt)
    await office.ask(-400)
    recorded = builders.purchase_recorded(
        member_id=office.member_id, lines=[builders.line(category="BREAD", amount_minor=10_000)]
    )
    assert recorded.data.receipt_id == sale.receipt_id
    await office.desk.apply(builders.purchase_returned(recorded.data))
    assert await office.has() == 0

    await office.ask(500)

    assert await office.has() == 100
    assert "What was owed is repaid first." in (await office.words())[1]


async def test_a_purchase_can_not_name_an_adjustment_as_its_hold(office: Office) -> None:
    taken = UUID((await office.ask(-400)).json()["adjustment_id"])
    paid = builders.purchase_recorded(
        receipt_no="2", member_id=office.member_id, hold_ids=(taken,), lines=[builders.line()]
    )
    await office.desk.apply(paid)
    await office.desk.apply(builders.purchase_returned(paid.data))

    async with office.desk.client("terminal") as till:
        assert code(await till.get(f"/v1/holds/{taken}")) == (404, "hold_unknown")
    assert await office.has() == 600


async def test_what_was_given_ends_when_it_was_said_to(office: Office) -> None:
    now = office.desk.clock.now()
    end = (now + timedelta(days=3)).isoformat()
    adjustment_id = await office.asked(BIG, expires_at=end)
    assert code(await office.ask(5, expires_at=now.isoformat())) == (409, "lot_expired")
    office.desk.clock.advance(timedelta(days=3))

    assert code(await office.decide(adjustment_id, "approve")) == (409, "lot_expired")
    assert await office.has() == 1_000


@pytest.mark.parametrize(
    "wrong",
    [
        {"points": 0},
        {"points": 1.5},
        {"points": "7"},
        {"points": 1_000_000_001},
        {"reason": "because"},
        {"note": "x" * 501},
        {"note": "\x00"},
        {"expires_at": "2027-01-01T00:00:00"},
        {"points": -1, "expires_at": "2027-01-01T00:00:00Z"},
        {"approved": True},
    ],
)
async def test_bad_input_is_refused_and_changes_nothing(
    office: Office, wrong: dict[str, Any]
) -> None:
    points = wrong.get("points", 1)

    answer = await office.ask(points, **{key: wrong[key] for key in wrong if key != "points"})

    assert code(answer) == (422, "invalid_request")
    assert await office.desk.rows(tables.adjustment) == []


async def test_they_are_listed_in_pages_and_shown(office: Office) -> None:
    waiting = [await office.asked(BIG + number, note=f"no. {number}") for number in range(3)]
    await office.ask(1)
    path = "/v1/adjustments?state=pending_approval&limit=2"

    first = (await office.second.get(path)).json()
    rest = (await office.second.get(f"{path}&cursor={first['next_cursor']}")).json()

    listed = [*first["data"], *rest["data"]]
    assert [one["adjustment_id"] for one in listed] == waiting
    assert rest["next_cursor"] is None
    shown = (await office.second.get(f"/v1/adjustments/{waiting[1]}")).json()
    assert shown == listed[1]
    assert shown["note"] == "no. 1"
    assert code(await office.second.get(f"/v1/adjustments/{uuid4()}")) == (
        404,
        "adjustment_unknown",
    )


async def test_notes_are_erased_with_the_member_and_nothing_is_posted_any_more(
    office: Office,
) -> None:
    adjustment_id = await office.asked(BIG, note="Ann Lee called")
    await office.ask(1, note="Ann Lee called")

    await office.clerk.post(f"/v1/members/{office.member_id}:erase")

    async with office.desk.db.transaction() as tx:
        rows = await tx.scalars(
            sa.text(
                "SELECT t::text FROM adjustment AS t"
                " UNION ALL SELECT convert_from(body, 'UTF8') FROM idempotency"
            )
        )
        assert not [row for row in rows if "Ann" in row]
    assert code(await office.decide(adjustment_id, "approve")) == (404, "member_unknown")
    assert (await office.decide(adjustment_id, "reject")).json()["state"] == "rejected"
    assert code(await office.ask(1)) == (404, "member_unknown")
    assert await office.has() == 1_001


async def test_our_own_processes_can_not_edit_what_was_asked_for(office: Office) -> None:
    await office.asked(BIG)

    for statement in ("UPDATE adjustment SET points = 1", "DELETE FROM adjustment"):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with office.desk.db.transaction() as tx:
                await tx.execute(sa.text(statement))
