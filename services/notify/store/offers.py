"""Offers as far as messages tell of them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.notify.domain.letters import OfferTold
from services.notify.store.tables import message_offer, offer
from shared.db import Tx, bulk


@dataclass(frozen=True, slots=True)
class OfferRow:
    """One issued offer."""

    offer_id: UUID
    member_id: UUID
    title: str
    reason: str
    percent: int | None
    amount_minor: int | None
    currency: str
    valid_from: datetime
    valid_until: datetime


async def append_offers(tx: Tx, rows: Sequence[OfferRow]) -> set[UUID]:
    """Append offers; return the ids of those that were not known."""
    if not rows:
        return set()
    names = OfferRow.__slots__
    columns = {name: (offer.c[name].type, [getattr(r, name) for r in rows]) for name in names}
    source = bulk.unnest("n", columns)
    statement = insert(offer).from_select(
        [*names, "state"], sa.select(*source.c, sa.literal("issued"))
    )
    return set(await tx.scalars(statement.on_conflict_do_nothing().returning(offer.c.offer_id)))


async def update_states(tx: Tx, states: Mapping[UUID, str]) -> None:
    """Set the states of offers; unknown ones are passed over."""
    if not states:
        return
    ids = sorted(states)
    source = bulk.unnest(
        "n", {"offer_id": (sa.Uuid(), ids), "state": (sa.Text(), [states[one] for one in ids])}
    )
    await tx.execute(
        offer.update().values(state=source.c.state).where(offer.c.offer_id == source.c.offer_id)
    )


async def append_contents(tx: Tx, contents: Sequence[tuple[UUID, UUID]]) -> None:
    """Put offers into digests, in order."""
    if not contents:
        return
    columns = ("message_id", "offer_id")
    await bulk.copy_rows(tx, message_offer, columns, contents)


async def list_usable(
    tx: Tx, message_ids: Sequence[UUID], *, now: datetime, limit: int
) -> dict[UUID, list[OfferTold]]:
    """Return for each digest the first offers that can be used now, in order."""
    rows = await tx.execute(
        sa.select(message_offer.c.message_id, offer)
        .join(offer, offer.c.offer_id == message_offer.c.offer_id)
        .where(message_offer.c.message_id.in_(message_ids), usable(now))
        .order_by(message_offer.c.message_id, message_offer.c.position)
    )
    found: dict[UUID, list[OfferTold]] = defaultdict(list)
    for row in rows.mappings():
        if len(found[row["message_id"]]) < limit:
            found[row["message_id"]].append(_told(row))
    return found


def _told(row: sa.RowMapping) -> OfferTold:
    return OfferTold(**{name: row[name] for name in OfferTold.__slots__})


def usable(now: datetime) -> "sa.ColumnElement[bool]":
    """Return the condition that an offer can still be used."""
    return sa.and_(offer.c.state == "issued", offer.c.valid_until > now)
