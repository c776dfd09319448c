"""The identity index: which member a hashed identifier belongs to."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from services.ingest.store import reviews, tables
from shared.db import Tx, bulk

member = tables.member
member_identifier = tables.member_identifier
MERGES_MAX = 16


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A member's current state, as far as ingest needs it."""

    member_id: UUID
    version: int
    status: str
    merged_into: UUID | None
    changed_at: datetime
    hmacs: tuple[str, ...]


# The latest link counts.
_LOOKUP = """
    SELECT DISTINCT ON (link.identifier_hmac) link.identifier_hmac, member.member_id,
        member.status = 'merged'
    FROM member_identifier AS link JOIN member USING (member_id)
    WHERE link.identifier_hmac = ANY($1::bytea[]) AND member.status <> 'erased'
    ORDER BY link.identifier_hmac, link.linked_at DESC, link.member_id
"""
# From merge to merge, to the one who is left; the depth ends a circle that should not be.
_SURVIVORS = """
    WITH RECURSIVE line AS (
        SELECT one AS origin, one AS member_id, 0 AS depth FROM unnest($1::uuid[]) AS one
        UNION ALL
        SELECT line.origin, member.merged_into, line.depth + 1
        FROM line JOIN member USING (member_id)
        WHERE member.status = 'merged' AND merged_into IS NOT NULL AND line.depth < $2
    )
    SELECT DISTINCT ON (line.origin) line.origin, line.member_id, member.status
    FROM line LEFT JOIN member USING (member_id)
    ORDER BY line.origin, line.depth DESC
"""


async def load_by_identifier(tx: Tx, hmacs: Collection[str]) -> dict[str, UUID]:
    """Return the member of each identifier that has one: whoever is left of a merge."""
    if not hmacs:
        return {}
    connection = await bulk.driver(tx)
    records = await connection.fetch(_LOOKUP, [bytes.fromhex(one) for one in hmacs])
    owners = {record[0].hex(): record[1] for record in records}
    merged = {record[1] for record in records if record[2]}
    if not merged:
        return owners
    survivors = {
        origin: member_id
        for origin, member_id, status in await connection.fetch(
            _SURVIVORS, list(merged), MERGES_MAX
        )
        if status != "erased"
    }
    return {
        hmac: survivors.get(owner, owner)
        for hmac, owner in owners.items()
        if owner not in merged or owner in survivors
    }


async def load_survivors(tx: Tx, member_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Return whom each of these members has become by merges; mostly themselves."""
    if not member_ids:
        return {}
    connection = await bulk.driver(tx)
    records = await connection.fetch(_SURVIVORS, list(member_ids), MERGES_MAX)
    return {origin: member_id for origin, member_id, _ in records}


async def upsert_members(tx: Tx, rows: Sequence[MemberRow]) -> set[UUID]:
    """Store members whose version is newer than ours; return which ones were."""
    new = bulk.unnest(
        "new",
        {
            "member_id": (sa.Uuid(), [row.member_id for row in rows]),
            "version": (sa.BigInteger(), [row.version for row in rows]),
            "status": (sa.Text(), [row.status for row in rows]),
            "merged_into": (sa.Uuid(), [row.merged_into for row in rows]),
        },
    )
    columns = [member.c.member_id, member.c.version, member.c.status, member.c.merged_into]
    insert = postgresql.insert(member).from_select(columns, sa.select(new))
    statement = insert.on_conflict_do_update(
        index_elements=[member.c.member_id],
        set_={
            "version": insert.excluded.version,
            "status": insert.excluded.status,
            "merged_into": insert.excluded.merged_into,
        },
        where=member.c.version < insert.excluded.version,
    ).returning(member.c.member_id)
    return set(await tx.scalars(statement))


async def replace_identifiers(tx: Tx, rows: Sequence[MemberRow]) -> None:
    """Make the identifiers of these members exactly the ones given."""
    await tx.execute(
        member_identifier.delete().where(
            member_identifier.c.member_id.in_([row.member_id for row in rows])
        )
    )
    links = [
        (bytes.fromhex(hmac), row.member_id, row.changed_at) for row in rows for hmac in row.hmacs
    ]
    if links:
        await bulk.copy_rows(
            tx, member_identifier, ("identifier_hmac", "member_id", "linked_at"), links
        )


async def load_identifiers(tx: Tx, member_ids: Collection[UUID]) -> list[str]:
    """Return all identifiers (hex) of these members."""
    if not member_ids:
        return []
    owners = bulk.array(sa.Uuid(), list(member_ids))
    query = sa.select(member_identifier.c.identifier_hmac).where(
        member_identifier.c.member_id == sa.any_(owners)
    )
    return [one.hex() for one in await tx.scalars(query)]


async def load_stranded_identifiers(tx: Tx, *, since: datetime, limit: int) -> list[str]:
    """Return identifiers that have a member and still a receipt without one."""
    receipt = tables.receipt
    query = (
        sa.select(receipt.c.identifier_hmac)
        .distinct()
        .join(
            member_identifier,
            member_identifier.c.identifier_hmac == receipt.c.identifier_hmac,
        )
        .join(member, member.c.member_id == member_identifier.c.member_id)
        .where(
            receipt.c.member_id.is_(None),
            receipt.c.identifier_hmac.is_not(None),
            receipt.c.received_at >= since,
            member.c.status != "erased",
            reviews.is_clear(receipt),
        )
        .limit(limit)
    )
    return [one.hex() for one in await tx.scalars(query)]
