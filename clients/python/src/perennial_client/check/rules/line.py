"""The line: whoever hangs up may simply send again."""

from perennial_client.check.kit import rule
from perennial_client.check.till import PURCHASES, RETURNS, Till


@rule("answer-lost", "A till that hung up before the answer sends again, and there is one sale.")
async def _(till: Till) -> None:
    sale = till.sale()
    for _ in range(3):
        await till.hang_up(PURCHASES, sale)
    first = (await till.send(PURCHASES, sale)).expect(202)
    (await till.send(PURCHASES, sale)).expect(
        202, duplicate=True, event_id=first.json.get("event_id")
    )


@rule("answer-lost-on-a-return", "The same holds for returns.")
async def _(till: Till) -> None:
    back = till.back(await till.sell(), "1", 100)
    for _ in range(3):
        await till.hang_up(RETURNS, back)
    first = (await till.send(RETURNS, back)).expect(202)
    (await till.send(RETURNS, back)).expect(
        202, duplicate=True, event_id=first.json.get("event_id")
    )


@rule("request-cut", "A request that was cut in the middle of its body recorded nothing.")
async def _(till: Till) -> None:
    sale = till.sale()
    await till.hang_up(PURCHASES, sale, share=0.5)
    (await till.send(PURCHASES, sale | {"sales_channel": "phone"})).expect(202, duplicate=False)
