"""Record interactions: many at once, each once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from services.ingest.context import IngestContext
from services.ingest.domain import Identifier
from services.ingest.handlers.revisions import SOURCE
from services.ingest.store import interactions as store
from services.ingest.store import locks, members
from shared import ids
from shared.contracts.interactions import Interaction, InteractionRecorded
from shared.db import Tx, outbox, run_unit
from shared.db.outbox import Outgoing

TOPIC = "interactions"
KNOWN_FOR = timedelta(days=90)
"""How long a repeat is known as one; a later one has the same event id at least."""

Outcome = Literal["accepted", "replayed", "conflict"]


@dataclass(frozen=True, slots=True)
class Reported:
    """One interaction as it was reported; ``body_sha256`` is over all that was said."""

    interaction_id: UUID
    kind: str
    occurred_at: datetime
    identifier: Identifier | None
    store_id: str | None
    reference: str | None
    properties: Mapping[str, bool | int | str]
    body_sha256: bytes


async def record(tx: Tx, reported: Sequence[Reported], context: IngestContext) -> list[Outcome]:
    """Announce what is new and say what became of each, in their order."""
    first: dict[UUID, Reported] = {}
    for one in reported:
        first.setdefault(one.interaction_id, one)
    hmacs = {one.identifier.hmac for one in first.values() if one.identifier}
    await locks.share(tx, [locks.identifier_slot(one) for one in hmacs])
    owners = await members.load_by_identifier(tx, hmacs)
    now = context.clock.now()
    hashes = {each: one.body_sha256 for each, one in first.items()}
    new = await store.insert_interactions(tx, hashes, received_at=now)
    await outbox.append(
        tx,
        [_announced(one, owners, received_at=now) for each, one in first.items() if each in new],
    )
    known = hashes | await store.load_hashes(tx, first.keys() - new)
    outcomes: list[Outcome] = []
    for one in reported:
        same = known[one.interaction_id] == one.body_sha256
        fresh = one.interaction_id in new and first[one.interaction_id] is one
        outcomes.append("accepted" if fresh else "replayed" if same else "conflict")
    return outcomes


def _announced(one: Reported, owners: Mapping[str, UUID], *, received_at: datetime) -> Outgoing:
    member_id = owners.get(one.identifier.hmac) if one.identifier else None
    event = InteractionRecorded(
        id=ids.derived_id(one.interaction_id, "interaction.recorded.v1"),
        source=SOURCE,
        time=one.occurred_at,
        subject=str(member_id) if member_id else None,
        data=Interaction(
            interaction_id=one.interaction_id,
            kind=one.kind,
            member_id=member_id,
            occurred_at=one.occurred_at,
            received_at=received_at,
            store_id=one.store_id,
            reference=one.reference,
            properties=one.properties or None,
        ),
    )
    return Outgoing(TOPIC, str(member_id or event.id), event)


async def purge(context: IngestContext) -> int:
    """Forget interactions that nobody repeats any more; return how many."""
    before = context.clock.now() - KNOWN_FOR
    total = 0
    while gone := await run_unit(context.db, lambda tx: store.purge(tx, before=before)):
        total += gone
    return total
