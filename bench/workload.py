"""Real baskets as events and as requests: about ten lines each, from the year of a grocer."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from demo import data
from demo.data import Basket
from shared import ids
from shared.contracts.purchases import PurchaseRecorded, Receipt, ReceiptLine, Tender

CURRENCY = "USD"
HOUSEHOLDS = 2_000
WEEKS = 52


def baskets(count: int) -> list[Basket]:
    """Return ``count`` baskets in time order, the year repeated where it is too short."""
    year = sample(households=HOUSEHOLDS, weeks=WEEKS)
    return [year[number % len(year)] for number in range(count)]


def sample(*, households: int, weeks: int) -> Sequence[Basket]:
    """Return the baskets of some households and weeks, in time order."""
    return data.load(households=households, weeks=weeks, today=datetime.now(UTC).date()).baskets


def member_of(basket: Basket, copy: int = 0) -> UUID:
    """Return the member that a household is in the bench, or one of several that share it."""
    return uuid5(ids.NAMESPACE, f"household:{basket.household + copy * 1_000_000}")


def _date(basket: Basket, number: int) -> date:
    # Repetitions of the year are other receipts, of other days.
    return basket.occurred_at.date() - timedelta(days=400 * (number // 1_000_000))


def event(basket: Basket, number: int, *, copy: int = 0) -> PurchaseRecorded:
    """Return basket ``number`` as ingest would publish it."""
    terminal = f"{basket.store_id}-01"
    receipt_no = f"{basket.receipt_no}-{number}"
    day = _date(basket, number)
    receipt_id = ids.receipt_id(basket.store_id, terminal, day, receipt_no)
    member = member_of(basket, copy)
    receipt = Receipt(
        receipt_id=receipt_id,
        revision=1,
        store_id=basket.store_id,
        terminal_id=terminal,
        receipt_no=receipt_no,
        business_date=day,
        member_id=member,
        identified_by="card",
        currency=CURRENCY,
        occurred_at=basket.occurred_at,
        received_at=basket.occurred_at + timedelta(seconds=1),
        lines=tuple(
            ReceiptLine(
                line_no=line.line_no,
                sku=line.sku,
                category=line.category,
                description=line.description,
                quantity_milli=line.quantity_milli,
                unit_price_minor=line.unit_price_minor,
                discount_minor=line.discount_minor,
                amount_minor=line.amount_minor,
            )
            for line in basket.lines
        ),
        tenders=(Tender(kind="card", amount_minor=basket.total_minor),),
        total_minor=basket.total_minor,
        sold_total_minor=basket.total_minor,
    )
    return PurchaseRecorded(
        id=ids.receipt_event_id(receipt_id, "purchase.recorded.v1", 1),
        source="perennial/ingest",
        time=basket.occurred_at,
        subject=str(member),
        data=receipt,
    )


def records(count: int) -> Iterator[tuple[bytes, bytes]]:
    """Return key and value of ``count`` records for the ``purchases`` topic."""
    for number, basket in enumerate(baskets(count)):
        made = event(basket, number)
        yield str(made.subject).encode(), made.model_dump_json().encode()


def card(household: int) -> str:
    """Return the number on a household's card; made up."""
    return f"98{household:08d}"


def request(basket: Basket, number: int, *, store: str, terminal: str) -> dict[str, Any]:
    """Return basket ``number`` as a till would send it; of a member it names the card."""
    return {
        "store_id": store,
        "terminal_id": terminal,
        "receipt_no": f"{basket.receipt_no}-{number}",
        "business_date": basket.occurred_at.date().isoformat(),
        "occurred_at": basket.occurred_at.isoformat(),
        "sales_channel": "pos",
        "member": {"card": card(basket.household)},
        "currency": CURRENCY,
        "lines": [
            {
                "line_no": line.line_no,
                "sku": line.sku,
                "category": line.category,
                "description": line.description,
                "quantity": f"{line.quantity_milli / 1_000:.3f}",
                "unit_price_minor": line.unit_price_minor,
                "discount_minor": line.discount_minor,
                "amount_minor": line.amount_minor,
            }
            for line in basket.lines
        ],
        "tenders": [{"kind": "card", "amount_minor": basket.total_minor}],
        "total_minor": basket.total_minor,
    }
