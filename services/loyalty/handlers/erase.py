"""Sever a member from the person: who it was goes, the numbers stay."""

from dataclasses import replace
from uuid import UUID

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain.members import Member, Profile
from services.loyalty.handlers import announce
from services.loyalty.store import adjustments, members
from shared.db import Tx, outbox
from shared.db.outbox import Outgoing
from shared.errors import Refused


async def erase(tx: Tx, member_id: UUID, context: LoyaltyContext) -> tuple[Member, bool]:
    """Erase a member and return what is left, with whether it had been done before.

    Name, contacts, birth date, external id, identifiers and devices are deleted; ledger, receipts
    and tier stay under an id that leads to nobody. The state ``erased`` and the end of the contact
    details are announced in the same transaction, and the other services delete what they have.
    The person may enrol again with the same card: as somebody new.
    """
    member = await members.load(tx, member_id, lock=True)
    if member is None:
        raise Refused("member_unknown", "There is no such member.", status=404)
    if member.status == "erased":
        return member, True
    erased = replace(
        member,
        status="erased",
        version=member.version + 1,
        profile=Profile(),
        external_id=None,
        request_sha256=b"",
    )
    await members.erase(tx, erased)
    await adjustments.erase_notes(tx, member_id)
    key = str(member_id)
    await outbox.append(
        tx,
        [
            announce.state(erased, (), at=context.clock.now()),
            # A tombstone: compaction forgets the details from the log, too.
            Outgoing("member-contacts", key),
        ],
    )
    return erased, False
