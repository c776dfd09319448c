"""From one revision of a receipt to the next, with the event that tells of it."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import pydantic_core

from services.ingest import domain
from services.ingest.store.receipts import CurrentReceipt
from services.ingest.store.returns import StoredReturn
from shared import ids
from shared.contracts import purchases
from shared.db.outbox import Outgoing
from shared.errors import Refused

TOPIC = "purchases"
SOURCE = "perennial/ingest"
RECORDED = "purchase.recorded.v1"
RETURNED = "purchase.returned.v1"
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
    return state, Outgoing(TOPIC, key, event_id=sale.event_id, value=event)


def take_back(current: CurrentReceipt, stored: StoredReturn) -> tuple[CurrentReceipt, Outgoing]:
    """Return the receipt less what came back, and the event; ``Refused`` if it has not so much."""
    receipt = purchases.Receipt.model_validate_json(current.state)
    facts = pydantic_core.from_json(stored.facts)
    if facts["currency"] != receipt.currency:
        detail = f"The sale was in {receipt.currency}, the return is in {facts['currency']}."
        raise Refused("return_currency", detail, status=409)
    left = domain.take_back(
        [domain.LineAmount(n.line_no, n.quantity_milli, n.amount_minor) for n in receipt.lines],
        [domain.LineAmount(**line) for line in facts["lines"]],
    )
    lines = tuple(
        line.model_copy(
            update={"quantity_milli": net.quantity_milli, "amount_minor": net.amount_minor}
        )
        for line, net in zip(receipt.lines, left, strict=True)
    )
    net = receipt.model_copy(
        update={
            "revision": current.revision + 1,
            "lines": lines,
            "total_minor": sum(line.amount_minor for line in lines),
        }
    )
    returned = _return_facts(stored, facts)
    event = purchases.PurchaseReturned(
        id=ids.receipt_event_id(net.receipt_id, RETURNED, net.revision),
        source=SOURCE,
        time=stored.occurred_at,
        subject=str(net.member_id) if net.member_id else None,
        data=purchases.ReceiptReturned(**dict(net), returned=returned),
    )
    return _stored(net, current), Outgoing(TOPIC, _key(net), event)


def attribute(
    current: CurrentReceipt, member_id: UUID, *, at: datetime
) -> tuple[CurrentReceipt, Outgoing]:
    """Return the receipt as its member's, and the event that moves it there."""
    receipt = purchases.Receipt.model_validate_json(current.state)
    net = receipt.model_copy(update={"revision": current.revision + 1, "member_id": member_id})
    event = purchases.PurchaseAttributed(
        id=ids.receipt_event_id(net.receipt_id, ATTRIBUTED, net.revision),
        source=SOURCE,
        time=at,
        subject=str(member_id),
        data=net,
    )
    return _stored(net, current), Outgoing(TOPIC, _key(net), event)


def _return_facts(stored: StoredReturn, facts: Mapping[str, object]) -> purchases.ReturnFacts:
    return purchases.ReturnFacts.model_validate(
        {**facts, "return_id": stored.return_id, "occurred_at": stored.occurred_at}
    )


def _stored(net: purchases.Receipt, before: CurrentReceipt) -> CurrentReceipt:
    return CurrentReceipt(
        receipt_id=net.receipt_id,
        revision=net.revision,
        member_id=net.member_id,
        identified_by=before.identified_by,
        identifier_hmac=before.identifier_hmac,
        state=net.model_dump_json(),
    )


def _key(net: purchases.Receipt) -> str:
    return str(net.member_id or net.receipt_id)


def _json(flag: bool) -> str:  # noqa: FBT001  it is the value itself
    return "true" if flag else "false"
