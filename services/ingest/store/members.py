"""The identity index: which member a hashed identifier belongs to."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from services.ingest.store import tables
from shared.db import Tx, bulk

member = tables.member
member_identifier = tables.member_identifier


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A member's current state, as far as ingest needs it."""

    member_id: UUID
    version: int
    status: str
    merged_into: UUID | None
    changed_at: datetime
    hmacs: tuple[str, ...]


# The latest link counts; a merged member's receipts go to the one it was merged into.
_LOOKUP = """
    SELECT DISTINCT ON (link.identifier_hmac) link.identifier_hmac,
        CASE WHEN member.status = 'merged' THEN member.merged_into ELSE member.member_id END
    FROM member_identifier AS link JOIN member USING (member_id)
    WHERE link.identifier_hmac = ANY($1::bytea[]) AND member.status <> 'erased'
    ORDER BY link.identifier_hmac, link.linked_at DESC, link.member_id
"""


async def load_by_identifier(tx: Tx, hmacs: Collection[str]) -> dict[str, UUID]:
    """Return the member of each identifier that has one."""
    if not hmacs:
        return {}
    connection = await bulk.driver(tx)
    records = await connection.fetch(_LOOKUP, [bytes.fromhex(one) for one in hmacs])
    return {record[0].hex(): record[1] for record in records if record[1] is not None}


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
        )
        .limit(limit)
    )
    return [one.hex() for one in await tx.scalars(query)]
