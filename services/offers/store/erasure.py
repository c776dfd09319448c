"""What offers forgets of members who were erased: all but numbers that lead to nobody."""

from collections.abc import Collection
from uuid import UUID

import sqlalchemy as sa

from services.offers.store.tables import (
    member,
    member_category,
    member_product,
    member_total,
    offer,
    receipt,
)
from shared.db import Tx, bulk

ERASED = "erased"


async def forget_erased(tx: Tx, among: Collection[UUID] | None = None) -> None:
    """Delete the profiles of erased members, and take them off receipts and reasons.

    ``among`` these members, or all. Safe to repeat: a purchase that was on its way while its
    member was erased brings a profile back, and the next call for all takes it away.
    """
    gone = sa.select(member.c.member_id).where(member.c.status == ERASED)
    if among is not None:
        gone = gone.where(member.c.member_id == sa.any_(bulk.array(sa.Uuid(), list(among))))
    for table in (member_total, member_product, member_category):
        await tx.execute(table.delete().where(table.c.member_id.in_(gone)))
    # The receipt goes on as nobody's: what it sold stays part of what is popular.
    await tx.execute(receipt.update().values(member_id=None).where(receipt.c.member_id.in_(gone)))
    await tx.execute(
        offer.update().values(reason="").where(offer.c.member_id.in_(gone), offer.c.reason != "")
    )
