"""A member's wallet, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from services.offers.context import OffersContext
from services.offers.handlers import profiles
from services.offers.store import offers
from services.offers.store.tables import Row
from shared.db import Tx

Position = tuple[datetime, UUID]
"""Where a page of the wallet ends: the offer's end and its id."""

EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Slice:
    """Which part of a wallet; ``past`` adds the offers that have ended."""

    past: bool
    after: Position | None
    limit: int


async def list_offers(
    tx: Tx, member_id: UUID, part: Slice, *, context: OffersContext
) -> Sequence[Row]:
    """Return a part of a wallet; what ends first comes first."""
    since = EVER if part.past else context.clock.now()
    rows = await offers.list_wallet(tx, member_id, since=since, after=part.after, limit=part.limit)
    await profiles.require_member(tx, member_id, known=bool(rows))
    return rows
