"""Returns, voids and amendments: applied to a sale that is known, or as soon as it is."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

import pydantic_core

from services.ingest import domain
from services.ingest.context import IngestContext
from services.ingest.domain import Change
from services.ingest.handlers import revisions
from services.ingest.handlers.revisions import Standing
from services.ingest.store import changes as store
from services.ingest.store import locks, members, receipts
from services.ingest.store.changes import History
from services.ingest.store.receipts import CurrentReceipt, NewReceipt
from shared.db import Tx, outbox
from shared.db.outbox import Outgoing
from shared.errors import Refused


async def take(tx: Tx, new: Change, context: IngestContext) -> domain.Outcome:
    """Record one change of a sale; withhold it where that is not known yet.

    Raises ``Refused`` (and so writes nothing) when the sale as it stands does not allow it.
    """
    if new.sale_id is None:
        return await _keep_unlinked(tx, new, context)
    sale_id = new.sale_id
    await locks.exclude(tx, [locks.receipt_slot(sale_id)])
    if not await store.insert(tx, new, state="withheld"):
        return await repeated(tx, new)
    current = (await receipts.lock_receipts(tx, [sale_id])).get(sale_id)
    if current is None:
        await _check_waits_for_a_sale(tx, new, sale_id)
        return domain.Outcome("accepted", new.change_id)
    standing = (await _standings(tx, {sale_id: current}, [new]))[sale_id]
    after, event = revisions.revise(standing, new)
    if event is None:
        await store.settle(tx, new.change_id, "unchanged")
        return domain.Outcome("accepted", new.change_id, changed=False)
    await receipts.update_states(tx, [after.current])
    await store.settle(tx, new.change_id, "applied", published_event_id=event_id(event))
    await outbox.append(tx, [event])
    return domain.Outcome("accepted", new.change_id)


async def _keep_unlinked(tx: Tx, new: Change, context: IngestContext) -> domain.Outcome:
    """Keep a return that names no sale as a fact, where the shop takes such returns."""
    if context.settings.unlinked_returns == "refuse":
        detail = "This shop takes goods back only with their receipt: name it in `original`."
        raise Refused("unlinked_return", detail, status=409)
    if not await store.insert(tx, new, state="unlinked"):
        return await repeated(tx, new)
    return domain.Outcome("accepted", new.change_id)


async def repeated(tx: Tx, new: Change) -> domain.Outcome:
    """Answer a change whose number was taken: as the first time, or with what differs."""
    stored = await store.load(tx, new.change_id)
    if stored is None:
        message = f"{new.kind} {new.change_id} was neither inserted nor found"
        raise RuntimeError(message)
    if stored.change.body_sha256 == new.body_sha256:
        changed = stored.state != "unchanged"
        return domain.Outcome("replayed", new.change_id, changed=changed)
    fields = domain.differing(
        pydantic_core.from_json(stored.change.facts), pydantic_core.from_json(new.facts)
    )
    if stored.change.occurred_at != new.occurred_at:
        fields.append("occurred_at")
    if stored.change.terminal_seq != new.terminal_seq:
        fields.append("terminal_seq")
    return domain.Outcome("conflict", new.change_id, fields=domain.as_sent(fields))


async def release(tx: Tx, inserted: Mapping[UUID, NewReceipt]) -> list[Outgoing]:
    """Apply what waited for sales inserted in this transaction; return the events.

    The caller shares the sales' slots, so no change is on its way meanwhile.
    """
    waiting = await store.lock_withheld(tx, inserted.keys())
    return await _apply(tx, waiting, {one: inserted[one].current for one in _sales(waiting)})


async def sweep(tx: Tx, sale_ids: Collection[UUID]) -> int:
    """Apply changes whose sale is known after all; return how many events that gave."""
    await locks.exclude(tx, [locks.receipt_slot(one) for one in sale_ids])
    waiting = await store.lock_withheld(tx, sale_ids)
    events = await _apply(tx, waiting, await receipts.lock_receipts(tx, sale_ids))
    await outbox.append(tx, events)
    return len(events)


async def _apply(
    tx: Tx, waiting: Sequence[Change], sales: Mapping[UUID, CurrentReceipt]
) -> list[Outgoing]:
    """Bring each change to its sale in turn.

    One that does not fit is refused for good, with the reason: its till was answered long ago.
    The sale stands.
    """
    if not waiting:
        return []
    standings = await _standings(tx, sales, waiting)
    events: list[Outgoing] = []
    changed: set[UUID] = set()
    for one in waiting:
        sale_id = _sale_of(one)
        try:
            standings[sale_id], event = revisions.revise(standings[sale_id], one)
        except Refused as refusal:
            await store.settle(tx, one.change_id, "refused", refusal=refusal.detail)
            continue
        if event:
            events.append(event)
            changed.add(sale_id)
        named = event_id(event) if event else None
        await store.settle(tx, one.change_id, "applied", published_event_id=named)
    await receipts.update_states(tx, [standings[one].current for one in sorted(changed)])
    return events


async def _standings(
    tx: Tx, sales: Mapping[UUID, CurrentReceipt], coming: Iterable[Change]
) -> dict[UUID, Standing]:
    """Put together what decides on the changes that are coming to these sales.

    A receipt whose member was merged into another goes on as the other's.
    """
    histories = await store.load_history(tx, sales.keys())
    owners = {one.member_id for one in sales.values() if one.member_id}
    survivors = await members.load_survivors(tx, owners)
    amended = {_sale_of(one) for one in coming if one.kind == "amendment"}
    recorded = await receipts.load_recorded(tx, amended) if amended else {}
    return {
        sale_id: Standing(
            current=replace(
                current, member_id=survivors[current.member_id] if current.member_id else None
            ),
            history=histories.get(sale_id, History()),
            recorded=recorded[sale_id].state if sale_id in recorded else None,
        )
        for sale_id, current in sales.items()
    }


async def _check_waits_for_a_sale(tx: Tx, new: Change, sale_id: UUID) -> None:
    """Refuse to void a return: its number will hardly ever be a sale's as well."""
    if new.kind == "void" and await store.load(tx, domain.return_id(sale_id)):
        detail = "This is the number of a return; only a sale can be voided."
        raise Refused("void_of_return", detail, status=409)


def _sales(waiting: Iterable[Change]) -> set[UUID]:
    return {_sale_of(one) for one in waiting}


def _sale_of(change: Change) -> UUID:
    if change.sale_id is None:
        message = f"{change.kind} {change.change_id} waits for no sale"
        raise RuntimeError(message)
    return change.sale_id


def event_id(event: Outgoing) -> UUID | None:
    """Return the id under which an event goes out."""
    return event.event.id if event.event else event.event_id
