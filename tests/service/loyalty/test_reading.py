"""Balance, entries and lots over HTTP."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from services.loyalty.domain.terms import Pending
from shared.contracts.purchases import ReturnedLine
from tests import builders
from tests.builders import NOW
from tests.service.loyalty.desk import Desk
from tests.unit.loyalty import programmes


async def enrolled(client: Any) -> UUID:
    answer = await client.post(
        "/v1/members", json={"identifiers": [{"kind": "card", "value": "1"}]}
    )
    return UUID(answer.json()["member_id"])


def sale(number: int, member: UUID, cents: int) -> Any:
    return builders.purchase_recorded(
        receipt_no=str(number),
        member_id=member,
        occurred_at=NOW + timedelta(minutes=number),
        lines=[builders.line(category="BREAD", amount_minor=cents)],
    )


async def test_a_new_member_has_nothing_yet(desk: Desk) -> None:
    async with desk.client() as client:
        member_id = await enrolled(client)
        balance = (await client.get(f"/v1/members/{member_id}/balance")).json()

    assert balance == {
        "available": 0,
        "pending": 0,
        "held": 0,
        "debt": 0,
        "currency": "USD",
        "currency_value_minor": 0,
        "next_expiry": None,
        "tier": {
            "name": None,
            "since": None,
            "to_next": {
                "tier": "Silver",
                "measure": "spend",
                "missing": 10_000,
                "spend_minor": 10_000,
                "by": "2026-12-31",
            },
            "to_stay": None,
            "falls_at": None,
            "falls_to": None,
            "projected": {"name": None, "at": "2027-01-01T05:00:00Z"},
            "spend_this_year_minor": 0,
            "spend_previous_year_minor": 0,
        },
        "merged_into": None,
        "as_of_event_time": None,
    }


async def test_the_balance_says_worth_expiry_tier_and_age(desk: Desk) -> None:
    async with desk.client("terminal") as client:
        member_id = await enrolled(client)
        await desk.apply(sale(1, member_id, 12_000), sale(2, member_id, 199))
        balance = (await client.get(f"/v1/members/{member_id}/balance")).json()

    assert balance["available"] == 1_219
    assert balance["currency_value_minor"] == 121
    assert balance["next_expiry"] == {"at": "2027-12-01T05:00:00Z", "points": 1_219}
    assert balance["tier"]["name"] == "Silver"
    assert balance["tier"]["to_next"]["spend_minor"] == 30_000 - 12_199
    assert balance["tier"]["since"] == "2026-11-20T12:00:00Z"  # the till is ahead
    assert balance["tier"]["to_stay"] == {
        "measure": "spend",
        "missing": 0,
        "spend_minor": 0,
        "by": "2026-12-31",
    }
    assert balance["tier"]["projected"] == {"name": "Silver", "at": "2027-01-01T05:00:00Z"}
    assert balance["as_of_event_time"] == "2026-11-20T12:02:00Z"


async def test_entries_come_newest_first_page_by_page_each_explained(desk: Desk) -> None:
    async with desk.client() as client:
        member_id = await enrolled(client)
        bought = sale(1, member_id, 250)
        back = ReturnedLine(line_no=1, quantity_milli=0, amount_minor=100)
        await desk.apply(
            bought,
            sale(2, member_id, 1_000),
            builders.purchase_returned(bought.data, [back]),
        )
        path = f"/v1/members/{member_id}/entries"
        first = (await client.get(path, params={"limit": 2})).json()
        second = (
            await client.get(path, params={"limit": 2, "cursor": first["next_cursor"]})
        ).json()

    shown = first["data"] + second["data"]
    assert [(one["points"], one["available_after"]) for one in shown] == [
        (-10, 115),
        (100, 125),
        (25, 25),
    ]
    assert second["next_cursor"] is None
    explain = shown[0]["explain"]
    assert explain["words"] == (
        "Goods came back: the receipt is worth 15 points (10 points per dollar: 15), "
        "25 had been posted, so -10."
    )
    assert explain["programme_version"] == "v1"
    assert explain["lines"][0]["rules"] == ["base"]
    assert shown[2]["cause_id"] == str(bought.id)


async def test_lots_show_what_is_left_and_until_when(desk: Desk) -> None:
    async with desk.client() as client:
        member_id = await enrolled(client)
        bought = sale(1, member_id, 250)
        await desk.apply(bought)
        lots = (await client.get(f"/v1/members/{member_id}/lots")).json()

    assert lots["data"] == [
        {
            "lot_id": str(bought.data.receipt_id),
            "points": 25,
            "remaining": 25,
            "active": True,
            "activates_at": "2026-11-20T12:01:00Z",
            "expires_at": "2027-12-01T05:00:00Z",
            "inactive_months": None,
        }
    ]


async def test_a_forged_cursor_is_refused(desk: Desk) -> None:
    async with desk.client() as client:
        member_id = await enrolled(client)
        answer = await client.get(f"/v1/members/{member_id}/entries", params={"cursor": "nope!"})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")


async def test_a_receipt_tells_what_each_return_took_and_why_nothing(desk: Desk) -> None:
    version = programmes.version(pending=Pending(7), returns_take="pending_only")
    desk.under(programmes.small(version)).clock.advance(timedelta(days=30))
    async with desk.client() as client:
        member_id = await enrolled(client)
        sold = sale(1, member_id, 1_000)
        receipt_id = sold.data.receipt_id
        early, late = (NOW + timedelta(days=after) for after in (2, 9))
        back = [ReturnedLine(line_no=1, quantity_milli=0, amount_minor=300)]
        first = builders.purchase_returned(sold.data, back, time=early)
        await desk.apply(builders.purchase_returned(first.data, back, time=late))
        shown = (await client.get(f"/v1/members/{member_id}/receipts/{receipt_id}")).json()
        lot = (await client.get(f"/v1/members/{member_id}/lots")).json()["data"][0]
        nobody = await client.get(f"/v1/members/{member_id}/receipts/{UUID(int=5)}")
        other = (await client.post("/v1/members", json={})).json()["member_id"]
        others = await client.get(f"/v1/members/{other}/receipts/{receipt_id}")

    assert (shown["points"], shown["qualifying_minor"], shown["revision"]) == (70, 400, 3)
    assert (lot["points"], shown["begins_at"]) == (70, "2026-11-27T05:00:00Z")
    taken, stayed = shown["came_back"]
    assert [(one["amount_minor"], one["points"]) for one in (taken, stayed)] == [
        (300, 30),
        (300, 0),
    ]
    assert taken["words"] == "Goods came back on 2026-11-22: 30 points less, before caps."
    assert stayed["words"] == (
        "Goods came back on 2026-11-29: their points had become available, "
        "and the programme lets them stay."
    )
    assert {(one.status_code, one.json()["code"]) for one in (nobody, others)} == {
        (404, "not_found")
    }
