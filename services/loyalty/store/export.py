"""What the tables hold of one member, for their archive."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.loyalty.store.approvals import approval
from services.loyalty.store.award_tables import award, merge, progress, referral, referral_code
from services.loyalty.store.tables import (
    adjustment,
    device,
    expiry_notice,
    lot,
    opening_lot,
    qualifying_spend,
    receipt,
    spend,
    tier_change,
    tier_notice,
)
from shared.db import Tx, bulk

ROWS_AT_ONCE = 500
LISTS: Mapping[str, sa.Table] = {
    "lots": lot,
    "opening_lots": opening_lot,
    "receipts": receipt,
    "spend_by_year": qualifying_spend,
    "holds": spend,
    "adjustments": adjustment,
    "approvals": approval,
    "challenges": progress,
    "awards": award,
    "referrals": referral,
    "referral_codes": referral_code,
    "tiers": tier_change,
    "tier_notices": tier_notice,
    "devices": device,
    "merges": merge,
    "expiry_notices": expiry_notice,
}
"""Tables that go into the archive as they are, by the name of their file."""


async def freeze(tx: Tx) -> None:
    """Let all that follows in the transaction see one moment; it must be its first statement."""
    await tx.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))


async def stream_rows(
    tx: Tx, name: str, member_ids: Sequence[UUID]
) -> AsyncGenerator[Sequence[Mapping[str, Any]]]:
    """Yield those members' rows of ``LISTS[name]``, some at a time, in the order of its key."""
    table = LISTS[name]
    statement = (
        sa.select(table)
        .where(table.c.member_id == sa.any_(bulk.array(sa.Uuid(), member_ids)))
        .order_by(*table.primary_key.columns)
    )
    rows = await tx.stream(statement, execution_options={"yield_per": ROWS_AT_ONCE})
    async for part in rows.mappings().partitions():
        yield [dict(row) for row in part]
