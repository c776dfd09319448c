"""Where a phone number without its country code was dialled."""

from services.ingest.api import bodies
from services.ingest.context import IngestContext
from services.ingest.store import catalogue


async def of(body: bodies.Purchase, context: IngestContext) -> str | None:
    """Return the store's country where the body's phone number needs it; else None."""
    if body.member is None or body.member.phone is None or "+" in body.member.phone:
        return None
    async with context.db.transaction() as tx:
        return await catalogue.load_country(tx, body.store_id)
