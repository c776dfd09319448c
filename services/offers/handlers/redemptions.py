"""Which receipt uses which offer: desired minus posted, like everything that comes late."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from services.offers.context import SOURCE, OffersContext
from services.offers.domain import redeeming
from services.offers.domain.habits import Receipt
from services.offers.domain.redeeming import Claim, Sale
from services.offers.store import offers
from services.offers.store.tables import Row
from shared import ids
from shared.contracts import purchases
from shared.contracts.offers import OfferRedeemed, OfferRedemption, OfferRestored
from shared.db import Tx, outbox


async def settle(
    tx: Tx,
    moved: Sequence[tuple[Receipt | None, Receipt]],
    *,
    states: Mapping[UUID, purchases.Receipt],
    context: OffersContext,
) -> None:
    """Judge what receipts claim, and move each offer to the receipt that has it by rights.

    The earliest sale wins, whichever arrived first; a return that leaves nothing of what the
    offer was for passes the offer on to the next claim, or back to the wallet.
    """
    named = {offer_id for pair in moved for offer_id in _named(pair)}
    rows = await offers.lock_offers(tx, sorted(named))
    claims = [
        _claim(offer_id, rows.get(offer_id), new, states[new.receipt_id])
        for old, new in moved
        for offer_id in _named((old, new))
    ]
    # In the order of the table's key, as every batch writes.
    claims.sort(key=lambda claim: (claim.offer_id, claim.receipt_id))
    await offers.upsert_claims(tx, claims)
    by_offer: dict[UUID, list[Claim]] = {offer_id: [] for offer_id in rows}
    for claim in await offers.list_effective_claims(tx, sorted(rows)):
        by_offer[claim.offer_id].append(claim)
    winners = {offer_id: redeeming.winner(found) for offer_id, found in by_offer.items()}
    if winners:
        await offers.update_redemptions(tx, winners)
    messages = [
        message
        for offer_id, row in rows.items()
        for message in _announce(row, winners[offer_id], context)
    ]
    await outbox.append(tx, messages)


def _named(pair: tuple[Receipt | None, Receipt]) -> list[UUID]:
    old, new = pair
    return sorted({*new.offer_ids, *(old.offer_ids if old else ())})


def _claim(offer_id: UUID, row: Row | None, receipt: Receipt, state: purchases.Receipt) -> Claim:
    sale = Sale(
        receipt_id=receipt.receipt_id,
        member_id=receipt.member_id,
        occurred_at=state.occurred_at,
        currency=receipt.currency,
        clock_suspect=state.clock_suspect,
        lines=receipt.lines,
    )
    if offer_id not in receipt.offer_ids:
        # An amendment named the offer no longer.
        return Claim(offer_id, sale.receipt_id, sale.member_id, sale.occurred_at, "withdrawn")
    return redeeming.judge(offer_id, offers.terms_of(row) if row else None, sale)


def _announce(row: Row, winner: Claim | None, context: OffersContext) -> list[outbox.Outgoing]:
    """Return the events of one offer's change of hands: restored first, then redeemed."""
    before: UUID | None = row["redeemed_by"]
    after = winner.receipt_id if winner else None
    if before == after:
        return []
    version: int = row["version"] + 1
    key = str(row["member_id"])

    def facts(receipt_id: UUID, discount_minor: int) -> OfferRedemption:
        return OfferRedemption(
            offer_id=row["offer_id"],
            member_id=row["member_id"],
            campaign=row["campaign"],
            receipt_id=receipt_id,
            discount_minor=discount_minor,
            currency=row["currency"],
        )

    def event_id(event_type: str, receipt_id: UUID) -> UUID:
        return ids.derived_id(row["offer_id"], f"{event_type}:{receipt_id}", version)

    messages: list[outbox.Outgoing] = []
    if before is not None:
        restored = OfferRestored(
            id=event_id("offer.restored.v1", before),
            source=SOURCE,
            time=context.clock.now(),
            subject=key,
            data=facts(before, row["discount_minor"]),
        )
        messages.append(outbox.Outgoing("offers", key, restored))
    if winner is not None:
        redeemed = OfferRedeemed(
            id=event_id("offer.redeemed.v1", winner.receipt_id),
            source=SOURCE,
            time=winner.occurred_at,
            subject=key,
            data=facts(winner.receipt_id, winner.discount_minor),
        )
        messages.append(outbox.Outgoing("offers", key, redeemed))
    return messages
