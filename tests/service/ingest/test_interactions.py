"""Interactions: many at once, each once, codes and numbers only."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from services.ingest.context import IngestContext
from services.ingest.handlers import interactions
from shared.clock import FixedClock
from shared.db import Database
from tests.service.ingest.conftest import ADMIN, bearer, enrol, published
from tests.service.ingest.newcomers import enrolled_with


def call(**changes: Any) -> dict[str, Any]:
    return {
        "interaction_id": str(uuid4()),
        "kind": "call",
        "occurred_at": "2026-11-22T14:00:00+01:00",
        "member": {"phone": "+49301234567"},
        "reference": "ticket-4711",
        "properties": {"minutes": 7, "resolved": True, "topic": "delivery"},
    } | changes


async def report(client: httpx.AsyncClient, *rows: dict[str, Any]) -> httpx.Response:
    return await client.post("/v1/interactions", json={"interactions": list(rows)})


async def outcomes(client: httpx.AsyncClient, *rows: dict[str, Any]) -> list[str]:
    answer = await report(client, *rows)
    assert answer.status_code == 202, answer.text
    return [one["outcome"] for one in answer.json()["results"]]


async def test_interactions_are_published_under_their_member_or_by_themselves(
    client: httpx.AsyncClient, context: IngestContext, db: Database
) -> None:
    ann = enrolled_with(phone="+49301234567")
    await enrol(context, ann)
    rows = [call(), call(member=None, kind="visit"), call(member={"card": "unknown"})]

    assert await outcomes(client, *rows) == ["accepted"] * 3

    events = {str(event.data.interaction_id): (key, event) for key, event in await published(db)}
    key, event = events[rows[0]["interaction_id"]]
    assert (key, event.subject) == (str(ann.data.member_id),) * 2
    assert event.data.properties == {"minutes": 7, "resolved": True, "topic": "delivery"}
    assert (event.data.reference, event.data.store_id) == ("ticket-4711", "0042")
    for row in rows[1:]:
        key, event = events[row["interaction_id"]]
        assert (key, event.subject) == (str(event.id), None)
    assert "+4930" not in "".join(event.model_dump_json() for _, event in events.values())


async def test_the_same_again_is_replayed_and_another_story_is_a_conflict(
    client: httpx.AsyncClient, db: Database
) -> None:
    row = call()
    same = row | {
        "occurred_at": "2026-11-22T13:00:00Z",
        "member": {"phone": "+49 30 1234567"},
        "properties": dict(reversed(row["properties"].items())),
    }

    assert await outcomes(client, row) == ["accepted"]
    assert await outcomes(client, same, row | {"kind": "visit"}, call()) == [
        "replayed",
        "conflict",
        "accepted",
    ]
    assert len(await published(db)) == 2


async def test_one_row_twice_in_a_file_and_files_in_parallel_count_once(
    client: httpx.AsyncClient, db: Database
) -> None:
    rows = [call() for _ in range(20)]

    results = await asyncio.gather(
        *(outcomes(client, *rows, rows[0]) for _ in range(5)),
        *(outcomes(client, *reversed(rows)) for _ in range(5)),
    )

    assert sum(one.count("accepted") for one in results) == 20
    assert not any("conflict" in one for one in results)
    assert len(await published(db)) == 20


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": "form_submitted"}, "kind"),
        ({"properties": {"topic": "two words"}}, "properties"),
        ({"properties": {"contact": "ann@example.org"}}, "properties"),
        ({"properties": {"first_name": "Ann"}}, "properties"),
        ({"properties": {"note": "tea"}}, "properties"),
        ({"properties": {"ratio": 1.5}}, "properties"),
        ({"properties": {f"p{one}": one for one in range(17)}}, "properties"),
        ({"reference": "call Ann back"}, "reference"),
        ({"text": "She likes green tea"}, "text"),
        ({"occurred_at": 1_700_000_000}, "occurred_at"),
    ],
)
async def test_words_and_addresses_do_not_get_on_the_topic(
    client: httpx.AsyncClient, db: Database, changes: dict[str, Any], field: str
) -> None:
    answer = await report(client, call(), call(**changes))

    assert answer.status_code == 422
    assert all(
        one["field"].startswith(f"interactions.1.{field}") for one in answer.json()["errors"]
    )
    assert await published(db) == []


async def test_a_terminal_speaks_for_its_own_store(client: httpx.AsyncClient) -> None:
    assert (await report(client, call(store_id="0043"))).json()["code"] == "wrong_terminal"
    admin = await client.post(
        "/v1/interactions", json={"interactions": [call(store_id="0043")]}, headers=bearer(ADMIN)
    )
    assert admin.status_code == 202


async def test_a_number_without_its_country_is_read_with_the_stores(
    client: httpx.AsyncClient, context: IngestContext, db: Database
) -> None:
    store = {"name": "Mitte", "time_zone": "Europe/Berlin", "country": "DE"}
    await client.put("/v1/stores/0042", json=store, headers=bearer(ADMIN))
    ann = enrolled_with(phone="+49301234567")
    await enrol(context, ann)

    assert await outcomes(client, call(member={"phone": "030 1234567"})) == ["accepted"]

    *_, (key, _) = await published(db)
    assert key == str(ann.data.member_id)


async def test_repeats_are_known_for_ninety_days(
    client: httpx.AsyncClient, context: IngestContext, clock: FixedClock
) -> None:
    row = call()
    await outcomes(client, row)

    clock.advance(timedelta(days=90))
    assert await interactions.purge(context) == 0
    assert await outcomes(client, row) == ["replayed"]
    clock.advance(timedelta(seconds=1))
    assert await interactions.purge(context) == 1
