"""What notify learns from others: members, how to reach them, what they agreed to."""

from collections.abc import Sequence

from services.notify.context import NotifyContext
from services.notify.store import consents, members, messages
from services.notify.store.consents import ConsentRow
from services.notify.store.members import ContactRow, MemberRow
from shared.contracts.interactions import ConsentGiven, ConsentWithdrawn, InteractionEvent
from shared.contracts.members import MemberChanged, MemberContactChanged
from shared.db import Tx


async def on_members(tx: Tx, events: Sequence[MemberChanged], context: NotifyContext) -> None:
    """Keep each member's newest state; what waited for a member is looked at again."""
    now = context.clock.now()
    newest: dict[object, MemberRow] = {}
    for event in sorted(events, key=lambda one: one.data.version):
        state = event.data
        newest[state.member_id] = MemberRow(
            state.member_id, state.version, state.status, state.locale, state.time_zone
        )
    await members.upsert_members(tx, list(newest.values()), now=now)
    if any(row.status == "erased" for row in newest.values()):
        await members.delete_erased(tx)
    await messages.wake(tx, [row.member_id for row in newest.values()], now=now)


async def on_contacts(
    tx: Tx, events: Sequence[MemberContactChanged], context: NotifyContext
) -> None:
    """Keep each member's newest contact details; tombstones never get here, erasure does."""
    newest: dict[object, ContactRow] = {}
    for event in sorted(events, key=lambda one: one.data.version):
        given = event.data
        newest[given.member_id] = ContactRow(
            member_id=given.member_id,
            version=given.version,
            name=given.name,
            email=given.email,
            phone=given.phone,
            locale=given.locale,
            time_zone=given.time_zone,
        )
    rows = list(newest.values())
    await members.upsert_contacts(tx, rows)
    await messages.wake(tx, [row.member_id for row in rows], now=context.clock.now())


async def on_interactions(
    tx: Tx, events: Sequence[InteractionEvent], context: NotifyContext
) -> None:
    """Append consents and withdrawals to the ledger, our own among them a second time in vain."""
    now = context.clock.now()
    rows = [
        ConsentRow(
            consent_id=event.id,
            member_id=event.data.member_id,
            purpose=event.data.purpose,
            channel=event.data.channel,
            decision="given" if isinstance(event, ConsentGiven) else "withdrawn",
            wording_id=event.data.evidence.wording_id,
            wording_version=event.data.evidence.wording_version,
            source=event.data.evidence.source,
            recorded_at=event.data.evidence.recorded_at,
            decided_at=min(event.data.evidence.recorded_at, now),
            received_at=now,
        )
        for event in events
        # Other interactions are not for us.
        if isinstance(event, ConsentGiven | ConsentWithdrawn)
    ]
    await consents.append_consents(tx, rows)
    await messages.wake(tx, [row.member_id for row in rows], now=now)
