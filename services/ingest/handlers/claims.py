"""Give a receipt to whoever shows its token: once."""

import hashlib
from datetime import timedelta
from uuid import UUID

import pydantic_core

from services.ingest import domain
from services.ingest.context import IngestContext
from services.ingest.domain import Change
from services.ingest.handlers import revisions
from services.ingest.store import changes, members, receipts
from services.ingest.store.receipts import Claimable
from shared.db import Tx, outbox
from shared.errors import Refused

UNKNOWN = "claim_unknown"


async def claim(
    tx: Tx, token: str, who: domain.Identifier, context: IngestContext
) -> domain.Outcome:
    """Attribute the receipt of ``token`` to its claimant, unless somebody has it already.

    The same member again gets the first answer. Raises ``Refused``: 404 for a member or token
    that is not known, or too old; 409 for a receipt that is another's or not accepted. The
    receipt's row is locked before its owner is read, so a claim and an enrolment, or two
    claims, take turns.
    """
    member_id = (await members.load_by_identifier(tx, {who.hmac})).get(who.hmac)
    if member_id is None:
        raise Refused("member_unknown", "There is no such member (yet).", status=404)
    sold = await receipts.load_claimable(tx, hashlib.sha256(token.encode()).digest())
    if sold is None:
        raise _unknown()
    current = (await receipts.lock_receipts(tx, [sold.receipt_id])).get(sold.receipt_id)
    if current is None:
        detail = "This receipt came late: it can be claimed once the shop has accepted it."
        raise Refused("receipt_in_review", detail, status=409)
    owner = await _owner(tx, current.member_id)
    claimed = await changes.load(tx, domain.claim_id(sold.receipt_id))
    if owner == member_id and claimed is not None:
        changed = claimed.state != "unchanged"
        return domain.Outcome("replayed", claimed.change.change_id, changed=changed)
    now = context.clock.now()
    if sold.received_at < now - timedelta(days=context.settings.claim_window_days):
        raise _unknown()
    if owner not in {None, member_id}:
        raise Refused("already_claimed", "This receipt belongs to a member already.", status=409)
    change = _change(sold, member_id, context)
    if owner == member_id:  # By its identifier, before the token was shown.
        await changes.insert(tx, change, state="unchanged")
        return domain.Outcome("accepted", change.change_id, changed=False)
    after, event = revisions.attribute(current, member_id, at=now)
    await receipts.update_states(tx, [after])
    await changes.insert(tx, change, state="applied")
    published = event.event.id if event.event else None
    await changes.settle(tx, change.change_id, "applied", published_event_id=published)
    await outbox.append(tx, [event])
    return domain.Outcome("accepted", change.change_id)


async def _owner(tx: Tx, member_id: UUID | None) -> UUID | None:
    """Return who has the receipt now: whoever is left of a merge."""
    if member_id is None:
        return None
    return (await members.load_survivors(tx, [member_id]))[member_id]


def _change(sold: Claimable, member_id: UUID, context: IngestContext) -> Change:
    facts = pydantic_core.to_json({"member_id": member_id})
    now = context.clock.now()
    return Change(
        change_id=domain.claim_id(sold.receipt_id),
        kind="claim",
        sale_id=sold.receipt_id,
        amendment=0,
        body_sha256=domain.canonical_hash(facts, occurred_at=now),
        store_id=sold.store_id,
        terminal_id=sold.terminal_id,
        terminal_seq=None,
        occurred_at=now,
        received_at=now,
        facts=facts.decode(),
    )


def _unknown() -> Refused:
    # Never seen, mistyped or too old: the answer does not tell which.
    code, detail = "claim_unknown", "There is no receipt to claim with this token."
    return Refused(code, detail, status=404)
