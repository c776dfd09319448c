"""Record purchases: many at once, each exactly once, whatever comes twice."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pydantic_core

from services.ingest import domain
from services.ingest.handlers import changes, revisions
from services.ingest.store import locks, members, receipts, reviews
from services.ingest.store.receipts import NewReceipt, Recorded
from shared.db import Tx, outbox
from shared.db.outbox import Outgoing


async def record(
    tx: Tx,
    sales: Sequence[domain.Sale],
    *,
    claim_key: bytes,
    review_after: timedelta = domain.REVIEW_AFTER,
) -> list[domain.Outcome]:
    """Record ``sales`` in one transaction and say what became of each, in their order.

    New ones are stored and announced, together with the changes that waited for them. One that
    is there already (or comes twice in ``sales``) is answered as the first time if its body is
    the same, and is a conflict otherwise. One that came ``review_after`` or more after the sale
    is stored, and announced when it is accepted.
    """
    first: dict[UUID, domain.Sale] = {}
    for sale in sales:
        first.setdefault(sale.receipt_id, sale)
    ordered = [first[receipt_id] for receipt_id in sorted(first)]
    await locks.share(tx, _slots(ordered))
    hmacs = {sale.identifier.hmac for sale in ordered if sale.identifier}
    owners = await members.load_by_identifier(tx, hmacs)

    drafts = [_draft(sale, owners, claim_key) for sale in ordered]
    new = await receipts.insert_receipts(tx, [draft.row for draft in drafts])
    inserted = {one.row.receipt_id: one for one in drafts if one.row.receipt_id in new}
    late = [one for one in new if first[one].needs_review(review_after)]
    if late:
        await reviews.insert_reviews(tx, {one: first[one].received_at for one in late})
    announced = {one: inserted[one] for one in inserted if one not in late}
    events = [draft.event for draft in announced.values()]
    if any(new.values()):
        events += await changes.release(tx, {one: draft.row for one, draft in announced.items()})
    await outbox.append(tx, events)
    return await _outcomes(tx, sales, inserted, claim_key=claim_key)


@dataclass(frozen=True, slots=True)
class _Draft:
    """What recording a sale would write, and the token it would be answered with."""

    row: NewReceipt
    event: Outgoing
    claim_token: str | None


def _slots(sales: Iterable[domain.Sale]) -> set[int]:
    slots = {locks.receipt_slot(sale.receipt_id) for sale in sales}
    slots |= {locks.identifier_slot(sale.identifier.hmac) for sale in sales if sale.identifier}
    return slots


def _draft(sale: domain.Sale, owners: Mapping[str, UUID], claim_key: bytes) -> _Draft:
    who = sale.identifier
    member_id = owners.get(who.hmac) if who else None
    state, event = revisions.record(sale, member_id)
    token = None if member_id else domain.claim_token(claim_key, sale.receipt_id)
    row = NewReceipt(
        receipt_id=sale.receipt_id,
        event_id=sale.event_id,
        body_sha256=sale.body_sha256,
        store_id=sale.key.store_id,
        terminal_id=sale.key.terminal_id,
        terminal_seq=sale.terminal_seq,
        occurred_at=sale.occurred_at,
        received_at=sale.received_at,
        identified_by=who.kind if who else None,
        identifier_hmac=bytes.fromhex(who.hmac) if who else None,
        claim_sha256=hashlib.sha256(token.encode()).digest() if token else None,
        member_id=member_id,
        recorded=state.decode(),
    )
    return _Draft(row, event, token)


async def _outcomes(
    tx: Tx,
    sales: Sequence[domain.Sale],
    inserted: Mapping[UUID, _Draft],
    *,
    claim_key: bytes,
) -> list[domain.Outcome]:
    """Answer in the order of ``sales``; of equal ones the first was the new one."""
    fresh = dict(inserted)
    outcomes: list[domain.Outcome | None] = []
    for sale in sales:
        draft = fresh.pop(sale.receipt_id, None)
        outcomes.append(
            domain.Outcome("accepted", sale.event_id, draft.claim_token) if draft else None
        )
    repeats = [sale for sale, outcome in zip(sales, outcomes, strict=True) if outcome is None]
    answers = iter(await _repeated(tx, repeats, claim_key) if repeats else [])
    return [outcome or next(answers) for outcome in outcomes]


async def _repeated(
    tx: Tx, repeats: Sequence[domain.Sale], claim_key: bytes
) -> list[domain.Outcome]:
    known = await receipts.load_known(tx, {sale.receipt_id for sale in repeats})
    others = {
        sale.receipt_id
        for sale in repeats
        if known[sale.receipt_id].body_sha256 != sale.body_sha256
    }
    recorded = await receipts.load_recorded(tx, others) if others else {}
    outcomes: list[domain.Outcome] = []
    for sale in repeats:
        stored = known[sale.receipt_id]
        if stored.body_sha256 == sale.body_sha256:
            token = domain.claim_token(claim_key, sale.receipt_id) if stored.has_claim else None
            outcomes.append(domain.Outcome("replayed", stored.event_id, token))
        else:
            fields = _differing(recorded[sale.receipt_id], sale)
            outcomes.append(domain.Outcome("conflict", stored.event_id, fields=fields))
    return outcomes


def _differing(recorded: Recorded, sale: domain.Sale) -> tuple[str, ...]:
    sent = pydantic_core.from_json(sale.facts)
    stored = pydantic_core.from_json(recorded.state)
    # A field that says the usual is left out, in one body or in both.
    names = {"fulfilment", *sent}
    fields = domain.differing({name: stored[name] for name in stored if name in names}, sent)
    if recorded.occurred_at != sale.occurred_at:
        fields.append("occurred_at")
    if recorded.terminal_seq != sale.terminal_seq:
        fields.append("terminal_seq")
    who = sale.identifier
    hmac = bytes.fromhex(who.hmac) if who else None
    if (recorded.identified_by, recorded.identifier_hmac) != (who.kind if who else None, hmac):
        fields.append("member")
    return domain.as_sent(fields)
