"""Purchases for the broker tests: one line, the amount in minor units."""

from datetime import UTC, date, datetime
from uuid import UUID

from shared import ids
from shared.contracts.purchases import PurchaseRecorded, Receipt, ReceiptLine

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def purchase(
    member: UUID, number: int, amount_minor: int = 100, does: str = "bananas"
) -> PurchaseRecorded:
    """Return the event of receipt ``number``; ``does`` tells the tests' handler what to do."""
    day = date(2026, 11, 20)
    receipt_id = ids.receipt_id("0042", str(member), day, str(number))
    receipt = Receipt(
        receipt_id=receipt_id,
        revision=1,
        store_id="0042",
        terminal_id=str(member),
        receipt_no=str(number),
        business_date=day,
        member_id=member,
        currency="USD",
        occurred_at=AT,
        received_at=AT,
        lines=(
            ReceiptLine(
                line_no=1,
                sku="1082185",
                description=does,
                quantity_milli=1_000,
                amount_minor=amount_minor,
            ),
        ),
        total_minor=amount_minor,
        sold_total_minor=amount_minor,
    )
    return PurchaseRecorded(
        id=ids.receipt_event_id(receipt_id, "purchase.recorded.v1", 1),
        source="/tests",
        time=AT,
        subject=str(member),
        data=receipt,
    )
