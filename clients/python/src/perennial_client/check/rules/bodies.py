"""Bodies: what is wrong is told by its field, and nothing is written."""

from perennial_client.check.kit import rule
from perennial_client.check.till import PURCHASES, Body, Till


async def _refused(till: Till, sale: Body, field: str) -> None:
    """Expect a 422 that names ``field``, and that nothing was recorded."""
    answer = (await till.send(PURCHASES, sale)).expect(422)
    named = [one.get("field") for one in answer.json.get("errors", [])]
    answer.check(field in named, f"expected errors to name {field}, got {named}")
    fresh = till.sale(receipt_no=sale["receipt_no"])
    (await till.send(PURCHASES, fresh)).expect(202, duplicate=False)


def _line(sale: Body, **differing: object) -> Body:
    return sale | {"lines": [sale["lines"][0] | differing]}


@rule("malformed-json", "A body that is no JSON is a 422.")
async def _(till: Till) -> None:
    (await till.send(PURCHASES, b'{"store_id": ')).expect(422, code="malformed_json")


@rule("unknown-field", "A field that nobody knows is refused by its name.")
async def _(till: Till) -> None:
    await _refused(till, till.sale(loyalty_points=7), "loyalty_points")


@rule("missing-field", "A field that is missing is named.")
async def _(till: Till) -> None:
    sale = till.sale()
    del sale["currency"]
    await _refused(till, sale, "currency")


@rule("total-mismatch", "Lines that do not sum to the total are refused; the difference is told.")
async def _(till: Till) -> None:
    sale = till.sale(total_minor=113, tenders=[])
    await _refused(till, sale, "total_minor")
    told = (await till.send(PURCHASES, till.sale(total_minor=113, tenders=[]))).expect(422)
    told.check("-2" in told.answer.decode(errors="replace"), "expected the difference, -2")


@rule("money-is-whole", "Money with a decimal point, or below zero, is refused.")
async def _(till: Till) -> None:
    for amount in (1.11, -111, "1.11"):
        await _refused(till, _line(till.sale(), amount_minor=amount), "lines.0.amount_minor")


@rule("quantity-decimals", "A quantity with more than three decimals is refused.")
async def _(till: Till) -> None:
    await _refused(till, _line(till.sale(), quantity="1.1205"), "lines.0.quantity")


@rule("unknown-currency", "A currency that ISO 4217 has not is refused.")
async def _(till: Till) -> None:
    await _refused(till, till.sale(currency="ZZZ"), "currency")


@rule("time-without-zone", "A time without its offset is refused.")
async def _(till: Till) -> None:
    sale = till.sale()
    await _refused(till, sale | {"occurred_at": sale["occurred_at"][:19]}, "occurred_at")


@rule("no-control-characters", "A NUL in a text is refused, not stored and not a 500.")
async def _(till: Till) -> None:
    await _refused(till, _line(till.sale(), description="a\x00b"), "lines.0.description")


@rule("one-member", "A member is told by one identifier.")
async def _(till: Till) -> None:
    await _refused(till, till.sale(member={"card": "1", "email": "a@example.com"}), "member")


@rule("lines-bounds", "No line at all, or 501 of them, are refused.")
async def _(till: Till) -> None:
    await _refused(till, till.sale(lines=[], tenders=[], total_minor=0), "lines")
    lines = [
        {"line_no": number, "sku": "till-check", "quantity": "1", "amount_minor": 1}
        for number in range(1, 502)
    ]
    await _refused(till, till.sale(lines=lines, tenders=[], total_minor=501), "lines")


@rule("body-too-large", "A sale of more than 256 KiB is a 413 that names the limit.")
async def _(till: Till) -> None:
    sale = till.sale()
    answer = await till.send(PURCHASES, _line(sale, description="x" * 300_000))
    answer.expect(413, code="body_too_large")
    answer.check(answer.json.get("limit_bytes"), "expected limit_bytes")
    (await till.send(PURCHASES, sale)).expect(202, duplicate=False)
