"""Challenges, birthdays and referrals on a real Postgres: given once, taken back, explained."""

import asyncio
from base64 import b64decode
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest_asyncio

from services.loyalty import jobs
from services.loyalty.domain.challenges import Challenge
from services.loyalty.domain.occasions import Birthday, Referral
from services.loyalty.domain.terms import Expiry
from services.loyalty.store import award_tables, tables
from shared.contracts.loyalty import PointsAwarded
from shared.contracts.purchases import ReturnedLine
from tests import builders
from tests.builders import NOW
from tests.service.loyalty.desk import Desk
from tests.unit.loyalty import programmes

REGULAR = Challenge("regular", "Two visits in a month, twice", 500, "visits", 2, "month", periods=2)
FIRST = Challenge("first", "Your first purchase", 100, "visits", 1, "ever", once=True)
BIRTHDAY = Birthday("birthday", "Happy birthday", 250, days_before=2)
REFERRAL = Referral(
    "friends",
    "You brought a friend",
    points_referrer=300,
    points_referred=200,
    minimum_spend_minor=1_000,
    within_days=30,
    return_days=14,
    per_year=2,
)


class Shop:
    """A desk under rules that give more than receipts earn."""

    def __init__(self, desk: Desk, office: httpx.AsyncClient) -> None:
        self.desk, self.office, self.number = desk, office, 0

    async def enrol(self, **fields: Any) -> UUID:
        self.number += 1
        body = {"external_id": f"m-{self.number}", **fields}
        answer = await self.office.post("/v1/members", json=body)
        assert answer.status_code == 201, answer.text
        return UUID(answer.json()["member_id"])

    def sale(self, member_id: UUID, at: datetime, cents: int = 1_000) -> Any:
        self.number += 1
        return builders.purchase_recorded(
            member_id=member_id,
            receipt_no=str(self.number),
            occurred_at=at,
            received_at=at,
            lines=[builders.line(category="BREAD", amount_minor=cents)],
        )

    def move(self, to: datetime) -> None:
        self.desk.clock.advance(to - self.desk.clock.now())

    async def has(self, member_id: UUID) -> tuple[int, int]:
        """Return what is available and pending; the books must close."""
        report = await self.desk.audit()
        assert report.ok, report
        answer = await self.office.get(f"/v1/members/{member_id}/balance")
        return answer.json()["available"], answer.json()["pending"]

    async def words(self, member_id: UUID) -> list[str]:
        answer = await self.office.get(f"/v1/members/{member_id}/entries")
        return [one["explain"]["words"] for one in answer.json()["data"]]

    async def told(self) -> list[tuple[str, int]]:
        events = await self.desk.published("loyalty")
        return [
            (one.data.rule, one.data.points) for one in events if isinstance(one, PointsAwarded)
        ]


@pytest_asyncio.fixture(name="shop")
async def open_shop(desk: Desk) -> AsyncGenerator[Shop]:
    """Open a shop with two challenges, a birthday rule and a referral rule."""
    version = replace(
        programmes.version(), challenges=(REGULAR, FIRST), birthday=BIRTHDAY, referral=REFERRAL
    )
    desk.under(programmes.small(version))
    async with desk.client("staff") as office:
        yield Shop(desk, office)


def back(of: Any, cents: int = 1_000) -> Any:
    line = ReturnedLine(line_no=1, quantity_milli=0, amount_minor=cents)
    return builders.purchase_returned(of.data, [line])


async def test_a_challenge_is_given_once_taken_back_and_given_again(shop: Shop) -> None:
    ann = await shop.enrol()
    october, november = (datetime(2026, month, 3, 12, tzinfo=UTC) for month in (10, 11))
    sales = [
        shop.sale(ann, at + timedelta(days=day)) for at in (october, november) for day in (0, 5)
    ]

    await shop.desk.apply(*sales)
    await shop.desk.apply(*sales)
    assert await shop.has(ann) == (4 * 100 + 100 + 500, 0)
    undone = back(sales[1])
    await shop.desk.apply(undone)
    assert await shop.has(ann) == (3 * 100 + 100, 0)
    late = shop.sale(ann, october + timedelta(days=9))
    await shop.desk.apply(late, undone)

    assert await shop.has(ann) == (4 * 100 + 100 + 500, 0)
    told = await shop.told()
    assert sorted(told[:2]) == [("first", 100), ("regular", 500)]
    assert told[2:] == [("regular", -500), ("regular", 500)]
    assert "Not deserved any more: Two visits in a month, twice: 500 points." in await shop.words(
        ann
    )
    answer = await shop.office.get(f"/v1/members/{ann}/challenges")
    regular, first = answer.json()["data"]
    assert (regular["so_far"], regular["periods_reached"], regular["earned"]) == (2, 2, 1)
    assert regular["words"] == "2 of 2 visits until 2026-11-30; 2 of 2 months in a row."
    assert (first["first_day"], first["missing"], first["earned"]) == (None, 0, 1)


