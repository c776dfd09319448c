"""Take goods back: from a sale that is known, or as soon as it is."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

import pydantic_core

from services.ingest import domain
from services.ingest.handlers import revisions
from services.ingest.store import locks, receipts
from services.ingest.store import returns as store
from services.ingest.store.receipts import CurrentReceipt, NewReceipt
from services.ingest.store.returns import StoredReturn
from shared.db import Tx, outbox
from shared.db.outbox import Outgoing
from shared.errors import Refused


async def take(tx: Tx, new: domain.Return) -> domain.Outcome:
    """Record one return; withhold it where its sale is not known yet.

    Raises ``Refused`` (and so writes nothing) when the sale has not as much left.
    """
    await locks.exclude(tx, [locks.receipt_slot(new.sale_id)])
    row = StoredReturn(
        return_id=new.return_id,
        sale_id=new.sale_id,
        body_sha256=new.body_sha256,
        store_id=new.key.store_id,
        terminal_id=new.key.terminal_id,
        occurred_at=new.occurred_at,
        received_at=new.received_at,
        facts=new.facts.decode(),
        state="withheld",
    )
    if not await store.insert(tx, row):
        return await _repeated(tx, new)
    current = (await receipts.lock_receipts(tx, [new.sale_id])).get(new.sale_id)
    if current is not None:
        changed, event = revisions.take_back(current, row)
        await receipts.update_states(tx, [changed])
        await store.settle(tx, row.return_id, published_event_id=_event_id(event))
        await outbox.append(tx, [event])
    return domain.Outcome("accepted", new.return_id)


async def _repeated(tx: Tx, new: domain.Return) -> domain.Outcome:
    stored = await store.load(tx, new.return_id)
    if stored is None:
        message = f"return {new.return_id} was neither inserted nor found"
        raise RuntimeError(message)
    if stored.body_sha256 == new.body_sha256:
        return domain.Outcome("replayed", stored.return_id)
    fields = domain.differing(
        pydantic_core.from_json(stored.facts), pydantic_core.from_json(new.facts)
    )
    if stored.occurred_at != new.occurred_at:
        fields.append("occurred_at")
    return domain.Outcome("conflict", stored.return_id, fields=domain.as_sent(fields))


async def release(tx: Tx, inserted: Mapping[UUID, NewReceipt]) -> list[Outgoing]:
    """Apply the returns that waited for sales inserted in this transaction; return their events.

    The caller shares the sales' slots, so no return is on its way meanwhile.
    """
    waiting = await store.lock_withheld(tx, inserted.keys())
    return await _apply(
        tx, waiting, {one.sale_id: inserted[one.sale_id].current for one in waiting}
    )


async def sweep(tx: Tx, sale_ids: Collection[UUID]) -> int:
    """Apply returns whose sale is known after all; return how many events that gave."""
    await locks.exclude(tx, [locks.receipt_slot(one) for one in sale_ids])
    waiting = await store.lock_withheld(tx, sale_ids)
    events = await _apply(tx, waiting, await receipts.lock_receipts(tx, sale_ids))
    await outbox.append(tx, events)
    return len(events)


async def _apply(
    tx: Tx, waiting: Sequence[StoredReturn], sales: dict[UUID, CurrentReceipt]
) -> list[Outgoing]:
    """Take each return from its sale in turn.

    One that would take back more than was sold is refused for good, with the reason: its till
    was answered long ago. The sale stands.
    """
    events: list[Outgoing] = []
    changed: dict[UUID, CurrentReceipt] = {}
    for one in waiting:
        current = changed.get(one.sale_id, sales[one.sale_id])
        try:
            after, event = revisions.take_back(current, one)
        except Refused as refusal:
            await store.settle(tx, one.return_id, published_event_id=None, refusal=refusal.detail)
            continue
        changed[one.sale_id] = after
        events.append(event)
        await store.settle(tx, one.return_id, published_event_id=_event_id(event))
    await receipts.update_states(tx, list(changed.values()))
    return events


def _event_id(event: Outgoing) -> UUID | None:
    return event.event.id if event.event else event.event_id
