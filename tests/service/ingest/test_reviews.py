"""Receipts that came too late for a rule: recorded, and published once somebody accepts them."""

import asyncio
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from services.ingest import domain
from services.ingest.context import IngestContext
from services.ingest.handlers import claims
from shared import ids
from shared.db import Database
from shared.errors import Refused
from tests.service.ingest.conftest import (
    ADMIN,
    NOW,
    TERMINAL,
    Apply,
    Record,
    as_return,
    as_sale,
    bearer,
    card_of,
    enrol,
    enrolled,
    published,
    purchase_body,
    return_body,
)

ADMINS = bearer(ADMIN)
WEEK = timedelta(days=7)


def _aged(age: timedelta, **differing: Any) -> dict[str, Any]:
    """Return the body of a sale that happened ``age`` ago."""
    at = NOW - age
    return purchase_body(
        business_date=at.date().isoformat(), occurred_at=at.isoformat(), **differing
    )


def _receipt_id(body: dict[str, Any]) -> str:
    return str(as_sale(body).receipt_id)


@pytest.mark.parametrize(
    ("age", "told"),
    [
        (timedelta(hours=72), [False]),
        (timedelta(hours=72, seconds=1), [True]),
        (WEEK, [True]),
        (WEEK + timedelta(seconds=1), []),
    ],
    ids=["72 h", "later", "7 days", "later still"],
)
async def test_late_sales_are_flagged_and_very_late_ones_held_back(
    db: Database, record: Record, age: timedelta, told: list[bool]
) -> None:
    (outcome,) = await record(as_sale(_aged(age)))
    assert outcome.kind == "accepted"
    assert [event.data.late for _, event in await published(db)] == told


async def test_accepted_receipt_is_published_once_with_its_member_and_what_waited(
    client: httpx.AsyncClient, context: IngestContext, db: Database, apply: Apply
) -> None:
    body = _aged(WEEK * 2)
    sold = (await client.post("/v1/purchases", json=body)).json()
    original = {name: body[name] for name in return_body()["original"]}
    await apply(as_return(return_body(original=original)))
    event = enrolled("9840001234")
    await enrol(context, event)
    assert await published(db) == []
    assert (await client.get(sold["status_url"])).json()["status"] == "in_review"

    url = f"/v1/reviews/{_receipt_id(body)}"
    first = await client.post(f"{url}:accept", json={"note": "Till was lost"}, headers=ADMINS)
    again = await client.post(f"{url}:accept", json={}, headers=ADMINS)
    assert (first.status_code, again.json()) == (200, first.json())
    told = [(one.type.split(".")[1], one.data.total_minor) for _, one in await published(db)]
    assert told == [("recorded", 111), ("attributed", 111), ("returned", 100)]
    (_, recorded), *_, (key, _) = await published(db)
    assert str(recorded.id) == sold["event_id"]
    assert recorded.data.late
    assert key == str(event.data.member_id)
    assert (await client.get(sold["status_url"])).json()["status"] == "accepted"


async def test_rejected_receipt_is_never_published_and_the_decision_stays(
    client: httpx.AsyncClient, context: IngestContext, db: Database
) -> None:
    body = _aged(WEEK * 2)
    sold = (await client.post("/v1/purchases", json=body)).json()
    url = f"/v1/reviews/{_receipt_id(body)}"
    rejected = await client.post(f"{url}:reject", json={"note": "Not ours"}, headers=ADMINS)
    accepted = await client.post(f"{url}:accept", json={}, headers=ADMINS)
    assert rejected.json()["state"] == "rejected"
    assert (accepted.status_code, accepted.json()["code"]) == (409, "review_decided")
    await enrol(context, enrolled("9840001234"))
    assert await published(db) == []
    assert (await client.get(sold["status_url"])).json()["status"] == "rejected"
    assert (await client.post("/v1/purchases", json=body)).json()["duplicate"]


