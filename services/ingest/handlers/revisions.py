"""From one revision of a receipt to the next, with the event that tells of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pydantic_core

from services.ingest import domain
from services.ingest.store.changes import History
from services.ingest.store.receipts import CurrentReceipt
from shared import ids
from shared.contracts import purchases
from shared.contracts.envelope import Event
from shared.db.outbox import Outgoing
from shared.errors import Refused

TOPIC = "purchases"
SOURCE = "perennial/ingest"
RECORDED = "purchase.recorded.v1"
RETURNED = "purchase.returned.v1"
VOIDED = "purchase.voided.v1"
AMENDED = "purchase.amended.v1"
ATTRIBUTED = "purchase.attributed.v1"


def record(sale: domain.Sale, member_id: UUID | None) -> tuple[bytes, Outgoing]:
    """Return a new receipt's state (JSON) and the event that it was recorded.

    The receipt is serialised once, by the request's model; state and event are put around it.
    This is the path of every purchase, and a contract model in between would cost as much as
    all the rest; a test holds the result against the contract.
    """
    member = f'"{member_id}"' if member_id else "null"
    kind = f'"{sale.identifier.kind}"' if sale.identifier else "null"
    occurred_at = sale.occurred_at.isoformat()
    fixed = (
        f'{{"receipt_id":"{sale.receipt_id}","revision":1,"member_id":{member},'
        f'"identified_by":{kind},"occurred_at":"{occurred_at}",'
        f'"received_at":"{sale.received_at.isoformat()}",'
        f'"late":{_json(sale.late)},"clock_suspect":{_json(sale.clock_suspect)},'
        f'"imported":{_json(sale.imported)},'
        f'"sold_total_minor":{sale.total_minor},'
    )
    state = fixed.encode() + sale.facts[1:]
    envelope = (
        f'{{"specversion":"1.0","id":"{sale.event_id}","source":"{SOURCE}","type":"{RECORDED}",'
        f'"time":"{occurred_at}","subject":{member},"datacontenttype":"application/json",'
        f'"dataschema":"urn:perennial:schema:{RECORDED}","data":'
    )
    event = envelope.encode() + state + b"}"
    key = str(member_id or sale.receipt_id)
    return state, Outgoing(
        TOPIC, key, event_id=sale.event_id, value=event, traceparent=sale.traceparent
    )


def recorded_late(receipt: purchases.Receipt) -> Outgoing:
    """Return the event that ``record`` would have made, for a receipt that was held back."""
    event = purchases.PurchaseRecorded(
        **_envelope(receipt, RECORDED, receipt.occurred_at), data=receipt
    )
    return Outgoing(TOPIC, _key(receipt), event)


@dataclass(frozen=True, slots=True)
class Standing:
    """A receipt as it stands, with what of its past decides on its next change."""

    current: CurrentReceipt
    history: History
    recorded: str | None = None
    """The receipt's first state; loaded where a correction is coming."""

    @property
    def sold(self) -> Sequence[domain.LineAmount]:
        """Return the lines as sold, by the newest correction."""
        if self.history.corrected is not None:
            facts = pydantic_core.from_json(self.history.corrected)["purchase"]
        elif self.recorded is not None:
            facts = pydantic_core.from_json(self.recorded)
        else:
            message = f"receipt {self.current.receipt_id} was not loaded with its first state"
            raise RuntimeError(message)
        return _amounts(facts["lines"])


Revised = tuple[Standing, Outgoing | None]


def revise(standing: Standing, change: domain.Change) -> Revised:
    """Return the receipt after ``change``, and the event; None where nothing changes.

    Raises ``Refused`` where the receipt as it stands does not allow the change.
    """
    if standing.history.voided:
        detail = "The sale was voided: nothing of it is left to change."
        raise Refused("receipt_voided", detail, status=409)
    if change.kind == "return":
        return _take_back(standing, change)
    if change.kind == "void":
        return _void(standing, change)
    return _amend(standing, change)


