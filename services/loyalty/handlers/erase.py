"""Sever a member from the person: who it was goes, the numbers stay."""

from dataclasses import replace
from uuid import UUID

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain.members import Member, Profile
from services.loyalty.handlers import enrol, member_events
from services.loyalty.store import adjustments, members, merges
from shared.db import Tx, outbox
from shared.db.outbox import Outgoing
from shared.errors import Refused, Unavailable


async def erase(tx: Tx, member_id: UUID, context: LoyaltyContext) -> tuple[Member, bool]:
    """Erase a member and return what is left, with whether it had been done before.

    Name, contacts, birth date, external id, identifiers and devices are deleted; ledger, receipts
    and tier stay under an id that leads to nobody. The state ``erased`` and the end of the contact
    details are announced in the same transaction, and the other services delete what they have.
    The person may enrol again with the same card: as somebody new. Members who were merged into
    this one are the same person, and erased with it; one of them alone is refused (409).
    """
    merged = await merges.list_merged(tx, member_id)
    found = await members.lock_all(tx, {member_id, *merged})
    member = found.get(member_id)
    if member is None:
        raise Refused("member_unknown", "There is no such member.", status=404)
    if member.status == "erased":
        return member, True
    enrol.active(member)
    if await merges.list_merged(tx, member_id) != merged:
        raise Unavailable("merge_race", "Somebody is being merged into this member.")
    erased = [await _sever(tx, one, context) for one in found.values() if one.status != "erased"]
    return next(one for one in erased if one.member_id == member_id), False


async def _sever(tx: Tx, member: Member, context: LoyaltyContext) -> Member:
    erased = replace(
        member,
        status="erased",
        merged_into=None,
        version=member.version + 1,
        profile=Profile(),
        external_id=None,
        request_sha256=b"",
    )
    await members.erase(tx, erased)
    await adjustments.erase_notes(tx, member.member_id)
    await outbox.append(
        tx,
        [
            member_events.state(erased, (), at=context.clock.now()),
            # A tombstone: compaction forgets the details from the log, too.
            Outgoing("member-contacts", str(member.member_id)),
        ],
    )
    return erased
