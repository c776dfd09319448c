"""Looking members up: masked for tills, limited, and in the log without the identifier."""

import json
from dataclasses import replace

import pytest

from services.loyalty.context import Brakes
from tests.service.loyalty.desk import Desk
from tests.service.loyalty.phones import enrol


async def test_numbers_can_not_be_tried_one_by_one(desk: Desk) -> None:
    limit = 30
    async with desk.client("terminal") as client:
        await enrol(client, "9840001234")
        numbers = [f"+1202555{1234 + n}" for n in range(limit + 1)]
        answers = [
            await client.get("/v1/members:lookup", params={"phone": number}) for number in numbers
        ]

    # The first finds Ann, and counts like the others.
    assert [one.status_code for one in answers] == [200] + [404] * (limit - 1) + [429]
    assert answers[-1].json()["code"] == "too_many_lookups"
    assert answers[-1].json()["limit_per_min"] == limit
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60


async def test_a_till_that_had_enough_does_not_stop_the_app(desk: Desk) -> None:
    settings = desk.context.settings.model_copy(update={"lookups_terminal_per_min": 1})
    desk.context = replace(desk.context, settings=settings)
    query = {"card": "9840001234"}
    async with desk.client("terminal") as till, desk.client("app") as app:
        member_id = await enrol(app, "9840001234")
        answers = [await till.get("/v1/members:lookup", params=query) for _ in range(2)]
        found = [await app.get("/v1/members:lookup", params=query) for _ in range(2)]

    assert [one.status_code for one in answers] == [200, 429]
    assert [one.json()["member_id"] for one in found] == [member_id] * 2


async def test_after_a_minute_a_till_goes_on(desk: Desk) -> None:
    now = 0.0
    for_a_minute = Brakes().lookups
    for_a_minute._monotonic = lambda: now

    waits = [for_a_minute.count("till", limit=30) for _ in range(31)]
    assert waits == [0.0] * 30 + [60.0]
    now = 60.0
    assert for_a_minute.count("till", limit=30) == 0.0


async def test_nobody_and_the_erased_get_the_same_answer(desk: Desk) -> None:
    async with desk.client("terminal") as till, desk.client("staff") as staff:
        member_id = await enrol(staff, "9840001234")
        await staff.post(f"/v1/members/{member_id}:erase")
        erased = await till.get("/v1/members:lookup", params={"card": "9840001234"})
        nobody = await till.get("/v1/members:lookup", params={"card": "555"})

    assert (erased.status_code, erased.json()) == (404, nobody.json())
    assert erased.headers.keys() == nobody.headers.keys()


async def test_each_lookup_leaves_a_line_that_names_the_key_and_nobody(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    async with desk.client("terminal") as client:
        await enrol(client, "9840001234")
        capsys.readouterr()
        await client.get("/v1/members:lookup", params={"phone": "+12025551234"})
        await client.get("/v1/members:lookup", params={"card": "9876543210987"})
        await client.get("/v1/members:lookup", params={"app_code": "1234567812345678"})
    written = capsys.readouterr().out

    lines = [json.loads(line) for line in written.splitlines() if "member_looked_up" in line]
    assert [(line["detail"], line["outcome"]) for line in lines] == [
        ("by phone", "found"),
        ("by card", "member_unknown"),
        ("by app_code", "app_code_refused"),
    ]
    assert all(line["key_id"] for line in lines)
    assert not [told for told in ("5551234", "9876543210987", "12345678", "Ann") if told in written]
