"""What no rule could decide is shown to people, and nothing else is."""

import dataclasses
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from services.ingest.context import IngestContext
from services.ingest.handlers import changes
from services.ingest.store import tables
from shared.clock import FixedClock
from shared.db import Database
from shared.errors import Refused
from tests.service.ingest.conftest import (
    ADMIN,
    TERMINAL,
    amendment_body,
    as_return,
    bananas,
    bearer,
    published,
    purchase_body,
    return_body,
    void_body,
)

ADMINS = bearer(ADMIN)
DAY = timedelta(hours=24, seconds=1)


def _unlinked(**differing: Any) -> dict[str, Any]:
    """Return a return that names no sale."""
    lines = [{"line_no": 1, "quantity": "1", "amount_minor": 11, "sku": "1082185"}]
    body = return_body("U1", lines=lines, member={"card": "9840001234"})
    return {name: value for name, value in body.items() if name != "original"} | differing


async def _exceptions(client: httpx.AsyncClient, query: str = "") -> dict[str, Any]:
    answer = await client.get(f"/v1/exceptions{query}", headers=ADMINS)
    assert answer.status_code == 200, answer.text
    listed: dict[str, Any] = answer.json()
    return listed


async def test_changes_whose_sale_does_not_come_show_after_a_day_until_it_does(
    client: httpx.AsyncClient, clock: FixedClock
) -> None:
    for path, body in (
        ("returns", return_body()),
        ("voids", void_body()),
        ("amendments", amendment_body(**bananas("2", 198))),
    ):
        assert (await client.post(f"/v1/{path}", json=body)).status_code == 202
    assert (await _exceptions(client))["data"] == []
    clock.advance(DAY)
    shown = (await _exceptions(client))["data"]
    assert sorted((one["kind"], one["problem"]) for one in shown) == [
        ("amendment", "withheld"),
        ("return", "withheld"),
        ("void", "withheld"),
    ]
    assert {one["receipt"]["receipt_no"] for one in shown} == {"000123", "R1"}
    await client.post("/v1/purchases", json=purchase_body())
    assert (await _exceptions(client))["data"] == []


async def test_withheld_change_that_did_not_fit_shows_with_the_reason(
    client: httpx.AsyncClient,
) -> None:
    lines = [{"line_no": 1, "quantity": 9, "amount_minor": 999}]
    await client.post("/v1/returns", json=return_body(lines=lines, total_minor=999))
    await client.post("/v1/purchases", json=purchase_body())
    (shown,) = (await _exceptions(client))["data"]
    assert (shown["problem"], shown["detail"]) == (
        "refused",
        "Line 1 has less left than comes back.",
    )
    assert shown["original"]["receipt_no"] == "000123"


async def test_unlinked_return_is_kept_as_a_fact_and_not_published(
    client: httpx.AsyncClient, db: Database
) -> None:
    first = await client.post("/v1/returns", json=_unlinked())
    again = await client.post("/v1/returns", json=_unlinked())
    other = await client.post("/v1/returns", json=_unlinked(member={"card": "another"}))
    assert (first.status_code, again.json()["duplicate"]) == (202, True)
    assert (other.status_code, other.json()["fields"]) == (409, ["member"])
    status = (await client.get(first.json()["status_url"])).json()
    assert status["status"] == "unlinked"
    (shown,) = (await _exceptions(client))["data"]
    assert (shown["problem"], shown["total_minor"], shown["original"]) == ("unlinked", 11, None)
    assert await published(db) == []
    async with db.transaction() as tx:
        facts = await tx.scalar(sa.select(tables.receipt_change.c.facts))
    assert "9840001234" not in str(facts)


async def test_a_shop_may_refuse_unlinked_returns(context: IngestContext, db: Database) -> None:
    refuses = context.settings.model_copy(update={"unlinked_returns": "refuse"})
    strict = dataclasses.replace(context, settings=refuses)
    async with db.transaction() as tx:
        with pytest.raises(Refused, match="unlinked_return"):
            await changes.take(tx, as_return(_unlinked()), strict)
        assert await tx.scalar(sa.select(sa.func.count()).select_from(tables.receipt_change)) == 0


async def test_exceptions_come_in_pages_oldest_first(
    client: httpx.AsyncClient, clock: FixedClock
) -> None:
    for number in range(5):
        await client.post("/v1/returns", json=_unlinked(receipt_no=f"U{number}"))
        clock.advance(timedelta(seconds=1))
    seen: list[str] = []
    page = await _exceptions(client, "?limit=2")
    while True:
        seen += [one["receipt"]["receipt_no"] for one in page["data"]]
        if page["next_cursor"] is None:
            break
        page = await _exceptions(client, f"?limit=2&cursor={page['next_cursor']}")
    assert seen == ["U0", "U1", "U2", "U3", "U4"]


async def test_tills_can_not_read_the_exceptions(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/exceptions", headers=bearer(TERMINAL))
    assert answer.status_code == 403
