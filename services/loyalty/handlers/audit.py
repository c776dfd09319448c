"""Add up the ledger."""

from services.loyalty.store import reads
from services.loyalty.store.reads import AuditReport
from shared.db import Tx

__all__ = ["AuditReport", "audit"]


async def audit(tx: Tx) -> AuditReport:
    """Return what adding up every entry, balance, lot and receipt showed."""
    return await reads.audit(tx)
