"""Returns: of all or part, before their sale or after it, and never of more than was sold."""

from typing import Any

from perennial_client.check.exchange import Exchange
from perennial_client.check.kit import rule
from perennial_client.check.till import PURCHASES, RETURNS, Body, Till


async def _ten(till: Till) -> Body:
    sale = till.ten()
    (await till.send(PURCHASES, sale)).expect(202)
    return sale


def _check_left(refused: Exchange, *left: dict[str, Any]) -> None:
    told = refused.json.get("left")
    refused.check(told == list(left), f"expected what is left, {list(left)}; told {told}")


@rule("return-accepted", "A return of a known sale is answered 202.")
async def _(till: Till) -> None:
    back = till.back(await _ten(till), "1", 100)
    answer = (await till.send(RETURNS, back)).expect(202, duplicate=False)
    told = (await till.status(answer)).json.get("status")
    answer.check(told not in {"withheld", "refused"}, f"its status is {told}")


@rule("return-repeated", "The same return again takes nothing back twice.")
async def _(till: Till) -> None:
    sale = await _ten(till)
    back = till.back(sale, "6", 600)
    first = (await till.send(RETURNS, back)).expect(202, duplicate=False)
    again = (await till.send(RETURNS, back)).expect(
        202, duplicate=True, event_id=first.json.get("event_id")
    )
    replayed = again.answer_headers.get("idempotent-replayed")
    again.check(replayed == "true", "expected the header Idempotent-Replayed: true")
    (await till.send(RETURNS, till.back(sale, "4", 400))).expect(202, duplicate=False)


@rule("return-conflict", "Another body under a return's number is a 409 that names what differs.")
async def _(till: Till) -> None:
    back = till.back(await _ten(till), "1", 100)
    (await till.send(RETURNS, back)).expect(202)
    line = back["lines"][0] | {"quantity": "2"}
    refused = await till.send(RETURNS, back | {"lines": [line]})
    refused.expect(409, code="return_conflict", fields=["lines.0.quantity"])


@rule("return-has-its-own-number", "A sale and a return may have the same number.")
async def _(till: Till) -> None:
    sale = await _ten(till)
    back = till.back(sale, "1", 100) | {
        name: sale[name] for name in ("receipt_no", "business_date")
    }
    (await till.send(RETURNS, back)).expect(202, duplicate=False)


@rule("return-partial", "Ten returns of one take back what one return of ten does.")
async def _(till: Till) -> None:
    sale = await _ten(till)
    for _ in range(10):
        (await till.send(RETURNS, till.back(sale, "1", 100))).expect(202, duplicate=False)
    refused = await till.send(RETURNS, till.back(sale, "1", 100))
    _check_left(
        refused.expect(409, code="over_return"), {"line_no": 1, "quantity": "0", "amount_minor": 0}
    )


@rule("return-too-much", "A return of more than is left is a 409 that names what is left.")
async def _(till: Till) -> None:
    sale = await _ten(till)
    (await till.send(RETURNS, till.back(sale, "2.5", 250))).expect(202)
    refused = await till.send(RETURNS, till.back(sale, "8", 750))
    _check_left(
        refused.expect(409, code="over_return"),
        {"line_no": 1, "quantity": "7.5", "amount_minor": 750},
    )


@rule("return-too-much-changes-nothing", "A refused return may come again, put right.")
async def _(till: Till) -> None:
    sale = await _ten(till)
    back = till.back(sale, "11", 1000)
    (await till.send(RETURNS, back)).expect(409, code="over_return")
    line = back["lines"][0] | {"quantity": "10"}
    (await till.send(RETURNS, back | {"lines": [line]})).expect(202, duplicate=False)


@rule("return-unknown-line", "A return of a line that the sale has not is refused.")
async def _(till: Till) -> None:
    back = till.back(await _ten(till), "1", 100)
    line = back["lines"][0] | {"line_no": 7}
    (await till.send(RETURNS, back | {"lines": [line]})).expect(409, code="over_return")


@rule("return-currency", "A return in another currency than the sale's is refused.")
async def _(till: Till) -> None:
    back = till.back(await _ten(till), "1", 100, currency="EUR")
    (await till.send(RETURNS, back)).expect(409, code="return_currency")


@rule("return-before-sale", "A return that arrives before its sale is kept, and applied with it.")
async def _(till: Till) -> None:
    sale = till.ten()
    early = (await till.send(RETURNS, till.back(sale, "4", 400))).expect(202, duplicate=False)
    (await till.status(early)).expect(200, status="withheld")
    (await till.send(PURCHASES, sale)).expect(202, duplicate=False)
    told = (await till.status(early)).json.get("status")
    early.check(told not in {"withheld", "refused"}, f"the sale is there, it is still {told}")
    refused = await till.send(RETURNS, till.back(sale, "7", 600))
    _check_left(
        refused.expect(409, code="over_return"),
        {"line_no": 1, "quantity": "6", "amount_minor": 600},
    )


@rule("return-before-sale-too-much", "One that turns out to be too much is refused, with reason.")
async def _(till: Till) -> None:
    sale = till.ten()
    early = (await till.send(RETURNS, till.back(sale, "11", 1000))).expect(202)
    (await till.send(PURCHASES, sale)).expect(202, duplicate=False)
    told = (await till.status(early)).expect(200, status="refused")
    told.check(told.json.get("detail"), "expected the reason in detail")