async def test_list_tells_who_decided_and_why(client: httpx.AsyncClient) -> None:
    bodies = [_aged(WEEK * 2, receipt_no=str(number)) for number in range(3)]
    for body in bodies:
        await client.post("/v1/purchases", json=body)
    decided = _receipt_id(bodies[0])
    await client.post(f"/v1/reviews/{decided}:accept", json={"note": "Seen"}, headers=ADMINS)
    pending = (await client.get("/v1/reviews?limit=1", headers=ADMINS)).json()
    more = f"/v1/reviews?limit=1&cursor={pending['next_cursor']}"
    rest = (await client.get(more, headers=ADMINS)).json()
    seen = {one["receipt_no"] for one in pending["data"] + rest["data"]}
    assert (seen, rest["next_cursor"]) == ({"1", "2"}, None)
    (accepted,) = (await client.get("/v1/reviews?state=accepted", headers=ADMINS)).json()["data"]
    assert (accepted["note"], accepted["decided_by"]) == ("Seen", ADMIN.split("_")[1])
    assert accepted["decided_at"] is not None


async def test_tills_decide_nothing(client: httpx.AsyncClient) -> None:
    url = f"/v1/reviews/{ids.new_id()}:accept"
    assert (await client.post(url, json={}, headers=bearer(TERMINAL))).status_code == 403
    assert (await client.post(url, json={}, headers=ADMINS)).status_code == 404


async def test_receipt_in_review_can_not_be_claimed_yet(
    db: Database, context: IngestContext, record: Record
) -> None:
    (sold,) = await record(as_sale(_aged(WEEK * 2, member=None)))
    await enrol(context, enrolled("ann"))
    async with db.transaction() as tx:
        with pytest.raises(Refused, match="receipt_in_review"):
            await claims.claim(tx, str(sold.claim_token), card_of("ann"), context)


async def test_two_people_who_decide_at_once_publish_it_once(
    client: httpx.AsyncClient, db: Database
) -> None:
    body = _aged(WEEK * 2)
    await client.post("/v1/purchases", json=body)
    url = f"/v1/reviews/{_receipt_id(body)}"
    answers = await asyncio.gather(
        *(client.post(f"{url}:{what}", json={}, headers=ADMINS) for what in ("accept", "reject"))
    )
    assert sorted(one.status_code for one in answers) == [200, 409]
    assert len(await published(db)) == (answers[0].status_code == 200)


BERLIN_SUMMER, BERLIN_WINTER = timezone(timedelta(hours=2)), timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("at", "business_date", "suspect"),
    [
        # Berlin, 25 October 2026: half past two comes twice, an hour apart.
        (datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN_SUMMER), "2026-10-25", False),
        (datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN_WINTER), "2026-10-25", False),
        # A bar that closes at four is still at yesterday.
        (datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN_WINTER), "2026-10-24", False),
        (datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN_WINTER), "2026-10-26", False),
        (datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN_WINTER), "2026-10-23", True),
        (datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN_WINTER), "2026-10-27", True),
        # Kiritimati and Baker Island, as their tills write it and as UTC.
        (datetime(2026, 10, 25, 1, tzinfo=timezone(timedelta(hours=14))), "2026-10-24", False),
        (datetime.fromisoformat("2026-10-24T11:00:00+00:00"), "2026-10-25", False),
        (datetime(2026, 10, 25, 1, tzinfo=timezone(-timedelta(hours=12))), "2026-10-24", False),
        (datetime.fromisoformat("2026-10-25T13:00:00+00:00"), "2026-10-24", False),
        # The clock went back to its first day.
        (datetime.fromisoformat("2000-01-01T00:05:00+00:00"), "2026-10-25", True),
    ],
)
def test_business_date_is_within_a_day_of_the_tills_own_time(
    at: datetime, business_date: str, *, suspect: bool
) -> None:
    sale = as_sale(
        purchase_body(occurred_at=at.isoformat(), business_date=business_date), received_at=NOW
    )
    assert sale.clock_suspect is suspect


async def test_the_two_half_past_twos_of_one_night_are_two_sales(
    db: Database, record: Record
) -> None:
    at = "2026-10-25T02:30:00"
    night: dict[str, Any] = {"business_date": "2026-10-25"}
    both = [
        as_sale(
            purchase_body(str(number), occurred_at=f"{at}{offset}", **night),
            received_at=datetime.fromisoformat("2026-10-25T02:00:00+00:00"),
        )
        for number, offset in enumerate(("+02:00", "+01:00"))
    ]
    outcomes: list[domain.Outcome] = await record(*both)
    assert [one.kind for one in outcomes] == ["accepted", "accepted"]
    summer, winter = (event.data.occurred_at for _, event in await published(db))
    assert winter - summer == timedelta(hours=1)
