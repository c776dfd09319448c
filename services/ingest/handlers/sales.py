"""Record purchases: many at once, each exactly once, whatever comes twice."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

import pydantic_core

from services.ingest import domain
from services.ingest.handlers import returns, revisions
from services.ingest.store import locks, members, receipts
from services.ingest.store.receipts import KnownReceipt, NewReceipt, Recorded
from shared.db import Tx, outbox
from shared.db.outbox import Outgoing


async def record(tx: Tx, sales: Sequence[domain.Sale], *, claim_key: bytes) -> list[domain.Outcome]:
    """Record ``sales`` in one transaction and say what became of each, in their order.

    New ones are stored and announced, together with the returns that waited for them. One that
    is there already (or comes twice in ``sales``) is answered as the first time if its body is
    the same, and is a conflict otherwise.
    """
    first: dict[UUID, domain.Sale] = {}
    for sale in sales:
        first.setdefault(sale.receipt_id, sale)
    ordered = [first[receipt_id] for receipt_id in sorted(first)]
    await locks.share(tx, _slots(ordered))
    hmacs = {sale.identifier.hmac for sale in ordered if sale.identifier}
    owners = await members.load_by_identifier(tx, hmacs)

    drafts = [_draft(sale, owners, claim_key) for sale in ordered]
    new_ids = await receipts.insert_receipts(tx, [row for row, _ in drafts])
    inserted = {row.receipt_id: row for row, _ in drafts if row.receipt_id in new_ids}
    announced = [event for row, event in drafts if row.receipt_id in new_ids]
    announced += await returns.release(tx, inserted)
    await outbox.append(tx, announced)
    return await _outcomes(tx, sales, inserted, claim_key=claim_key)


def _slots(sales: Iterable[domain.Sale]) -> set[int]:
    slots = {locks.receipt_slot(sale.receipt_id) for sale in sales}
    slots |= {locks.identifier_slot(sale.identifier.hmac) for sale in sales if sale.identifier}
    return slots


def _draft(
    sale: domain.Sale, owners: Mapping[str, UUID], claim_key: bytes
) -> tuple[NewReceipt, Outgoing]:
    who = sale.identifier
    member_id = owners.get(who.hmac) if who else None
    state, event = revisions.record(sale, member_id)
    claim = None if member_id else _claim_sha256(domain.claim_token(claim_key, sale.receipt_id))
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
        claim_sha256=claim,
        member_id=member_id,
        recorded=state.decode(),
    )
    return row, event


def _claim_sha256(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


async def _outcomes(
    tx: Tx,
    sales: Sequence[domain.Sale],
    inserted: Mapping[UUID, NewReceipt],
    *,
    claim_key: bytes,
) -> list[domain.Outcome]:
    known = {one: _known(row) for one, row in inserted.items()}
    if len(known) < len(sales):
        known |= await receipts.load_known(tx, {one.receipt_id for one in sales} - known.keys())
    differing = [one for one in sales if known[one.receipt_id].body_sha256 != one.body_sha256]
    recorded: Mapping[UUID, Recorded] = {}
    if differing:
        recorded = await receipts.load_recorded(tx, {one.receipt_id for one in differing})

    fresh = set(inserted)
    outcomes: list[domain.Outcome] = []
    for sale in sales:
        stored = known[sale.receipt_id]
        if stored.body_sha256 != sale.body_sha256:
            fields = _differing(recorded[sale.receipt_id], sale)
            outcomes.append(domain.Outcome("conflict", stored.event_id, fields=fields))
            continue
        kind: domain.OutcomeKind = "accepted" if sale.receipt_id in fresh else "replayed"
        fresh.discard(sale.receipt_id)
        outcomes.append(domain.Outcome(kind, stored.event_id, _claim(stored, claim_key)))
    return outcomes


def _known(row: NewReceipt) -> KnownReceipt:
    return KnownReceipt(row.receipt_id, row.event_id, row.body_sha256, row.claim_sha256 is not None)


def _claim(stored: KnownReceipt, claim_key: bytes) -> str | None:
    return domain.claim_token(claim_key, stored.receipt_id) if stored.has_claim else None


def _differing(recorded: Recorded, sale: domain.Sale) -> tuple[str, ...]:
    sent = pydantic_core.from_json(sale.facts)
    stored = pydantic_core.from_json(recorded.state)
    fields = domain.differing({name: stored[name] for name in sent}, sent)
    if recorded.occurred_at != sale.occurred_at:
        fields.append("occurred_at")
    if recorded.terminal_seq != sale.terminal_seq:
        fields.append("terminal_seq")
    who = sale.identifier
    hmac = bytes.fromhex(who.hmac) if who else None
    if (recorded.identified_by, recorded.identifier_hmac) != (who.kind if who else None, hmac):
        fields.append("member")
    return domain.as_sent(fields)
