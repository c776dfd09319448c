"""Batches: what an offline day left, with an outcome per row."""

import json
from collections.abc import Sequence

from perennial_client.check.exchange import Exchange
from perennial_client.check.kit import rule
from perennial_client.check.till import BATCH, PURCHASES, Body, Till

NDJSON = {"Content-Type": "application/x-ndjson"}


def _lines(rows: Sequence[object]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def _outcomes(answer: Exchange, *expected: str) -> None:
    answer.expect(207)
    results = answer.json.get("results", [])
    told = [one.get("outcome") for one in results]
    answer.check(told == list(expected), f"expected {list(expected)}, got {told}")
    indexes = [one.get("index") for one in results]
    answer.check(indexes == list(range(len(expected))), f"expected indexes in order, got {indexes}")
    for one in results:
        recorded = one["outcome"] in {"accepted", "replayed"}
        answer.check(not recorded or one.get("event_id"), "expected an event_id per recorded row")
        answer.check(recorded or one.get("problem"), "expected a problem per refused row")


@rule("batch-json", "An array of sales is taken, with an outcome per row in their order.")
async def _(till: Till) -> None:
    _outcomes(await till.send(BATCH, [till.sale() for _ in range(3)]), *["accepted"] * 3)


@rule("batch-ndjson", "So is a file with a sale per line.")
async def _(till: Till) -> None:
    rows = _lines([till.sale() for _ in range(3)])
    _outcomes(await till.send(BATCH, rows, headers=NDJSON), *["accepted"] * 3)


@rule("batch-resent", "A whole file may be sent again: each row is replayed, as itself.")
async def _(till: Till) -> None:
    sales = [till.sale() for _ in range(3)]
    first = await till.send(BATCH, _lines(sales), headers=NDJSON)
    _outcomes(first, *["accepted"] * 3)
    again = await till.send(BATCH, sales)
    _outcomes(again, *["replayed"] * 3)
    events = [[one["event_id"] for one in each.json["results"]] for each in (first, again)]
    again.check(events[0] == events[1], "expected the event ids of the first time")


@rule("batch-bad-row", "One bad row is told by itself; its neighbours are recorded.")
async def _(till: Till) -> None:
    rows: list[Body] = [till.sale(), till.sale(total_minor=112), till.sale()]
    for body, headers in ((rows, {}), (_lines(rows), NDJSON)):
        answer = await till.send(BATCH, body, headers=headers)
        told = [one.get("outcome") for one in answer.expect(207).json["results"]]
        answer.check(told[1] == "invalid", f"expected the second row to be invalid, got {told}")
        answer.check("invalid" not in {told[0], told[2]}, "a neighbour of the bad row was refused")
    (await till.send(PURCHASES, rows[0])).expect(202, duplicate=True)
    (await till.send(PURCHASES, rows[1] | {"total_minor": 111})).expect(202, duplicate=False)


@rule("batch-noise", "A line that is no JSON is told by itself, too.")
async def _(till: Till) -> None:
    rows = _lines([till.sale()]) + b'{"store_id": \n' + _lines([till.sale()])
    _outcomes(await till.send(BATCH, rows, headers=NDJSON), "accepted", "invalid", "accepted")


@rule("batch-conflict", "A row that differs from what was recorded names the fields.")
async def _(till: Till) -> None:
    sale = await till.sell()
    answer = await till.send(BATCH, [till.sale(), sale | {"sales_channel": "phone"}])
    _outcomes(answer, "accepted", "conflict")
    named = answer.json["results"][1]["problem"].get("fields")
    answer.check(named == ["sales_channel"], f"named {named}, expected sales_channel")


@rule("batch-twice-in-one", "The same sale twice in one file is recorded once.")
async def _(till: Till) -> None:
    sale = till.sale()
    answer = await till.send(BATCH, [sale, sale])
    told = sorted(one.get("outcome") for one in answer.expect(207).json["results"])
    answer.check(told == ["accepted", "replayed"], f"got {told}")
    (await till.send(PURCHASES, sale)).expect(202, duplicate=True)


@rule("batch-too-long", "A file of more than 1,000 rows is refused, and nothing is recorded.")
async def _(till: Till) -> None:
    sale = till.sale()
    (await till.send(BATCH, _lines([sale] * 1_001), headers=NDJSON)).expect(422)
    (await till.send(PURCHASES, sale)).expect(202, duplicate=False)


@rule("batch-other-store", "A row of another store is refused; its neighbours are recorded.")
async def _(till: Till) -> None:
    rows = [till.sale(), till.sale(store_id=f"not-{till.store_id}")]
    answer = await till.send(BATCH, rows)
    _outcomes(answer, "accepted", "invalid")
    code = answer.json["results"][1]["problem"].get("code")
    answer.check(code == "wrong_terminal", f"expected wrong_terminal, got {code}")
