"""Accept or reject receipts that came too late for a rule to decide."""

import dataclasses
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from services.ingest.context import IngestContext
from services.ingest.handlers import changes, members, revisions
from services.ingest.store import locks
from services.ingest.store import members as member_store
from services.ingest.store import reviews as store
from services.ingest.store.reviews import Review
from shared.contracts import purchases
from shared.db import Tx, outbox
from shared.errors import Refused

Verdict = Literal["accepted", "rejected"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decided, and why."""

    verdict: Verdict
    by: str
    """The id of the key that was used."""
    note: str


async def decide(tx: Tx, receipt_id: UUID, decision: Decision, context: IngestContext) -> Review:
    """Decide on a receipt, once and for ever; the same decision again changes nothing.

    An accepted receipt is announced as if it had come now: with its member, and with what waited
    for it. Raises ``Refused``: 404 for no review, 409 for one that was decided otherwise.
    """
    known = await store.load_review(tx, receipt_id)
    if known is None:
        raise Refused("review_not_found", "No receipt with this id was reviewed.", status=404)
    hmacs = [known.identifier_hmac.hex()] if known.identifier_hmac else []
    # As for a receipt that is recorded: what looks for it, and who its member is.
    slots = {locks.receipt_slot(receipt_id), *map(locks.identifier_slot, hmacs)}
    await locks.exclude(tx, slots)
    review = await store.load_review(tx, receipt_id, lock=True) or known
    if review.state == decision.verdict:
        return review
    if review.state != "pending":
        raise Refused(
            "review_decided", f"It was {review.state} already.", status=409, state=review.state
        )
    decided = dataclasses.replace(
        review,
        state=decision.verdict,
        decided_at=context.clock.now(),
        decided_by=decision.by,
        note=decision.note,
    )
    await store.update_review(tx, decided)
    if decision.verdict == "accepted":
        await _announce(tx, review)
        await members.sweep(tx, hmacs, context)
        await changes.sweep(tx, [receipt_id])
    return decided


async def _announce(tx: Tx, review: Review) -> None:
    recorded = purchases.Receipt.model_validate_json(review.recorded)
    owner = recorded.member_id
    if owner:
        owner = (await member_store.load_survivors(tx, [owner]))[owner]
    receipt = recorded.model_copy(update={"member_id": owner})
    await outbox.append(tx, [revisions.recorded_late(receipt)])
