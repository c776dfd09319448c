"""Which interactions were taken in; their contents are on the topic."""

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.ingest.store.form_tables import interaction
from shared.db import Tx, bulk

CHUNK = 5_000


async def insert_interactions(
    tx: Tx, hashes: Mapping[UUID, bytes], *, received_at: datetime
) -> set[UUID]:
    """Note interactions by the hash of what they say; return those that were not there yet."""
    # Sorted, so that two uploads of the same wait for, not block, each other.
    ordered = sorted(hashes)
    rows = bulk.unnest(
        "new",
        {
            "interaction_id": (sa.Uuid(), ordered),
            "body_sha256": (sa.LargeBinary(), [hashes[one] for one in ordered]),
        },
    )
    statement = (
        insert(interaction)
        .from_select(
            ["interaction_id", "body_sha256", "received_at"],
            sa.select(
                rows.c.interaction_id,
                rows.c.body_sha256,
                sa.literal(received_at, sa.DateTime(timezone=True)),
            ),
        )
        .on_conflict_do_nothing()
        .returning(interaction.c.interaction_id)
    )
    return set(await tx.scalars(statement))


async def load_hashes(tx: Tx, interaction_ids: Collection[UUID]) -> dict[UUID, bytes]:
    """Return the hash of each that is there."""
    query = sa.select(interaction.c.interaction_id, interaction.c.body_sha256).where(
        interaction.c.interaction_id == sa.any_(bulk.array(sa.Uuid(), sorted(interaction_ids)))
    )
    return {row.interaction_id: row.body_sha256 for row in await tx.execute(query)}


async def purge(tx: Tx, *, before: datetime) -> int:
    """Forget at most 5,000 that were taken in before ``before``; return how many."""
    old = (
        sa.select(interaction.c.interaction_id)
        .where(interaction.c.received_at < before)
        .limit(CHUNK)
    )
    result = await tx.execute(interaction.delete().where(interaction.c.interaction_id.in_(old)))
    return result.rowcount
