"""Receipts become habits, and use up offers."""

from collections.abc import Sequence
from uuid import UUID

from services.offers.context import OffersContext
from services.offers.domain import habits
from services.offers.domain.habits import Line
from services.offers.handlers import redemptions
from services.offers.store import profiles
from shared.contracts import purchases
from shared.db import Tx


async def on_purchases(
    tx: Tx, events: Sequence[purchases.PurchaseEvent], context: OffersContext
) -> None:
    """Apply the difference between each receipt's newest state and the one applied before.

    Duplicates, reorderings and replays end in the same sums, since only a higher revision moves
    a receipt, and each revision carries the whole net state.
    """
    newest: dict[UUID, purchases.Receipt] = {}
    for event in events:
        known = newest.get(event.data.receipt_id)
        if known is None or known.revision < event.data.revision:
            newest[event.data.receipt_id] = event.data
    moved = await profiles.upsert_receipts(tx, [_receipt(state) for state in newest.values()])
    await profiles.upsert_changes(tx, habits.changes(moved, currency=context.scope.currency))
    naming = [pair for pair in moved if pair[1].offer_ids or (pair[0] and pair[0].offer_ids)]
    if naming:
        await redemptions.settle(tx, naming, states=newest, context=context)


def _receipt(state: purchases.Receipt) -> habits.Receipt:
    lines = (
        Line(
            sku=line.sku,
            category=line.category,
            quantity_milli=line.quantity_milli,
            amount_minor=line.amount_minor,
            discount_minor=line.discount_minor,
        )
        for line in state.lines
    )
    return habits.Receipt(
        receipt_id=state.receipt_id,
        revision=state.revision,
        member_id=state.member_id,
        bought_at=min(state.occurred_at, state.received_at),
        currency=state.currency,
        lines=tuple(line for line in lines if line.kept),
        offer_ids=tuple(sorted(set(state.offer_ids))),
    )