async def test_two_tills_that_complete_a_challenge_at_once_give_it_once(shop: Shop) -> None:
    members = [await shop.enrol() for _ in range(4)]
    at = datetime(2026, 11, 3, 12, tzinfo=UTC)

    await asyncio.gather(
        *(
            shop.desk.apply(*(shop.sale(one, at + timedelta(days=day)) for one in members))
            for day in range(5)
        )
    )

    for one in members:
        assert await shop.has(one) == (5 * 100 + 100, 0)
    progress = await shop.desk.rows(award_tables.progress)
    assert sorted(row.value for row in progress) == [5] * 8


async def test_spent_points_of_a_challenge_that_is_lost_are_owed(shop: Shop) -> None:
    ann = await shop.enrol()
    sold = shop.sale(ann, NOW - timedelta(days=1))
    await shop.desk.apply(sold)
    taken = await shop.office.post(
        "/v1/adjustments",
        json={"member_id": str(ann), "points": -200, "reason": "misuse"},
        headers={"Idempotency-Key": "1"},
    )
    assert taken.json()["state"] == "posted"

    await shop.desk.apply(back(sold))

    answer = await shop.office.get(f"/v1/members/{ann}/balance")
    assert (answer.json()["available"], answer.json()["debt"]) == (0, 200)
    assert (await shop.desk.audit()).ok


async def test_birthdays_are_given_once_a_year_also_on_the_29th_of_february(shop: Shop) -> None:
    soon = (NOW + timedelta(days=2)).date()
    ann = await shop.enrol(birth_date=f"1980-{soon:%m-%d}")
    ben = await shop.enrol(birth_date=f"1980-{soon + timedelta(days=1):%m-%d}")
    eve = await shop.enrol(birth_date="1996-02-29")
    gone = await shop.enrol(birth_date=f"1980-{soon:%m-%d}")
    await shop.office.post(f"/v1/members/{gone}:erase")

    await asyncio.gather(*(jobs.give_birthdays(shop.desk.context) for _ in range(4)))

    assert await shop.has(ann) == (250, 0)
    assert await shop.has(ben) == (0, 0)
    other = soon - timedelta(days=1)
    await shop.office.patch(f"/v1/members/{ann}", json={"birth_date": f"1980-{other:%m-%d}"})
    await jobs.give_birthdays(shop.desk.context)
    assert await shop.has(ann) == (250, 0)

    shop.move(datetime(2027, 2, 26, 12, tzinfo=UTC))
    await jobs.give_birthdays(shop.desk.context)
    assert await shop.has(eve) == (250, 0)
    assert await shop.has(ben) == (0, 0)  # nobody was running for months: too late
    shop.move(datetime(2027, other.month, other.day, 12, tzinfo=UTC))
    await jobs.give_birthdays(shop.desk.context)
    assert await shop.words(ann) == ["Happy birthday: 250 points."] * 2
    assert {one.kind for one in await shop.desk.rows(award_tables.award)} == {"birthday"}


async def test_awards_live_as_long_as_their_owner_comes(shop: Shop) -> None:
    idle = programmes.version(expiry=Expiry(inactive_months=3))
    version = replace(idle, challenges=(FIRST,), birthday=BIRTHDAY, referral=REFERRAL)
    shop.desk.under(programmes.small(version))
    ann = await shop.enrol(birth_date=f"1980-{NOW + timedelta(days=2):%m-%d}")
    ben = await bring(shop, ann)
    await jobs.give_birthdays(shop.desk.context)
    await shop.desk.apply(shop.sale(ben, NOW))
    await jobs.follow_referrals(shop.desk.context)
    lots = await shop.desk.rows(tables.lot)
    assert sorted(one.points for one in lots) == [100, 100, 200, 250, 300]
    assert {(one.inactive_months, one.expires_at) for one in lots} == {(3, None)}

    shop.move(NOW + timedelta(days=80))
    await jobs.run_sweep(shop.desk.context)
    await shop.desk.apply(shop.sale(ben, NOW + timedelta(days=80)))
    shop.move(NOW + timedelta(days=120))
    await jobs.run_sweep(shop.desk.context)

    assert await shop.has(ann) == (0, 0)
    assert await shop.has(ben) == (100 + 100 + 100 + 200, 0)


async def bring(shop: Shop, referrer: UUID) -> UUID:
    answer = await shop.office.put(f"/v1/members/{referrer}/referral-code")
    code: str = answer.json()["code"]
    return await shop.enrol(referral_code=code.lower())


