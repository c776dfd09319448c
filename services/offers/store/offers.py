"""Wallets, and the receipts that claim an offer."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.offers.domain.redeeming import Claim
from services.offers.domain.terms import OfferTerms
from services.offers.store.tables import Row, offer, offer_claim
from shared.db import Tx, bulk

_TERMS = (
    "offer_id", "member_id", "campaign", "title", "sku", "category", "percent", "amount_minor",
    "currency", "margin_floor_percent", "valid_from", "valid_until", "state",
)  # fmt: skip


def terms_of(row: Row) -> OfferTerms:
    """Return the terms that a row of ``offer`` holds."""
    return OfferTerms(**{name: row[name] for name in _TERMS})


async def insert_offers(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> set[UUID]:
    """Insert offers whose slot is still free; return the ids of those inserted."""
    if not rows:
        return set()
    names = list(rows[0])
    source = bulk.unnest(
        "n", {name: (offer.c[name].type, [row[name] for row in rows]) for name in names}
    )
    statement = insert(offer).from_select(names, sa.select(*source.c)).on_conflict_do_nothing()
    return set((await tx.scalars(statement.returning(offer.c.offer_id))).all())


async def list_wallet(
    tx: Tx, member_id: UUID, *, since: datetime, after: tuple[datetime, UUID] | None, limit: int
) -> list[Row]:
    """Return a member's offers valid until ``since`` or later; what ends first comes first."""
    position = sa.tuple_(offer.c.valid_until, offer.c.offer_id)
    query = (
        sa.select(offer)
        .where(offer.c.member_id == member_id, offer.c.valid_until >= since)
        .order_by(offer.c.valid_until, offer.c.offer_id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(position > sa.tuple_(sa.literal(after[0]), sa.literal(after[1])))
    return list((await tx.execute(query)).mappings().all())


async def lock_offers(tx: Tx, offer_ids: Sequence[UUID]) -> dict[UUID, Row]:
    """Lock the offers that exist, in the order of their ids, and return their rows."""
    found = await tx.execute(
        sa.select(offer)
        .where(offer.c.offer_id == sa.any_(bulk.array(sa.Uuid(), offer_ids)))
        .order_by(offer.c.offer_id)
        .with_for_update()
    )
    return {row["offer_id"]: row for row in found.mappings()}


async def upsert_claims(tx: Tx, claims: Sequence[Claim]) -> None:
    """Write claims at their receipts' newest revision. Lock the offers first."""
    if not claims:
        return
    names = ("offer_id", "receipt_id", "member_id", "occurred_at", "outcome", "discount_minor")
    source = bulk.unnest(
        "n",
        {
            name: (offer_claim.c[name].type, [getattr(claim, name) for claim in claims])
            for name in names
        },
    )
    statement = insert(offer_claim).from_select(names, sa.select(*source.c))
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=list(offer_claim.primary_key),
            set_={name: statement.excluded[name] for name in names[2:]},
        )
    )


async def list_effective_claims(tx: Tx, offer_ids: Sequence[UUID]) -> list[Claim]:
    """Return the claims that could use one of these offers up."""
    found = await tx.execute(
        sa.select(offer_claim).where(
            offer_claim.c.offer_id == sa.any_(bulk.array(sa.Uuid(), offer_ids)),
            offer_claim.c.outcome == "effective",
        )
    )
    return [Claim(**row) for row in found.mappings()]


async def update_redemptions(tx: Tx, winners: Mapping[UUID, Claim | None]) -> None:
    """Set which claim uses each of these offers up; None gives the offer back."""
    ids = sorted(winners)
    claims = [winners[offer_id] for offer_id in ids]
    source = bulk.unnest(
        "w",
        {
            "offer_id": (sa.Uuid(), ids),
            "receipt_id": (sa.Uuid(), [claim and claim.receipt_id for claim in claims]),
            "at": (
                sa.DateTime(timezone=True),
                [claim and claim.occurred_at for claim in claims],
            ),
            "discount_minor": (
                sa.BigInteger(),
                [claim.discount_minor if claim else None for claim in claims],
            ),
        },
    )
    used = source.c.receipt_id.is_not(None)
    await tx.execute(
        offer.update()
        .values(
            state=sa.case((used, "redeemed"), else_="issued"),
            version=offer.c.version
            + sa.case((offer.c.redeemed_by.is_distinct_from(source.c.receipt_id), 1), else_=0),
            redeemed_by=source.c.receipt_id,
            redeemed_at=source.c.at,
            discount_minor=source.c.discount_minor,
        )
        .where(offer.c.offer_id == source.c.offer_id)
    )
