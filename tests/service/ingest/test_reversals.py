"""Many purchases, each undone by two tills at once: one of them wins, and points know only that."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID

import httpx

from services.ingest.context import IngestContext
from services.loyalty.domain.accounts import gain
from services.loyalty.store import tables
from shared.db import Database
from tests.conftest import MakeDatabase
from tests.service.ingest.conftest import (
    enrol,
    enrolled,
    published,
    purchase_body,
    return_body,
    void_body,
)
from tests.service.loyalty.desk import Desk

PURCHASES = 500
RETURNED = 250
"""These come back by two receipts that each take all of it; the rest is voided twice."""
MEMBERS = 50
AT_ONCE = 50
"""Purchases that are undone at the same time, by twice as many calls."""
EARNED = 22
"""Points of one purchase under the tests' programme: 11, and as much again for fruit."""
Pair = tuple[tuple[str, dict[str, Any]], tuple[str, dict[str, Any]]]
"""Path and body of two calls that undo the same purchase."""


def _pair(number: int) -> Pair:
    """Return two calls that differ, of which each undoes all of one purchase."""
    if number >= RETURNED:
        reasons = ("Wrong till", "Left the queue")
        one, other = (void_body(receipt_no=str(number), reason=reason) for reason in reasons)
        return ("/v1/voids", one), ("/v1/voids", other)
    whole = {"lines": [{"line_no": 1, "quantity": "1.12", "amount_minor": 111}], "total_minor": 111}
    one, other = (return_body(f"{till}{number}", **whole) for till in "AB")
    for body in (one, other):
        body["original"]["receipt_no"] = str(number)
    return ("/v1/returns", one), ("/v1/returns", other)


async def test_each_purchase_is_undone_once_by_two_calls_at_once(
    db: Database,
    context: IngestContext,
    client: httpx.AsyncClient,
    make_database: MakeDatabase,
) -> None:
    await enrol(context, *(enrolled(str(card)) for card in range(MEMBERS)))
    sales = [
        purchase_body(str(number), member={"card": str(number % MEMBERS)})
        for number in range(PURCHASES)
    ]
    assert (await client.post("/v1/purchases:batch", json=sales)).status_code == 207

    answers: list[httpx.Response] = []
    for first in range(0, PURCHASES, AT_ONCE):
        calls = [call for number in range(first, first + AT_ONCE) for call in _pair(number)]
        answers += await asyncio.gather(*(client.post(path, json=body) for path, body in calls))

    told = Counter(answer.json().get("code", answer.status_code) for answer in answers)
    assert told == {202: PURCHASES, "over_return": RETURNED, "void_conflict": PURCHASES - RETURNED}
    each = zip(answers[::2], answers[1::2], strict=True)
    assert all({one.status_code, other.status_code} == {202, 409} for one, other in each)
    events = [event for _, event in await published(db)]
    assert Counter(event.data.revision for event in events) == {1: PURCHASES, 2: PURCHASES}
    await _check_points(Desk(await make_database("loyalty")), events)


async def _check_points(desk: Desk, events: list[Any]) -> None:
    """Tell loyalty of the sales, half of them after what undid them, and of everything again."""

    def undone_first(event: Any) -> bool:
        return bool(int(event.data.receipt_no) % 2)

    for late in (False, True):
        await desk.apply(
            *(one for one in events if (one.data.revision == 2) == (undone_first(one) != late))
        )
    await desk.apply(*events)

    posted: dict[UUID, list[int]] = {event.data.receipt_id: [] for event in events}
    for row in sorted(await desk.rows(tables.entry), key=lambda row: (row.member_id, row.version)):
        posted[row.receipt_id].append(gain(row.from_account, row.to_account, row.points))
    assert posted == {
        event.data.receipt_id: [] if undone_first(event) else [EARNED, -EARNED] for event in events
    }
    assert Counter((await desk.balances()).values()) == {0: MEMBERS}
    assert (await desk.audit()).ok
