"""Merging members on a real Postgres: their points, debts, tiers and keys, there and back."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio

from services.loyalty.handlers import merges
from services.loyalty.store import award_tables, tables
from shared.auth import Caller
from shared.contracts.loyalty import PointsMerged, TierChanged
from shared.contracts.members import MemberChanged
from shared.contracts.purchases import ReturnedLine
from shared.db import run_unit
from tests import builders
from tests.service.loyalty.desk import Desk
from tests.service.loyalty.merging import Office
from tests.service.waiting import until_one_waits
from tests.unit.loyalty import programmes


@pytest_asyncio.fixture(name="office")
async def open_office(desk: Desk) -> AsyncGenerator[Office]:
    """Open an office without members."""
    async with desk.client("admin") as clerk, desk.client("terminal") as till:
        yield Office(desk, clerk, till)


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_points_go_over_with_their_old_end_and_the_entries_say_so(office: Office) -> None:
    old = builders.NOW - timedelta(days=200)
    ann, ben = await office.enrol(), await office.enrol(300)
    await office.earn(ann, 500, occurred_at=old)
    for one in (ann, ben):
        await office.spend(one, 100)

    answer = await office.merge(ann, ben)

    assert answer.status_code == 200
    assert (answer.json()["member_id"], answer.json()["into"]) == (str(ann), str(ben))
    assert await office.has(ann, ben) == [(0, 0, 0, 0), (600, 0, 0, 0)]
    assert await office.lots(ann) == []
    # What ben had spent before came from his own points, and stays so.
    assert await office.lots(ben) == [(400, "2027-06-01"), (200, "2027-12-01")]
    assert (await office.words(ann))[0] == "Moved to the membership that took over: 400 points."
    assert (await office.words(ben))[0] == "Taken over from another membership: 400 points."
    told = [one.data for one in await office.desk.published() if isinstance(one, PointsMerged)]
    assert [(one.member_id, one.other_id, one.points, one.available) for one in told] == [
        (ann, ben, -400, 0),
        (ben, ann, 400, 600),
    ]


async def test_cards_lead_to_who_took_over_and_back(office: Office) -> None:
    ann, ben = await office.enrol(100, external_id="crm-1"), await office.enrol()
    await office.merged(ann, ben)

    assert await office.who_has(ann) == ben
    by_crm = await office.till.get("/v1/members:lookup", params={"external_id": "crm-1"})
    assert by_crm.json()["member_id"] == str(ben)
    shown, balance = await office.show(ann), await office.show(ann, "balance")
    assert (shown["status"], shown["merged_into"]) == ("merged", str(ben))
    assert balance["merged_into"] == str(ben)
    await office.spend(ben, 60, card_of=ann)
    states = {one.data.member_id: one.data for one in await told_states(office)}
    assert (states[ann].merged_into, len(states[ann].identifiers)) == (ben, 0)
    assert (states[ben].status, len(states[ben].identifiers)) == ("active", 2)

    assert (await office.unmerge(ann)).status_code == 200

    assert [await office.who_has(one) for one in (ann, ben)] == [ann, ben]
    states = {one.data.member_id: one.data for one in await told_states(office)}
    assert (states[ann].status, states[ann].merged_into) == ("active", None)
    assert [len(states[one].identifiers) for one in (ann, ben)] == [1, 1]
    # What was spent meanwhile is who took over's.
    assert await office.has(ann, ben) == [(100, 0, 0, 0), (0, 0, 0, 60)]


async def told_states(office: Office) -> list[MemberChanged]:
    return [one for one in await office.desk.published("members") if isinstance(one, MemberChanged)]


async def test_a_late_sale_and_return_of_the_merged_member_move_the_difference(
    office: Office,
) -> None:
    ann, ben = await office.enrol(), await office.enrol()
    first = await office.earn(ann, 500)
    await office.merged(ann, ben)
    earlier = builders.NOW - timedelta(days=40)

    await office.earn(ann, 200, occurred_at=earlier)

    assert await office.has(ann, ben) == [(0, 0, 0, 0), (700, 0, 0, 0)]
    assert await office.lots(ben) == [(200, "2027-11-01"), (500, "2027-12-01")]
    await office.spend(ben, 600, card_of=ann)

    await office.desk.apply(
        builders.purchase_returned(
            first.data, [ReturnedLine(line_no=1, quantity_milli=0, amount_minor=4_000)]
        )
    )

    assert await office.has(ann, ben) == [(0, 0, 0, 0), (0, 0, 0, 300)]


async def test_a_debt_stays_one_where_later_rules_would_forgive_it(office: Office) -> None:
    later = builders.NOW + timedelta(days=1)
    forgiving = programmes.version("v2", since=later, shortfall="down_to_zero")
    office.desk.under(programmes.small(programmes.version(), forgiving))
    ann, ben = await office.enrol(), await office.enrol()
    sold = await office.earn(ann, 500)
    await office.spend(ann, 500)
    await office.desk.apply(builders.purchase_returned(sold.data))
    office.desk.clock.advance(timedelta(days=2))

    await office.merged(ann, ben)

    assert await office.has(ann, ben) == [(0, 0, 0, 0), (0, 0, 0, 500)]
    await office.earn(ben, 200, occurred_at=later + timedelta(days=1))
    assert await office.has(ben) == [(0, 0, 0, 300)]
    assert {row.lost for row in await office.desk.rows(tables.account)} == {0}
    assert (await office.unmerge(ann)).status_code == 200
    assert await office.has(ann, ben) == [(0, 0, 0, 500), (200, 0, 0, 0)]


async def test_a_return_that_ingest_gives_to_who_took_over_takes_from_them(office: Office) -> None:
    """The next revision of a receipt names the one who is left."""
    ann, ben = await office.enrol(), await office.enrol()
    sold = await office.earn(ann, 500)
    await office.spend(ann, 200)
    await office.merged(ann, ben)
    back = [ReturnedLine(line_no=1, quantity_milli=0, amount_minor=4_000)]

    await office.desk.apply(builders.purchase_returned(sold.data, back, member_id=ben))

    assert await office.has(ann, ben) == [(0, 0, 0, 0), (0, 0, 0, 100)]


async def test_debts_and_pending_points_go_over_too(office: Office) -> None:
    ann, ben = await office.enrol(), await office.enrol(50)
    sold = await office.earn(ann, 300)
    await office.spend(ann, 300)
    await office.desk.apply(builders.purchase_voided(sold.data))
    assert await office.has(ann, ben) == [(0, 0, 0, 300), (50, 0, 0, 0)]

    await office.merged(ann, ben)

    assert await office.has(ann, ben) == [(0, 0, 0, 0), (0, 0, 0, 250)]
    assert (await office.words(ann))[0] == (
        "Moved to the membership that took over: a debt of 300 points."
    )
    assert (await office.unmerge(ann)).status_code == 200
    assert await office.has(ann, ben) == [(0, 0, 0, 300), (50, 0, 0, 0)]


async def test_an_open_hold_stays_and_what_it_gives_back_goes_over(office: Office) -> None:
    ann, ben = await office.enrol(500), await office.enrol()
    one, other = [await office.hold(ann, 200, card_of=ann) for _ in range(2)]

    await office.merged(ann, ben)

    assert await office.has(ann, ben) == [(0, 0, 400, 0), (100, 0, 0, 0)]
    assert (await office.close(one, "capture", {"points": 150})).status_code == 200
    assert await office.has(ann, ben) == [(0, 0, 200, 0), (150, 0, 0, 0)]
    await office.sweep(hours=1)
    assert await office.has(ann, ben) == [(0, 0, 0, 0), (350, 0, 0, 0)]
    assert code(await office.close(other, "release")) == (409, "hold_not_open")


async def test_a_lot_that_went_over_ends_at_its_old_end(office: Office) -> None:
    ann, ben = await office.enrol(), await office.enrol(300)
    await office.earn(ann, 500, occurred_at=builders.NOW - timedelta(days=200))
    await office.merged(ann, ben)

    await office.sweep(days=195)

    assert await office.has(ann, ben) == [(0, 0, 0, 0), (300, 0, 0, 0)]
    # Undone, they have ended where they came from.
    assert (await office.unmerge(ann)).status_code == 200
    assert await office.has(ann, ben) == [(0, 0, 0, 0), (300, 0, 0, 0)]
    rows = await office.desk.rows(tables.lot)
    assert [(row.member_id, row.expired, row.passed) for row in rows if row.expired] == [
        (ann, 500, 0)
    ]


async def test_the_tier_counts_what_both_have_spent(office: Office) -> None:
    ann, ben = await office.enrol(800), await office.enrol(700)
    assert (await office.show(ben, "balance"))["tier"]["name"] is None

    await office.merged(ann, ben)
    rose = await office.show(ben, "balance")
    await office.earn(ann, 1_600)
    late = await office.show(ben, "balance")
    await office.unmerge(ann)

    assert (rose["tier"]["name"], rose["tier"]["spend_this_year_minor"]) == ("Silver", 15_000)
    assert (late["tier"]["name"], late["tier"]["spend_this_year_minor"]) == ("Gold", 31_000)
    tier = (await office.show(ben, "balance"))["tier"]
    assert (tier["name"], tier["spend_this_year_minor"]) == (None, 7_000)
    told = [one.data for one in await office.desk.published() if isinstance(one, TierChanged)]
    assert [one.tier for one in told if one.member_id == ben] == ["Silver", "Gold", None]
    assert (await office.show(ann))["tier"] == "Silver"
    assert (await office.show(ben))["tier"] is None


async def test_a_return_after_the_merge_moves_no_tier_twice(office: Office) -> None:
    ann, ben = await office.enrol(), await office.enrol()
    sold = await office.earn(ann, 3_500)
    await office.merged(ann, ben)
    back = [ReturnedLine(line_no=1, quantity_milli=0, amount_minor=1_000)]

    await office.desk.apply(builders.purchase_returned(sold.data, back, member_id=ben))

    told = [one.data for one in await office.desk.published() if isinstance(one, TierChanged)]
    assert [one.tier for one in told if one.member_id == ben] == ["Gold"]
    assert (await office.show(ben, "balance"))["tier"]["spend_this_year_minor"] == 34_000


async def test_a_chain_of_two_passes_everything_to_the_last(office: Office) -> None:
    ann, ben, eve = [await office.enrol(points) for points in (100, 200, 400)]
    await office.merged(ann, ben)
    await office.merged(ben, eve)
    assert await office.has(ann, ben, eve) == [(0, 0, 0, 0), (0, 0, 0, 0), (700, 0, 0, 0)]
    assert {await office.who_has(one) for one in (ann, ben, eve)} == {eve}

    await office.earn(ann, 50, occurred_at=builders.NOW - timedelta(days=3))

    assert await office.has(ann, ben, eve) == [(0, 0, 0, 0), (0, 0, 0, 0), (750, 0, 0, 0)]
    # The first of them is undone while the second stands, and then the other way round.
    assert (await office.unmerge(ann)).status_code == 200
    assert await office.has(ann, ben, eve) == [(150, 0, 0, 0), (0, 0, 0, 0), (600, 0, 0, 0)]
    assert [await office.who_has(one) for one in (ann, ben, eve)] == [ann, eve, eve]
    assert code(await office.merge(ann, ben)) == (409, "member_departed")
    assert (await office.unmerge(ben)).status_code == 200
    await office.merged(ann, ben)
    assert await office.has(ann, ben, eve) == [(0, 0, 0, 0), (350, 0, 0, 0), (400, 0, 0, 0)]


async def test_the_same_again_changes_nothing(office: Office) -> None:
    ann, ben = await office.enrol(100), await office.enrol()
    assert code(await office.unmerge(ann)) == (409, "member_not_merged")

    merges = [await office.merge(ann, ben, key) for key in ("a", "a", "b")]
    entries = len(await office.desk.rows(tables.entry))
    assert len({one.json()["merge_id"] for one in merges}) == 1
    undone = [await office.unmerge(ann, key) for key in ("c", "c", "d")]
    assert len({one.json()["undone_at"] for one in undone}) == 1
    assert {one.json()["merge_id"] for one in undone} == {merges[0].json()["merge_id"]}
    again = await office.merge(ann, ben)

    assert again.json()["merge_id"] != merges[0].json()["merge_id"]
    assert len(await office.desk.rows(tables.entry)) == entries + 4
    # A call that was kept somewhere and comes late repeats its answer, and undoes nothing.
    assert (await office.unmerge(ann, "c")).headers["Idempotent-Replayed"] == "true"
    assert await office.has(ann, ben) == [(0, 0, 0, 0), (100, 0, 0, 0)]


async def test_who_was_merged_gets_nothing_and_spends_nothing(office: Office) -> None:
    ann, ben, eve = await office.enrol(100), await office.enrol(), await office.enrol()
    await office.merged(ann, ben)
    adjustment = {"member_id": str(ann), "points": 5, "reason": "goodwill"}
    identifier = {"kind": "card", "value": "9840009999"}
    key = {"Idempotency-Key": "k"}

    refused = [
        await office.hold(ann, 1, card_of=ann),
        await office.clerk.post("/v1/adjustments", json=adjustment, headers=key),
        await office.clerk.post(f"/v1/members/{ann}/identifiers", json=identifier),
        await office.clerk.patch(f"/v1/members/{ann}", json={"name": "Ann"}),
        await office.clerk.post(f"/v1/members/{ann}:erase"),
        await office.merge(ann, eve),
        await office.merge(ben, ann),
        await office.merge(eve, ann),
    ]

    assert {code(one) for one in refused} == {(409, "member_departed")}
    assert {one.json()["merged_into"] for one in refused} == {str(ben)}
    assert code(await office.merge(ben, ben)) == (422, "invalid_request")
    assert code(await office.merge(uuid4(), ben)) == (404, "member_unknown")
    assert code(await office.merge(ben, uuid4())) == (404, "member_unknown")
    assert await office.has(ann, ben) == [(0, 0, 0, 0), (100, 0, 0, 0)]


async def test_erased_with_all_who_were_merged_into_them(office: Office) -> None:
    ann = await office.enrol(100, name="Ann Example", external_id="crm-1")
    ben = await office.enrol()
    await office.merged(ann, ben)

    assert (await office.clerk.post(f"/v1/members/{ben}:erase")).status_code == 200

    rows = {row.member_id: row for row in await office.desk.rows(tables.member)}
    assert {rows[one].status for one in (ann, ben)} == {"erased"}
    assert (rows[ann].name, rows[ann].external_id) == (None, None)
    assert await office.desk.rows(tables.identifier) == []
    assert code(await office.unmerge(ann)) == (404, "member_unknown")
    # The numbers stay, and so does the way that late ones go.
    await office.earn(ann, 20)
    assert (await office.desk.audit()).ok
    assert (await office.desk.balances())[ben] == 120


async def test_a_hold_that_waited_for_a_merge_is_refused(office: Office) -> None:
    ann, ben = await office.enrol(500), await office.enrol()
    caller = Caller("clerk", "staff")
    async with office.desk.db.transaction() as tx:
        await merges.merge(tx, ann, caller, office.desk.context, into_id=ben)
        hold = asyncio.create_task(office.hold(ann, 100, card_of=ann))
        await until_one_waits(office.desk.db)

    assert code(await hold) == (409, "member_departed")
    assert await office.has(ann, ben) == [(0, 0, 0, 0), (500, 0, 0, 0)]


async def test_a_merge_that_dies_in_the_middle_has_changed_nothing(office: Office) -> None:
    ann, ben = await office.enrol(500), await office.enrol()

    async def dies(tx: Any) -> None:
        await merges.merge(tx, ann, Caller("clerk", "staff"), office.desk.context, into_id=ben)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await run_unit(office.desk.db, dies)

    assert await office.has(ann, ben) == [(500, 0, 0, 0), (0, 0, 0, 0)]
    assert await office.who_has(ann) == ann
    assert await office.desk.rows(award_tables.merge) == []


@pytest.mark.parametrize("run", range(3))
async def test_holds_and_merges_at_once_spend_nothing_twice(office: Office, run: int) -> None:
    """Tills, each on its own connection, hold for both while they become one, and two, and one."""
    del run
    ann, ben = await office.enrol(500), await office.enrol(500)

    async def hold(member_id: UUID) -> int:
        answer = await office.hold(member_id, 100, card_of=member_id)
        while answer.status_code == 503:
            await asyncio.sleep(0.05)
            answer = await office.hold(member_id, 100, card_of=member_id)
        assert answer.status_code in {201, 404, 409}, answer.text
        return answer.status_code

    async def turn() -> None:
        for call in (office.merge(ann, ben), office.unmerge(ann), office.merge(ann, ben)):
            answer = await call
            assert answer.status_code in {200, 409, 503}, answer.text

    late = [office.earn(ann, 100) for _ in range(4)]
    tills = [hold(one) for _ in range(8) for one in (ann, ben)]
    granted, *_ = await asyncio.gather(asyncio.gather(*tills), turn(), *late)

    while (answer := await office.merge(ann, ben)).status_code == 503:
        await asyncio.sleep(0.05)
    assert answer.status_code == 200, answer.text
    (ann_has, ben_has) = await office.has(ann, ben)
    held = granted.count(201) * 100
    assert ann_has[2] + ben_has[2] == held
    assert ben_has[0] - ben_has[3] == 1_400 - held
    assert (ann_has[0], ann_has[3]) == (0, 0)
