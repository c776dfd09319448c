"""Voids: a sale undone, once."""

from perennial_client.check.kit import rule
from perennial_client.check.till import PURCHASES, RETURNS, VOIDS, Till


@rule("void-accepted", "A sale can be voided.")
async def _(till: Till) -> None:
    (await till.send(VOIDS, till.void(await till.sell()))).expect(202, duplicate=False)


@rule("void-repeated", "The same void again is answered as the first time.")
async def _(till: Till) -> None:
    void = till.void(await till.sell())
    first = (await till.send(VOIDS, void)).expect(202, duplicate=False)
    again = await till.send(VOIDS, void)
    again.expect(202, duplicate=True, event_id=first.json.get("event_id"))


@rule("void-conflict", "A sale has one void: another is a 409 that names what differs.")
async def _(till: Till) -> None:
    void = till.void(await till.sell())
    (await till.send(VOIDS, void)).expect(202)
    refused = await till.send(VOIDS, void | {"reason": "another"})
    refused.expect(409, code="void_conflict", fields=["reason"])


@rule("void-before-sale", "A void that arrives before its sale is kept, and applied with it.")
async def _(till: Till) -> None:
    sale = till.sale()
    early = (await till.send(VOIDS, till.void(sale))).expect(202, duplicate=False)
    (await till.status(early)).expect(200, status="withheld")
    (await till.send(PURCHASES, sale)).expect(202, duplicate=False)
    told = (await till.status(early)).json.get("status")
    early.check(told not in {"withheld", "refused"}, f"the sale is there, it is still {told}")


@rule("void-leaves-nothing", "Nothing can be returned of a sale that was voided.")
async def _(till: Till) -> None:
    sale = await till.sell()
    (await till.send(VOIDS, till.void(sale))).expect(202)
    (await till.send(RETURNS, till.back(sale, "1", 99))).expect(409, code="receipt_voided")


@rule("void-keeps-the-number", "The voided sale told again is still a duplicate of itself.")
async def _(till: Till) -> None:
    sale = await till.sell()
    (await till.send(VOIDS, till.void(sale))).expect(202)
    (await till.send(PURCHASES, sale)).expect(202, duplicate=True)
