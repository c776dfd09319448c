"""Keep the identity index, and give receipts that waited for a member to that member."""

from collections.abc import Collection, Sequence
from datetime import timedelta

from services.ingest.context import IngestContext
from services.ingest.handlers import enrolments, revisions
from services.ingest.store import locks, members, receipts
from services.ingest.store.members import MemberRow
from shared import identity
from shared.contracts.members import MemberChanged
from shared.db import Tx, outbox

RECEIPTS_MAX = 2_000
"""Most receipts one batch attributes; the sweeper takes what is beyond."""


async def on_members(tx: Tx, events: Sequence[MemberChanged], context: IngestContext) -> None:
    """Store who the members are now; attribute the receipts that their identifiers explain."""
    newest: dict[object, MemberChanged] = {}
    for event in events:
        known = newest.get(event.data.member_id)
        if known is None or known.data.version < event.data.version:
            newest[event.data.member_id] = event
    rows = [_row(newest[one], context.identity_key) for one in sorted(newest, key=str)]
    hmacs = {hmac for row in rows for hmac in row.hmacs}
    # Before anything is read: a receipt with one of these identifiers may be on its way.
    await locks.exclude(tx, [locks.identifier_slot(hmac) for hmac in hmacs])
    accepted = await members.upsert_members(tx, rows)
    current = [row for row in rows if row.member_id in accepted]
    erased = [row.member_id for row in current if row.status == "erased"]
    had = await members.load_identifiers(tx, erased)
    await enrolments.forget(tx, erased, had, context)
    await members.replace_identifiers(tx, current)
    await _attribute(tx, {hmac for row in current for hmac in row.hmacs}, context)


async def sweep(tx: Tx, hmacs: Collection[str], context: IngestContext) -> int:
    """Attribute receipts that no event did; return how many."""
    await locks.exclude(tx, [locks.identifier_slot(hmac) for hmac in hmacs])
    return await _attribute(tx, hmacs, context)


async def _attribute(tx: Tx, hmacs: Collection[str], context: IngestContext) -> int:
    owners = await members.load_by_identifier(tx, hmacs)
    if not owners:
        return 0
    await enrolments.link(tx, owners, context)
    now = context.clock.now()
    since = now - timedelta(days=context.settings.claim_window_days)
    waiting = await receipts.lock_unmatched(tx, owners.keys(), since=since, limit=RECEIPTS_MAX)
    moved = [
        revisions.attribute(receipt, owners[receipt.identifier_hmac.hex()], at=now)
        for receipt in waiting
        if receipt.identifier_hmac is not None
    ]
    await receipts.update_states(tx, [after for after, _ in moved])
    await outbox.append(tx, [event for _, event in moved])
    return len(moved)


def _row(event: MemberChanged, identity_key: bytes) -> MemberRow:
    state = event.data
    # A till may name the member itself; that waits and matches like any other identifier.
    own = identity.identifier_hmac(identity_key, "member_id", str(state.member_id))
    listed = () if state.status == "erased" else (own, *(one.hmac for one in state.identifiers))
    return MemberRow(
        member_id=state.member_id,
        version=state.version,
        status=state.status,
        merged_into=state.merged_into,
        changed_at=event.time,
        hmacs=tuple(dict.fromkeys(listed)),
    )
