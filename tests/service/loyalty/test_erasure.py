"""Erasing a member: the person goes, the numbers stay."""

import asyncio
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from shared.contracts.members import MemberChanged
from shared.contracts.topics import TOPICS
from shared.db.plumbing import outbox
from tests import builders
from tests.service.loyalty.desk import Desk

CANARIES = ("Ann Lee", "ann@example.org", "+12025550142", "9840001234", "crm-1", "1990-05-17")
PERSON: dict[str, Any] = {
    "external_id": "crm-1",
    "identifiers": [{"kind": "card", "value": "9840001234"}],
    "name": "Ann Lee",
    "email": "ann@example.org",
    "phone": "+12025550142",
    "birth_date": "1990-05-17",
}


async def enrolled(client: Any) -> str:
    answer = await client.post("/v1/members", json=PERSON)
    assert answer.status_code == 201
    member_id: str = answer.json()["member_id"]
    return member_id


async def everything(desk: Desk, *, but: str = "outbox") -> str:
    """Return every row of every table as text."""
    async with desk.db.transaction() as tx:
        names = await tx.scalars(
            sa.text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        )
        found: list[str] = []
        for name in names.all():
            if name != but:
                rows = await tx.execute(sa.text(f"SELECT t::text FROM {name} AS t"))
                found += rows.scalars()
        return "\n".join(found)


async def test_nothing_that_names_the_person_is_left_and_the_books_still_close(desk: Desk) -> None:
    async with desk.client("staff") as client:
        member_id = await enrolled(client)
        await desk.apply(builders.purchase_recorded(member_id=UUID(member_id)))
        assert "Ann Lee" in await everything(desk)

        answer = await client.post(f"/v1/members/{member_id}:erase")

    assert (answer.status_code, answer.json()["status"]) == (200, "erased")
    left = await everything(desk)
    assert not [canary for canary in CANARIES if canary in left]
    report = await desk.audit()
    assert report.ok
    assert report.entries == 1


async def test_erasing_is_announced_by_a_state_and_a_tombstone_once(desk: Desk) -> None:
    async with desk.client("staff") as client:
        member_id = await enrolled(client)
        before = len(await published(desk))
        first = await client.post(f"/v1/members/{member_id}:erase")
        again = await client.post(f"/v1/members/{member_id}:erase")

    state, tombstone = (await published(desk))[before:]
    event = TOPICS["members"].parse(state.value)
    assert isinstance(event, MemberChanged)
    assert (event.data.status, event.data.identifiers, event.data.version) == ("erased", (), 2)
    assert (tombstone.topic, tombstone.key, tombstone.value) == (
        "member-contacts",
        member_id.encode(),
        None,
    )
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"


async def published(desk: Desk) -> list[Any]:
    async with desk.db.transaction() as tx:
        return list(await tx.execute(sa.select(outbox).order_by(outbox.c.id)))


async def test_who_was_erased_is_as_if_there_were_nobody(desk: Desk) -> None:
    async with desk.client("staff") as client:
        member_id = await enrolled(client)
        await client.post(f"/v1/members/{member_id}:erase")
        path = f"/v1/members/{member_id}"
        answers = [
            await client.get(path),
            await client.get(f"{path}/balance"),
            await client.get("/v1/members:lookup", params={"card": "9840001234"}),
            await client.get("/v1/members:lookup", params={"external_id": "crm-1"}),
            await client.patch(path, json={"name": "Ann again"}),
            await client.post(f"{path}/identifiers", json={"kind": "card", "value": "1"}),
        ]

    assert {(one.status_code, one.json()["code"]) for one in answers} == {(404, "member_unknown")}


async def test_the_same_person_may_come_back_as_somebody_new(desk: Desk) -> None:
    async with desk.client("staff") as client:
        member_id = await enrolled(client)
        await client.post(f"/v1/members/{member_id}:erase")

        assert await enrolled(client) != member_id


async def test_a_purchase_that_was_on_its_way_is_booked_and_revives_nobody(desk: Desk) -> None:
    async with desk.client("staff") as client:
        member_id = await enrolled(client)
        await client.post(f"/v1/members/{member_id}:erase")
        big = builders.line(category="BREAD", amount_minor=40_000)
        await desk.apply(builders.purchase_recorded(member_id=UUID(member_id), lines=[big]))

    # The spend carries a tier, so the member's state is told again: still erased.
    states = [one for one in await desk.published("members") if isinstance(one, MemberChanged)]
    assert (states[-1].data.status, states[-1].data.identifiers) == ("erased", ())
    assert (await desk.audit()).ok


async def test_erasing_and_changing_at_once_leaves_nothing_behind(desk: Desk) -> None:
    async with desk.client("staff") as client:
        member_id = await enrolled(client)
        path = f"/v1/members/{member_id}"
        answers = await asyncio.gather(
            client.patch(path, json={"name": "Ann of the race"}),
            client.post(f"{path}:erase"),
            client.post(f"{path}/identifiers", json={"kind": "card", "value": "777"}),
            client.post(f"{path}:erase"),
        )

    assert {one.status_code for one in answers} <= {200, 201, 404}
    assert "Ann" not in await everything(desk)
    versions = [
        event.data.version
        for event in await desk.published("members")
        if isinstance(event, MemberChanged)
    ]
    assert versions == sorted(set(versions))


async def test_a_till_may_not_erase(desk: Desk) -> None:
    async with desk.client("terminal") as client:
        member_id = await enrolled(client)
        answer = await client.post(f"/v1/members/{member_id}:erase")

    assert answer.status_code == 403
