"""Amendments: the whole sale again, put right, as its next revision."""

from typing import Any

from perennial_client.check.kit import rule
from perennial_client.check.till import AMENDMENTS, PURCHASES, RETURNS, Body, Till


def _pieces(sale: Body, number: int) -> dict[str, Any]:
    line = sale["lines"][0] | {"quantity": str(number), "amount_minor": 100 * number}
    return {"lines": [line], "total_minor": 100 * number}


async def _ten(till: Till) -> Body:
    sale = till.ten()
    (await till.send(PURCHASES, sale)).expect(202)
    return sale


@rule("amendment-accepted", "A sale can be corrected, again and again.")
async def _(till: Till) -> None:
    sale = await _ten(till)
    for revision, pieces in ((2, 9), (3, 8)):
        told = till.amendment(sale, revision, **_pieces(sale, pieces))
        (await till.send(AMENDMENTS, told)).expect(202, duplicate=False, status="accepted")
    refused = await till.send(RETURNS, till.back(sale, "9", 800))
    refused.expect(409, code="over_return")


@rule("amendment-repeated", "The same amendment again is answered as the first time.")
async def _(till: Till) -> None:
    sale = await _ten(till)
    told = till.amendment(sale, **_pieces(sale, 9))
    first = (await till.send(AMENDMENTS, told)).expect(202, duplicate=False)
    again = await till.send(AMENDMENTS, told)
    again.expect(202, duplicate=True, event_id=first.json.get("event_id"))


@rule("amendment-conflict", "Another body under the same revision is a 409 that names it.")
async def _(till: Till) -> None:
    sale = await _ten(till)
    (await till.send(AMENDMENTS, till.amendment(sale, **_pieces(sale, 9)))).expect(202)
    refused = await till.send(AMENDMENTS, till.amendment(sale, **_pieces(sale, 8)))
    refused.expect(409, code="amendment_conflict")
    named = refused.json.get("fields", [])
    refused.check("purchase.total_minor" in named, f"named {named}")


@rule("amendment-of-nothing", "An amendment that changes nothing is taken, and says so.")
async def _(till: Till) -> None:
    told = till.amendment(await _ten(till))
    (await till.send(AMENDMENTS, told)).expect(202, status="unchanged")


@rule("amendment-before-sale", "An amendment that arrives before its sale is kept.")
async def _(till: Till) -> None:
    sale = till.ten()
    told = till.amendment(sale, **_pieces(sale, 9))
    early = (await till.send(AMENDMENTS, told)).expect(202, duplicate=False)
    (await till.status(early)).expect(200, status="withheld")
    (await till.send(PURCHASES, sale)).expect(202, duplicate=False)
    status = (await till.status(early)).json.get("status")
    early.check(status not in {"withheld", "refused"}, f"the sale is there, it is still {status}")


@rule("amendment-below-return", "A sale is not corrected to less than came back of it.")
async def _(till: Till) -> None:
    sale = await _ten(till)
    (await till.send(RETURNS, till.back(sale, "5", 500))).expect(202)
    refused = await till.send(AMENDMENTS, till.amendment(sale, **_pieces(sale, 4)))
    refused.expect(409, code="amendment_below_return")


@rule("amendment-fixed", "Time, currency and member can not be corrected; the 409 names them.")
async def _(till: Till) -> None:
    sale = await _ten(till)
    refused = await till.send(AMENDMENTS, till.amendment(sale, currency="EUR"))
    refused.expect(409, code="amendment_fixed", fields=["purchase.currency"])