async def test_referrals_are_listed_in_pages_that_do_not_say_who(shop: Shop) -> None:
    """Some of them are of the same instant."""
    ann = await shop.enrol()
    path = f"/v1/members/{ann}/referrals"
    assert (await shop.office.get(path)).json() == {"code": None, "data": [], "next_cursor": None}
    brought: list[UUID] = []
    for _ in range(5):
        brought += [await bring(shop, ann), await bring(shop, ann)]
        shop.move(shop.desk.clock.now() + timedelta(hours=13))

    seen, cursor = [], ""
    while True:
        page = (await shop.office.get(f"{path}?limit=3{cursor}")).json()
        seen += [one["counts_until"] for one in page["data"]]
        if page["next_cursor"] is None:
            break
        text = b64decode(page["next_cursor"] + "==", b"-_").decode()
        assert not [one for one in brought if str(one) in text]
        cursor = f"&cursor={page['next_cursor']}"

    whole = (await shop.office.get(f"{path}?limit=100")).json()
    assert seen == [one["counts_until"] for one in whole["data"]]
    assert (seen, len(seen)) == (sorted(seen, reverse=True), 10)
    assert (await shop.office.get(f"{path}?limit=101")).status_code == 422
    assert (await shop.office.get(f"{path}?cursor=nonsense")).status_code == 422


async def test_both_sides_wait_for_the_return_window(shop: Shop) -> None:
    ann = await shop.enrol()
    ben = await bring(shop, ann)
    await jobs.follow_referrals(shop.desk.context)
    assert await shop.has(ann) == (0, 0)

    small, first = shop.sale(ben, NOW, 900), shop.sale(ben, NOW + timedelta(seconds=1))
    await shop.desk.apply(small, first)
    for _ in range(2):
        await asyncio.gather(*(jobs.follow_referrals(shop.desk.context) for _ in range(3)))
    assert await shop.has(ann) == (0, 300)
    assert await shop.has(ben) == (90 + 100 + 100, 200)

    shop.move(NOW + timedelta(days=15))
    await jobs.run_sweep(shop.desk.context)
    await jobs.follow_referrals(shop.desk.context)
    await shop.desk.apply(back(first))
    await jobs.follow_referrals(shop.desk.context)

    assert await shop.has(ann) == (300, 0)
    assert (await shop.has(ben))[0] == 90 + 100 + 200
    answer = await shop.office.get(f"/v1/members/{ann}/referrals")
    assert [one["state"] for one in answer.json()["data"]] == ["earned"]


async def test_a_first_purchase_that_comes_back_in_time_gives_nothing(shop: Shop) -> None:
    ann = await shop.enrol()
    ben = await bring(shop, ann)
    first = shop.sale(ben, NOW)
    await shop.desk.apply(first)
    await jobs.follow_referrals(shop.desk.context)

    await shop.desk.apply(back(first))
    await jobs.follow_referrals(shop.desk.context)
    assert await shop.has(ann) == (0, 0)
    shop.move(NOW + timedelta(days=40))
    await jobs.follow_referrals(shop.desk.context)

    answer = await shop.office.get(f"/v1/members/{ann}/referrals")
    assert [one["state"] for one in answer.json()["data"]] == ["lapsed"]
    told = [points for rule, points in await shop.told() if rule == "friends"]
    assert (sorted(told[:2]), sorted(told[2:])) == ([200, 300], [-300, -200])


async def test_a_referrer_earns_for_so_many_a_year(shop: Shop) -> None:
    ann = await shop.enrol()
    brought = [await bring(shop, ann) for _ in range(4)]
    await shop.desk.apply(*(shop.sale(one, NOW) for one in brought))

    await asyncio.gather(*(jobs.follow_referrals(shop.desk.context) for _ in range(3)))

    assert await shop.has(ann) == (0, 2 * 300)
    assert {await shop.has(one) for one in brought} == {(200, 200)}


async def test_codes_of_nobody_and_of_who_left_are_refused(shop: Shop) -> None:
    ann = await shop.enrol()
    code = (await shop.office.put(f"/v1/members/{ann}/referral-code")).json()["code"]
    again = (await shop.office.put(f"/v1/members/{ann}/referral-code")).json()["code"]
    assert code == again

    await shop.office.post(f"/v1/members/{ann}:erase")
    answers = [
        await shop.office.post("/v1/members", json={"referral_code": one})
        for one in (code, "NOBODYS1")
    ]

    assert [(one.status_code, one.json()["code"]) for one in answers] == [
        (422, "referral_code_unknown")
    ] * 2


async def test_who_brought_somebody_and_left_gets_nothing(shop: Shop) -> None:
    ann = await shop.enrol()
    ben = await bring(shop, ann)
    await shop.desk.apply(shop.sale(ben, NOW))
    await jobs.follow_referrals(shop.desk.context)

    await shop.office.post(f"/v1/members/{ann}:erase")
    await jobs.follow_referrals(shop.desk.context)

    assert await shop.has(ben) == (200, 0)
