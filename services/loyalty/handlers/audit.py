"""Add up the ledgers of points and of gift money, and do their chains of hashes again."""

from dataclasses import asdict, dataclass
from typing import Literal, NamedTuple
from uuid import UUID

from services.loyalty.store import gift_books, reads
from services.loyalty.store.gift_books import GiftAuditReport
from services.loyalty.store.reads import AuditReport
from shared.db import Tx

BREAKS_MAX = 20
"""Named of each ledger; one is enough to know that somebody edited it."""

__all__ = ["AuditReport", "Verification", "audit", "verify"]


class Break(NamedTuple):
    """Where a chain does not hold any more."""

    of: Literal["member", "gift card"]
    owner_id: UUID
    entry: int
    """The first one that does not follow from those before it, or is not there any more."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What both ledgers say of themselves."""

    points: AuditReport
    gift_money: GiftAuditReport
    breaks: list[Break]

    @property
    def ok(self) -> bool:
        """Whether all books close."""
        return self.points.ok and self.gift_money.ok

    @property
    def checks(self) -> list[tuple[str, str, int]]:
        """Return ledger, what was checked, and how many were wrong."""
        return [
            (ledger, name.removeprefix("wrong_"), wrong)
            for ledger, report in (("points", self.points), ("gift money", self.gift_money))
            for name, wrong in asdict(report).items()
            if name.startswith("wrong_")
        ]


async def audit(tx: Tx) -> AuditReport:
    """Return what adding up every entry, balance, lot and receipt showed."""
    return await reads.audit(tx)


async def verify(tx: Tx) -> Verification:
    """Audit both ledgers; where one does not close, name the entries at which its chains break."""
    points, gift_money = await reads.audit(tx), await gift_books.audit(tx)
    breaks: list[Break] = []
    if not points.ok:
        breaks += [Break("member", *one) for one in await reads.list_broken(tx, BREAKS_MAX)]
    if not gift_money.ok:
        found = await gift_books.list_broken(tx, BREAKS_MAX)
        breaks += [Break("gift card", *one) for one in found]
    return Verification(points, gift_money, breaks)
