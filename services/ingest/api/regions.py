"""Where a phone number without its country code was dialled."""

from services.ingest.api import bodies
from services.ingest.context import IngestContext
from services.ingest.store import catalogue


async def of(body: bodies.Purchase, context: IngestContext) -> str | None:
    """Return the store's country where the body's phone number needs it; else None."""
    return await of_member(body.member, body.store_id, context) if body.member else None


async def of_member(
    member: bodies.MemberReference, store_id: str | None, context: IngestContext
) -> str | None:
    """Return the country of ``store_id`` where the member's phone number needs it; else None."""
    if member.phone is None or "+" in member.phone or store_id is None:
        return None
    async with context.db.transaction() as tx:
        return await catalogue.load_country(tx, store_id)
