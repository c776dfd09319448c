"""Receipts and the events that tell of them, each with the net state that ingest would write."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from shared import ids
from shared.contracts.purchases import (
    LineReturn,
    PurchaseAmended,
    PurchaseAttributed,
    PurchaseRecorded,
    PurchaseReturned,
    PurchaseVoided,
    Receipt,
    ReceiptAmended,
    ReceiptLine,
    ReceiptReturned,
    ReceiptVoided,
    ReturnedLine,
    ReturnFacts,
)
from tests.builders import made
from tests.builders.made import CURRENCY, MEMBER, NOW, STORE, TERMINAL


def line(line_no: int = 1, **overrides: Any) -> ReceiptLine:
    """Build one line: a kilogram of bananas for 0.99."""
    defaults = {
        "line_no": line_no,
        "sku": f"sku-{line_no}",
        "category": "BANANAS",
        "description": "Bananas",
        "quantity_milli": 1000,
        "unit_price_minor": 99,
        "amount_minor": 99,
    }
    return made.contract(ReceiptLine, defaults, overrides)


def receipt(*, lines: Iterable[ReceiptLine] = (), **overrides: Any) -> Receipt:
    """Build a receipt of one member; its id follows its natural key, its totals its lines."""
    bought = tuple(lines) or (line(),)
    key = {
        "store_id": STORE,
        "terminal_id": TERMINAL,
        "business_date": NOW.date(),
        "receipt_no": "000123",
    } | {name: overrides[name] for name in Receipt.model_fields if name in overrides}
    total = sum(one.amount_minor for one in bought)
    defaults = {
        **key,
        "receipt_id": receipt_id_of(key),
        "revision": 1,
        "member_id": MEMBER,
        "identified_by": "card" if overrides.get("member_id", MEMBER) else None,
        "currency": CURRENCY,
        "occurred_at": NOW,
        "received_at": overrides.get("occurred_at", NOW) + timedelta(seconds=2),
        "lines": bought,
        "total_minor": total,
        "sold_total_minor": total,
    }
    return made.contract(Receipt, defaults, overrides)


def receipt_id_of(key: dict[str, Any]) -> UUID:
    """Return the id of the receipt with this natural key."""
    day: date = key["business_date"]
    return ids.receipt_id(key["store_id"], key["terminal_id"], day, key["receipt_no"])


def purchase_recorded(of: Receipt | None = None, **overrides: Any) -> PurchaseRecorded:
    """Build the first event of a receipt: ``of``, or ``receipt(**overrides)``."""
    envelope, fields = made.split(overrides)
    return _about(PurchaseRecorded, of or receipt(**fields), **envelope)


def purchase_returned(
    of: Receipt, lines: Iterable[ReturnedLine] | None = None, **overrides: Any
) -> PurchaseReturned:
    """Build the return of ``lines``, or of everything, and the net state that it leads to."""
    back = (
        tuple(
            ReturnedLine(
                line_no=one.line_no,
                quantity_milli=one.quantity_milli,
                amount_minor=one.amount_minor,
            )
            for one in of.lines
        )
        if lines is None
        else tuple(lines)
    )
    envelope, fields = made.split(overrides)
    at = envelope.get("time", of.occurred_at + timedelta(days=1))
    returned = ReturnFacts(
        return_id=ids.derived_id(of.receipt_id, "test-return", of.revision),
        store_id=of.store_id,
        terminal_id=of.terminal_id,
        receipt_no=f"R{of.receipt_no}-{of.revision}",
        business_date=at.date(),
        occurred_at=at,
        lines=back,
        total_minor=sum(one.amount_minor for one in back),
    )
    net = _revised(of, _less(of.lines, back, at))
    data = made.contract(ReceiptReturned, {**net, "returned": returned}, fields)
    return _about(PurchaseReturned, data, **{"time": at, **envelope})


def purchase_voided(of: Receipt, **overrides: Any) -> PurchaseVoided:
    """Build the void of a receipt: every line at 0."""
    envelope, fields = made.split(overrides)
    at = envelope.get("time", of.occurred_at)
    gone = tuple(_off(one, one.quantity_milli, one.amount_minor, at) for one in of.lines)
    data = made.contract(
        ReceiptVoided, {**_revised(of, gone), "reason": "wrong till", "voided": True}, fields
    )
    return _about(PurchaseVoided, data, **envelope)


def purchase_amended(
    of: Receipt, lines: Iterable[ReceiptLine], **overrides: Any
) -> PurchaseAmended:
    """Build the correction of a receipt to ``lines``."""
    envelope, fields = made.split(overrides)
    returns = {one.line_no: one.returns for one in of.lines}
    net = _revised(
        of,
        tuple(one.model_copy(update={"returns": returns.get(one.line_no, ())}) for one in lines),
    )
    data = made.contract(ReceiptAmended, {**net, "reason": "price was wrong"}, fields)
    return _about(PurchaseAmended, data, **envelope)


def purchase_attributed(
    of: Receipt, member_id: UUID = MEMBER, **overrides: Any
) -> PurchaseAttributed:
    """Build the event that gives an anonymous receipt to a member."""
    envelope, fields = made.split(overrides)
    net = {**_revised(of, of.lines), "member_id": member_id, "identified_by": "card"}
    return _about(PurchaseAttributed, made.contract(Receipt, net, fields), **envelope)


def _less(
    sold: tuple[ReceiptLine, ...], back: tuple[ReturnedLine, ...], at: datetime
) -> tuple[ReceiptLine, ...]:
    returned = {one.line_no: (one.quantity_milli, one.amount_minor) for one in back}
    return tuple(_off(one, *returned.get(one.line_no, (0, 0)), at) for one in sold)


def _off(line: ReceiptLine, quantity_milli: int, amount_minor: int, at: datetime) -> ReceiptLine:
    """Return a line without what came off it at one time."""
    if not (quantity_milli or amount_minor):
        return line
    off = LineReturn(at=at, quantity_milli=quantity_milli, amount_minor=amount_minor)
    return line.model_copy(
        update={
            "quantity_milli": line.quantity_milli - quantity_milli,
            "amount_minor": line.amount_minor - amount_minor,
            "returns": tuple(sorted((*line.returns, off), key=lambda one: one.at)),
        }
    )


def _revised(of: Receipt, lines: tuple[ReceiptLine, ...]) -> dict[str, Any]:
    return {
        **{name: getattr(of, name) for name in Receipt.model_fields},
        "revision": of.revision + 1,
        "lines": lines,
        "total_minor": sum(one.amount_minor for one in lines),
    }


def _about(event: type[made.EventT], data: Receipt, **envelope: Any) -> made.EventT:
    """Wrap a receipt as ingest does: the id follows receipt, type and revision."""
    name = event.model_fields["type"].default
    return event.model_validate(
        {
            "id": ids.receipt_event_id(data.receipt_id, name, data.revision),
            "source": "perennial/ingest",
            "time": data.occurred_at,
            "subject": None if data.member_id is None else str(data.member_id),
            "data": data,
            **envelope,
        }
    )
