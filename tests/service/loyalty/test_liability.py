"""The liability report on a real Postgres: days add up, and follow one another."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa

from services.loyalty.app import service
from services.loyalty.handlers import holds
from shared.contracts.purchases import PurchaseRecorded
from shared.db import run_unit
from tests import builders
from tests.conftest import Templates
from tests.service.loyalty.test_chain import Opened, opened

YESTERDAY = datetime(2026, 11, 20, 4, 59, 59, tzinfo=UTC)
"""One second before midnight in the programme's zone, New York."""
TODAY = YESTERDAY + timedelta(seconds=1)


class Ledger:
    """A ledger whose entries can be said to have been posted at some time."""

    def __init__(self, opened_books: Opened, office: httpx.AsyncClient) -> None:
        self.desk, self.owner, self.office = opened_books.desk, opened_books.owner, office
        self.members: list[UUID] = []
        self.placed: list[datetime] = []
        self.sales = 0

    async def enrol(self) -> UUID:
        card = {"kind": "card", "value": str(9_840_001_200 + len(self.members))}
        answer = await self.office.post("/v1/members", json={"identifiers": [card]})
        self.members.append(UUID(answer.json()["member_id"]))
        return self.members[-1]

    async def sell(self, member_id: UUID, points: int, **overrides: Any) -> PurchaseRecorded:
        self.sales += 1
        lines = [builders.line(category="BREAD", amount_minor=points * 10)]
        event = builders.purchase_recorded(
            receipt_no=str(self.sales), member_id=member_id, lines=lines, **overrides
        )
        await self.desk.apply(event)
        return event

    async def post(self, path: str, **body: Any) -> Any:
        headers = {"Idempotency-Key": uuid4().hex}
        return (await self.office.post(f"/v1/{path}", json=body, headers=headers)).json()

    async def hold(self, member_id: UUID, points: int) -> str | None:
        shown = {"card": str(9_840_001_200 + self.members.index(member_id))}
        body = {"member_id": str(member_id), "points": points, "identified_by": shown}
        hold_id: str | None = (await self.post("holds", **body)).get("hold_id")
        return hold_id

    async def adjust(self, member_id: UUID, points: int, **more: Any) -> None:
        body = {"member_id": str(member_id), "points": points, "reason": "other", **more}
        await self.post("adjustments", **body)

    async def sweep(self, **later: float) -> None:
        self.desk.clock.advance(timedelta(**later))
        await run_unit(self.desk.db, lambda tx: holds.sweep(tx, self.desk.context))

    async def tamper(self, statement: str, **values: Any) -> None:
        """Do what the owner of the database can do."""
        async with self.owner.transaction() as tx:
            await tx.execute(sa.text(statement), values)

    async def place(self, at: datetime) -> None:
        """Let all entries since the last call have been posted at ``at``."""
        await self.tamper(
            "UPDATE entry SET posted_at = :at"
            " WHERE posted_at <> ALL (CAST(:placed AS timestamptz[]))",
            at=at,
            placed=self.placed,
        )
        self.placed.append(at)

    async def report(self, day: date | str | None = None) -> dict[str, Any]:
        answer = await self.office.get(
            "/v1/reports/liability", params={} if day is None else {"date": str(day)}
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@asynccontextmanager
async def ledger_of(templates: Templates) -> AsyncGenerator[Ledger]:
    roles, name = await templates.clone(service())
    async with opened(templates, roles, name) as books, books.desk.client("staff") as office:
        yield Ledger(books, office)


@pytest_asyncio.fixture(name="ledger")
async def open_ledger(templates: Templates) -> AsyncGenerator[Ledger]:
    """Open an empty ledger, and the office that looks at it."""
    async with ledger_of(templates) as ledger:
        yield ledger


def moved(report: dict[str, Any]) -> dict[str, int]:
    return {one["kind"]: one["points"] for one in report["movements"] if one["points"]}


def balances(available: int = 0, pending: int = 0, held: int = 0, debt: int = 0) -> dict[str, int]:
    return {
        "outstanding": available + pending + held - debt,
        "available": available,
        "pending": pending,
        "held": held,
        "debt": debt,
    }


async def test_two_days_by_hand(ledger: Ledger) -> None:
    ann = await ledger.enrol()
    await ledger.sell(ann, 1_000)
    brought_back = await ledger.sell(ann, 100)
    hold_id = await ledger.hold(ann, 300)
    ledger.desk.clock.advance(timedelta(minutes=1))
    end = ledger.desk.clock.now() + timedelta(hours=1)
    await ledger.adjust(ann, 70, expires_at=end.isoformat())
    await ledger.place(YESTERDAY)
    await ledger.post(f"holds/{hold_id}:capture", points=200)
    await ledger.desk.apply(builders.purchase_returned(brought_back.data))
    await ledger.adjust(ann, 50)
    await ledger.adjust(ann, -20)
    await ledger.sweep(hours=2)
    await ledger.place(TODAY)

    first, second = await ledger.report("2026-11-19"), await ledger.report()

    assert first["opening"] == balances()
    assert moved(first) == {"issued": 1_100, "adjusted_up": 70}
    assert first["closing"] == second["opening"] == balances(available=870, held=300)
    assert second["date"] == "2026-11-20"
    # 20 of the 70 were taken: they would have ended first.
    assert moved(second) == {
        "returned": -100,
        "redeemed": -200,
        "expired": -50,
        "adjusted_up": 50,
        "adjusted_down": -20,
    }
    assert second["closing"] == balances(available=850)
    assert (second["outstanding_points"], second["value_minor"]) == (850, 85)
    assert (first["closes"], first["final"]) == (True, True)
    assert (second["closes"], second["final"]) == (True, False)
    assert (await ledger.desk.audit()).ok


async def test_a_return_of_spent_points_lessens_what_is_owed_to_members(ledger: Ledger) -> None:
    ann = await ledger.enrol()
    sale = await ledger.sell(ann, 100)
    await ledger.adjust(ann, -80)
    await ledger.desk.apply(builders.purchase_returned(sale.data))
    await ledger.place(TODAY)

    report = await ledger.report()

    assert report["closing"] == balances(debt=80)
    assert moved(report) == {"issued": 100, "adjusted_down": -80, "returned": -100}
    assert report["closes"]


async def test_points_are_shown_by_the_age_of_their_lot(ledger: Ledger) -> None:
    ann = await ledger.enrol()
    for number in range(1, 8):
        await ledger.sell(ann, number)
    now = ledger.desk.clock.now()
    for points, days in enumerate((0, 29.999, 30, 90, 180, 364.999, 365), 1):
        at = now - timedelta(days=days)
        await ledger.tamper("UPDATE lot SET activates_at = :at WHERE points = :n", at=at, n=points)

    report = await ledger.report()

    ages = [(one["from_days"], one["to_days"], one["points"]) for one in report["by_age"]]
    assert ages == [(0, 30, 3), (30, 90, 3), (90, 180, 4), (180, 365, 11), (365, None, 7)]
    past = await ledger.report("2026-11-19")
    assert (past["by_age"], past["by_age_missing"]) == (
        None,
        "Only known for today: lots are kept as they are now.",
    )


ENDED = """
    INSERT INTO lot (member_id, lot_id, points, remaining, activates_at, expires_at, active,
        expired)
    SELECT ('00000000-0000-0000-0000-' || lpad((number % 50)::text, 12, '0'))::uuid,
        gen_random_uuid(), 100, 0, :began, :ended, true,
        CASE WHEN number % 5 = 0 THEN 100 ELSE 0 END
    FROM generate_series(1, CAST(:lots AS int)) AS number
"""


async def test_what_will_end_unspent_is_told_from_enough_lots(ledger: Ledger) -> None:
    ann = await ledger.enrol()
    await ledger.sell(ann, 1_000)
    await ledger.adjust(ann, -900)
    now = ledger.desk.clock.now()
    ended = {"began": now - timedelta(days=400), "ended": now - timedelta(days=1)}

    await ledger.tamper(ENDED, lots=99, **ended)
    few = (await ledger.report())["breakage"]
    await ledger.tamper(ENDED, lots=51, **ended)
    enough = (await ledger.report())["breakage"]
    await ledger.tamper("UPDATE lot SET remaining = 1000 WHERE points = 1000")
    whole = (await ledger.report())["breakage"]
    past = (await ledger.report("2026-11-18"))["breakage"]

    assert (few["ended_lots"], few["share"], few["expected"]) == (99, None, None)
    assert few["missing"] == "Fewer than 100 lots have ended."
    assert (enough["ended_lots"], enough["missing"]) == (150, None)
    assert enough["share"] == pytest.approx(29 / 150)
    # Of 50 members with about as much each: Wilson's interval for 0.193 among 50.
    assert (enough["low"], enough["high"]) == pytest.approx((0.107, 0.323), abs=2e-3)
    # A fifth of 1,000 points, and no more than the 100 that are left.
    assert enough["expected"]["points"] == enough["expected"]["high_points"] == 100
    assert (whole["expected"]["points"], whole["expected"]["value_minor"]) == (193, 19)
    assert whole["expected"]["low_points"] < 193 < whole["expected"]["high_points"]
    assert past["ended_lots"] == 0


class Chance:
    """Does things of all kinds to two members."""

    def __init__(self, ledger: Ledger, seed: int) -> None:
        self.ledger, self.random = ledger, Random(seed)
        self.open_holds: list[str] = []
        self.sales: list[PurchaseRecorded] = []

    async def step(self) -> None:
        ledger, points = self.ledger, self.random.randint(1, 300)
        member_id = self.random.choice(ledger.members)
        ledger.desk.clock.advance(timedelta(minutes=1))
        match self.random.randrange(6):
            case 0:
                self.sales.append(await ledger.sell(member_id, points))
            case 1 if hold_id := await ledger.hold(member_id, points):
                self.open_holds.append(hold_id)
            case 2 if self.open_holds:
                verb = self.random.choice(["capture", "release"])
                await ledger.post(f"holds/{self.open_holds.pop()}:{verb}")
            case 3 if self.sales:
                sale = self.sales.pop(self.random.randrange(len(self.sales)))
                await ledger.desk.apply(builders.purchase_returned(sale.data))
            case 4:
                end = ledger.desk.clock.now() + timedelta(minutes=3)
                await ledger.adjust(member_id, points, expires_at=end.isoformat())
            case _:
                await ledger.adjust(member_id, -points)
        await ledger.sweep()


async def test_each_day_opens_as_the_day_before_closed(ledger: Ledger) -> None:
    """Forty things of all kinds that happen to two members, on seven days."""
    chance = Chance(ledger, seed=20)
    for member_id in [await ledger.enrol(), await ledger.enrol()]:
        chance.sales.append(await ledger.sell(member_id, 400))
    for _ in range(40):
        await chance.step()
    await ledger.tamper(
        "UPDATE entry SET posted_at = CAST(:start AS timestamptz)"
        " + interval '1 day' * ((version - 1) * 7 / (SELECT max(version) FROM entry AS last"
        " WHERE last.member_id = entry.member_id))",
        start=TODAY - timedelta(days=6) + timedelta(hours=2),
    )

    days = [await ledger.report(date(2026, 11, 14) + timedelta(days=at)) for at in range(7)]

    assert {kind for day in days for kind in moved(day)} >= {
        "issued",
        "returned",
        "redeemed",
        "expired",
        "adjusted_up",
        "adjusted_down",
    }
    before = balances()
    for day in days:
        assert day["opening"] == before
        before = day["closing"]
        added = sum(moved(day).values())
        assert day["opening"]["outstanding"] + added == before["outstanding"]
        assert day["closes"]
        assert moved(day)
    report = await ledger.desk.audit()
    assert report.ok
    assert before == balances(report.available, report.pending, report.held, report.debt)


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE lot SET remaining = remaining - 1",
        "UPDATE account SET available = available + 1",
        "UPDATE account SET held = held + 1",
        "UPDATE entry SET from_account = 'nowhere'",
    ],
)
async def test_a_day_that_does_not_close_says_so(
    ledger: Ledger, tampering: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await ledger.sell(await ledger.enrol(), 100)
    await ledger.place(TODAY)
    assert (await ledger.report())["closes"]
    assert "day_does_not_close" not in capsys.readouterr().out

    await ledger.tamper(tampering)

    assert not (await ledger.report())["closes"]
    assert "day_does_not_close" in capsys.readouterr().out


@pytest.mark.parametrize("day", ["2026-11-21", "1989-12-31", "0001-01-01", "yesterday", ""])
async def test_a_day_that_is_not_there_is_refused(ledger: Ledger, day: str) -> None:
    answer = await ledger.office.get("/v1/reports/liability", params={"date": day})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
