"""Copies of the catalogue and of the members' states."""

from collections.abc import Sequence

from services.offers.context import OffersContext
from services.offers.store import erasure, reference
from shared.contracts.catalogue import CatalogueEvent, ProductChanged, StoreChanged
from shared.contracts.members import MemberChanged
from shared.db import Tx


async def on_catalogue(tx: Tx, events: Sequence[CatalogueEvent], context: OffersContext) -> None:
    """Keep the newest version of each product and store."""
    del context
    await reference.upsert_products(
        tx, [event.data.model_dump() for event in events if isinstance(event, ProductChanged)]
    )
    await reference.upsert_stores(
        tx, [event.data.model_dump() for event in events if isinstance(event, StoreChanged)]
    )


async def on_members(tx: Tx, events: Sequence[MemberChanged], context: OffersContext) -> None:
    """Keep the newest version of each member's status, and forget those who were erased."""
    del context
    await reference.upsert_members(
        tx,
        [event.data.model_dump(include={"member_id", "version", "status"}) for event in events],
    )
    erased = {event.data.member_id for event in events if event.data.status == erasure.ERASED}
    if erased:
        await erasure.forget_erased(tx, erased)
