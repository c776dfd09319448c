"""Register stores and products; announce what really changed."""

from collections.abc import Sequence
from datetime import datetime

from services.ingest.handlers.revisions import SOURCE
from services.ingest.store import catalogue as store
from shared import ids
from shared.contracts.catalogue import ProductChanged, ProductState, StoreChanged, StoreState
from shared.db import Tx, outbox
from shared.db.outbox import Outgoing

TOPIC = "catalogue"


async def put_store(
    tx: Tx, state: StoreState, *, country: str | None, at: datetime
) -> StoreState | None:
    """Store a shop; return it with its new version, or None where nothing changed."""
    version = await store.upsert_store(tx, state, country)
    if version is None:
        return None
    changed = state.model_copy(update={"version": version})
    event = StoreChanged(id=ids.new_id(), source=SOURCE, time=at, data=changed)
    await outbox.append(tx, [Outgoing(TOPIC, f"store:{state.store_id}", event)])
    return changed


async def put_products(tx: Tx, states: Sequence[ProductState], *, at: datetime) -> set[str]:
    """Store articles; return the SKUs of those that were new or changed."""
    versions = await store.upsert_products(tx, states)
    await outbox.append(
        tx,
        [
            Outgoing(
                TOPIC,
                f"sku:{state.sku}",
                ProductChanged(
                    id=ids.new_id(),
                    source=SOURCE,
                    time=at,
                    data=state.model_copy(update={"version": versions[state.sku]}),
                ),
            )
            for state in states
            if state.sku in versions
        ],
    )
    return set(versions)