def _take_back(standing: Standing, change: domain.Change) -> Revised:
    """Return the receipt less what came back; ``Refused`` if it has not so much."""
    receipt = _next(standing.current)
    facts = pydantic_core.from_json(change.facts)
    if facts["currency"] != receipt.currency:
        detail = f"The sale was in {receipt.currency}, the return is in {facts['currency']}."
        raise Refused("return_currency", detail, status=409)
    left = domain.take_back(_amounts(map(dict, receipt.lines)), _amounts(facts["lines"]))
    net = _net(receipt, left, at=change.occurred_at)
    returned = purchases.ReturnFacts.model_validate(
        {**facts, "return_id": change.change_id, "occurred_at": change.occurred_at}
    )
    event = purchases.PurchaseReturned(
        **_envelope(net, RETURNED, change.occurred_at),
        data=purchases.ReceiptReturned(**dict(net), returned=returned),
    )
    return _revised(standing, net, event)


def _void(standing: Standing, change: domain.Change) -> Revised:
    """Return the receipt with all its lines at 0."""
    receipt = _next(standing.current)
    nothing = [domain.LineAmount(line.line_no, 0, 0) for line in receipt.lines]
    net = _net(receipt, nothing, at=change.occurred_at).model_copy(update={"voided": True})
    reason = pydantic_core.from_json(change.facts)["reason"]
    event = purchases.PurchaseVoided(
        **_envelope(net, VOIDED, change.occurred_at),
        data=purchases.ReceiptVoided(**dict(net), reason=reason),
    )
    return _revised(standing, net, event, replace(standing.history, voided=True))


def _amend(standing: Standing, change: domain.Change) -> Revised:
    """Return the receipt as corrected, less what came back before; only the newest counts."""
    if change.amendment < standing.history.amendment:
        return standing, None
    receipt = _next(standing.current)
    facts = pydantic_core.from_json(change.facts)
    _check_fixed(standing.current, receipt, facts, change)
    sold = purchases.Receipt.model_validate(
        {
            **dict(receipt),
            "fulfilment": "complete",  # the usual, which a body leaves out
            **facts["purchase"],
        }
    )
    fulfilled = {"fulfilled_at": _fulfilled_at(sold, receipt, change.received_at)}
    net = _net(
        _with_returns(sold, receipt).model_copy(update=fulfilled),
        domain.amend(
            standing.sold,
            _amounts(map(dict, receipt.lines)),
            _amounts(facts["purchase"]["lines"]),
        ),
    )
    corrected = replace(standing.history, amendment=change.amendment, corrected=change.facts)
    if net == receipt:
        return replace(standing, history=corrected), None
    event = purchases.PurchaseAmended(
        **_envelope(net, AMENDED, change.received_at),
        data=purchases.ReceiptAmended(**dict(net), reason=facts["reason"]),
    )
    return _revised(standing, net, event, corrected)


def _fulfilled_at(
    sold: purchases.Receipt, before: purchases.Receipt, now: datetime
) -> datetime | None:
    """Return when an order became complete: with the correction that says so first."""
    if sold.fulfilment == "pending":
        return None
    return now if before.fulfilment == "pending" else before.fulfilled_at


def _check_fixed(
    current: CurrentReceipt,
    receipt: purchases.Receipt,
    facts: Mapping[str, Any],
    change: domain.Change,
) -> None:
    """Refuse to correct what a receipt is found, judged and attributed by."""
    hmac = current.identifier_hmac.hex() if current.identifier_hmac else None
    told = facts["member"] or {"kind": None, "hmac": None}
    pairs = {
        "currency": facts["purchase"]["currency"] == receipt.currency,
        "occurred_at": change.occurred_at == receipt.occurred_at,
        "member": (told["kind"], told["hmac"]) == (current.identified_by, hmac),
    }
    fixed = [f"purchase.{name}" for name, same in pairs.items() if not same]
    if fixed:
        detail = "An amendment corrects goods and money; these stay as they were recorded."
        raise Refused("amendment_fixed", detail, status=409, fields=fixed)


