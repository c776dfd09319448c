"""Sales: each is recorded once, however often and however late it is told."""

import asyncio
import json
from datetime import UTC, datetime, timedelta, timezone

from perennial_client.check.kit import rule
from perennial_client.check.till import PURCHASES, Body, Till, hours

AT_ONCE = 8


@rule("sale-accepted", "A first sale is answered 202, with an event id, and is no duplicate.")
async def _(till: Till) -> None:
    answer = (await till.send(PURCHASES, till.sale())).expect(202, duplicate=False)
    answer.check(answer.json.get("event_id"), "expected an event_id")
    answer.check("idempotent-replayed" not in answer.answer_headers, "a first answer is no replay")


async def _repeats(till: Till, first: Body, again: object) -> None:
    """Record ``first``, and expect ``again`` to be the same to the server."""
    before = (await till.send(PURCHASES, first)).expect(202, duplicate=False)
    after = (await till.send(PURCHASES, again)).expect(202, duplicate=True)
    replayed = after.answer_headers.get("idempotent-replayed")
    after.check(replayed == "true", "expected the header Idempotent-Replayed: true")
    same = {**before.json, "duplicate": True}
    after.check(after.json == same, "expected the first answer again, duplicate apart")


@rule("sale-repeated", "The same sale again is answered as the first time, marked a duplicate.")
async def _(till: Till) -> None:
    sale = till.sale()
    await _repeats(till, sale, sale)


@rule("sale-repeated-at-once", "The same sale from several lines at once is recorded once.")
async def _(till: Till) -> None:
    sale = till.sale()
    answers = await asyncio.gather(*(till.send(PURCHASES, sale) for _ in range(AT_ONCE)))
    firsts = [one.expect(202) for one in answers if one.json.get("duplicate") is not True]
    answers[0].check(len(firsts) == 1, f"{len(firsts)} of {AT_ONCE} answers were no duplicate")
    events = {one.json.get("event_id") for one in answers}
    answers[0].check(len(events) == 1, f"{len(events)} events of one sale")


@rule("sale-conflict", "Another body under the same number is a 409 that names what differs.")
async def _(till: Till) -> None:
    sale = await till.sell()
    other = sale | {"sales_channel": "phone", "currency": "EUR"}
    refused = (await till.send(PURCHASES, other)).expect(409, code="purchase_conflict")
    named = set(refused.json.get("fields", []))
    refused.check(named == {"sales_channel", "currency"}, f"named {sorted(named)}")


@rule("sale-conflict-in-a-line", "A conflict is named down to the line.")
async def _(till: Till) -> None:
    sale = await till.sell()
    other = sale | {"lines": [sale["lines"][0] | {"sku": "another"}]}
    refused = (await till.send(PURCHASES, other)).expect(409, code="purchase_conflict")
    named = refused.json.get("fields")
    refused.check(named == ["lines.0.sku"], f"named {named}, expected lines.0.sku")


@rule("sale-conflict-changes-nothing", "After a conflict the first sale is still the one.")
async def _(till: Till) -> None:
    sale = await till.sell()
    other = sale | {"sales_channel": "phone"}
    (await till.send(PURCHASES, other)).expect(409)
    (await till.send(PURCHASES, sale)).expect(202, duplicate=True)
    (await till.send(PURCHASES, other)).expect(409)


@rule("same-instant", "The same instant in another time zone is the same sale.")
async def _(till: Till) -> None:
    sale = till.sale()
    at = datetime.fromisoformat(sale["occurred_at"]).astimezone(timezone(timedelta(hours=-5)))
    await _repeats(till, sale, sale | {"occurred_at": at.isoformat()})


@rule("same-quantity", "1.12, 1.120 and the number 1.12 are the same quantity.")
async def _(till: Till) -> None:
    sale = till.sale()
    for same in ("1.120", 1.12):
        again = sale | {"lines": [sale["lines"][0] | {"quantity": same}]}
        answer = await till.send(PURCHASES, sale)
        answer.expect(202)
        (await till.send(PURCHASES, again)).expect(202, duplicate=True)


@rule("same-order", "The order of fields and of lines says nothing.")
async def _(till: Till) -> None:
    lines = [
        {"line_no": number, "sku": "till-check", "quantity": "1", "amount_minor": 50}
        for number in (1, 2)
    ]
    sale = till.sale(lines=lines, tenders=[], total_minor=100)
    turned = dict(reversed((sale | {"lines": lines[::-1]}).items()))
    await _repeats(till, sale, json.dumps(turned, indent=2).encode())


@rule("number-per-day", "The same receipt number on another business date is another sale.")
async def _(till: Till) -> None:
    sale = await till.sell()
    day = datetime.fromisoformat(sale["business_date"]) - timedelta(days=1)
    other = sale | {"business_date": day.date().isoformat()}
    (await till.send(PURCHASES, other)).expect(202, duplicate=False)


@rule("sale-late", "A sale told four days late is taken.")
async def _(till: Till) -> None:
    sale = till.sale(at=datetime.now(UTC) - timedelta(days=4))
    await _repeats(till, sale, sale)


@rule("sale-very-late", "One told twenty days late is taken too, though it may wait for a review.")
async def _(till: Till) -> None:
    sale = till.sale(at=datetime.now(UTC) - timedelta(days=20))
    answer = (await till.send(PURCHASES, sale)).expect(202, duplicate=False)
    (await till.send(PURCHASES, sale)).expect(202, duplicate=True)
    told = (await till.status(answer)).json.get("status")
    answer.check(told not in {"withheld", "refused", "rejected"}, f"its status is {told}")


@rule("clock-ahead", "A sale from a till whose clock is an hour ahead is taken.")
async def _(till: Till) -> None:
    sale = till.sale(at=datetime.now(UTC) + hours(1))
    await _repeats(till, sale, sale)


@rule("any-order", "Sales may arrive in any order, the last one first.")
async def _(till: Till) -> None:
    now = datetime.now(UTC)
    for ago in range(5):
        (await till.send(PURCHASES, till.sale(at=now - hours(ago)))).expect(202, duplicate=False)


@rule("quantity-zero", "A line of quantity 0 and amount 0 is real: coupons, free goods.")
async def _(till: Till) -> None:
    line = {"line_no": 1, "sku": "till-check", "quantity": "0", "amount_minor": 0}
    sale = till.sale(lines=[line], tenders=[], total_minor=0)
    (await till.send(PURCHASES, sale)).expect(202)


@rule("lines-500", "A sale of 500 lines is taken.")
async def _(till: Till) -> None:
    lines = [
        {"line_no": number, "sku": "till-check", "quantity": "1", "amount_minor": 1}
        for number in range(1, 501)
    ]
    (await till.send(PURCHASES, till.sale(lines=lines, tenders=[], total_minor=500))).expect(202)


@rule("no-content-type", "A till too old to name the type of its JSON is understood.")
async def _(till: Till) -> None:
    answer = await till.send(PURCHASES, till.sale(), headers={"Content-Type": None})
    answer.expect(202, duplicate=False)
