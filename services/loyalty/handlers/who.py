"""Who the members are, as far as rules ask: the tier that they had at each sale, their birthday.

Nothing of it is read where no version of the programme has such rules.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain import occasions, tiers
from services.loyalty.domain.becoming import ReceiptState
from services.loyalty.domain.considered import Who
from services.loyalty.domain.held import Late
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.receipts import ReceiptEvent, ReceiptRevision
from services.loyalty.store import birthdays
from services.loyalty.store import tiers as store
from shared.db import Tx


async def read_histories(
    tx: Tx, late: Mapping[UUID, Late], programme: Programme
) -> dict[UUID, ReceiptState]:
    """Return the receipts that decide on the levels of those members, whose accounts are locked.

    With all that share a cap with one of them: periods of caps lie inside those of tiers.
    """
    if not late:
        return {}
    for member_id, sources in (await store.load_sources(tx, late.keys())).items():
        late[member_id].counting = sources
    since: dict[UUID, int] = {}
    for one in late.values():
        first = tiers.first_relevant(programme.ladder, one.since)
        for source in one.counting:
            since[source] = min(first, since.get(source, first))
    return await store.load_histories(tx, since, programme)


async def read_birth_dates(
    tx: Tx, events: Sequence[ReceiptEvent], programme: Programme
) -> dict[UUID, date]:
    """Return the birth dates that the receipts of a batch ask for, as far as they are known."""
    asking = {
        event.data.member_id
        for event in events
        if event.data.member_id is not None
        and (version := programme.in_force(event.data.occurred_at)) is not None
        and version.lookups.of_birthdays
    }
    return await birthdays.load_birth_dates(tx, asking) if asking else {}


async def look_at(context: LoyaltyContext, receipts: Sequence[ReceiptRevision]) -> dict[UUID, Who]:
    """Return by receipt who bought: with the tier that was announced by then, for a back-test."""
    bought = {one.receipt_id: (one.member_id, one.occurred_at) for one in receipts if one.member_id}
    if not bought:
        return {}
    zone = context.programme.time_zone
    async with context.db.transaction() as tx:
        had = await store.load_announced(tx, bought)
        born = await birthdays.load_birth_dates(tx, {one for one, _ in bought.values()})
    return {
        key: Who(
            had.get(key) or "",
            occasions.birthday(born.get(member_id), at.astimezone(zone).date()),
        )
        for key, (member_id, at) in bought.items()
    }