def attribute(
    current: CurrentReceipt, member_id: UUID, *, at: datetime
) -> tuple[CurrentReceipt, Outgoing]:
    """Return the receipt as its member's, and the event that moves it there."""
    net = _next(replace(current, member_id=member_id))
    event = purchases.PurchaseAttributed(**_envelope(net, ATTRIBUTED, at), data=net)
    return _stored(net, current), Outgoing(TOPIC, _key(net), event)


def _next(current: CurrentReceipt) -> purchases.Receipt:
    """Return the receipt at its next revision, still as it was, for whoever it now belongs to."""
    receipt = purchases.Receipt.model_validate_json(current.state)
    return receipt.model_copy(
        update={"revision": current.revision + 1, "member_id": current.member_id}
    )


def _net(
    receipt: purchases.Receipt,
    left: Sequence[domain.LineAmount],
    *,
    at: datetime | None = None,
) -> purchases.Receipt:
    """Return the receipt with what is left of each line; ``at`` is when the rest came off.

    Without it the receipt is corrected, and nothing came off.
    """
    lines = tuple(_left(*pair, at) for pair in zip(receipt.lines, left, strict=True))
    total_minor = sum(line.amount_minor for line in lines)
    return receipt.model_copy(update={"lines": lines, "total_minor": total_minor})


def _left(
    line: purchases.ReceiptLine, net: domain.LineAmount, at: datetime | None
) -> purchases.ReceiptLine:
    """Return a line with what is left of it, and with what came off it at ``at``."""
    left = {"quantity_milli": net.quantity_milli, "amount_minor": net.amount_minor}
    quantity = line.quantity_milli - net.quantity_milli
    amount = line.amount_minor - net.amount_minor
    if at is None or not (quantity or amount):
        return line.model_copy(update=left)
    off = purchases.LineReturn(at=at, quantity_milli=quantity, amount_minor=amount)
    returns = sorted((*line.returns, off), key=lambda one: one.at)
    return line.model_copy(update={**left, "returns": tuple(returns)})


def _with_returns(sold: purchases.Receipt, before: purchases.Receipt) -> purchases.Receipt:
    """Return a corrected sale with what came off its lines before the correction."""
    returns = {line.line_no: line.returns for line in before.lines}
    lines = tuple(
        line.model_copy(update={"returns": returns.get(line.line_no, ())}) for line in sold.lines
    )
    return sold.model_copy(update={"lines": lines})


def _amounts(lines: Iterable[Mapping[str, Any]]) -> list[domain.LineAmount]:
    return [
        domain.LineAmount(line["line_no"], line["quantity_milli"], line["amount_minor"])
        for line in lines
    ]


def _revised(
    standing: Standing, net: purchases.Receipt, event: Event, history: History | None = None
) -> Revised:
    after = Standing(_stored(net, standing.current), history or standing.history, standing.recorded)
    return after, Outgoing(TOPIC, _key(net), event)


def _envelope(net: purchases.Receipt, event_type: str, at: datetime) -> dict[str, Any]:
    return {
        "id": ids.receipt_event_id(net.receipt_id, event_type, net.revision),
        "source": SOURCE,
        "time": at,
        "subject": str(net.member_id) if net.member_id else None,
    }


def _stored(net: purchases.Receipt, before: CurrentReceipt) -> CurrentReceipt:
    return replace(
        before, revision=net.revision, member_id=net.member_id, state=net.model_dump_json()
    )


def _key(net: purchases.Receipt) -> str:
    return str(net.member_id or net.receipt_id)


def _json(flag: bool) -> str:  # noqa: FBT001  it is the value itself
    return "true" if flag else "false"
