"""Locks on things that are not there yet.

A return looks for its sale, and a sale for returns that wait for it; a receipt looks for the
member of its card, and an enrolment for receipts that carried the card. Under READ COMMITTED two
transactions that do so at the same time would each miss the other. So both sides lock the key
before they read: the many (sales) share, the few (returns, enrolments) exclude.
"""

from collections.abc import Iterable
from uuid import UUID

from shared.db import Tx

SLOTS = 1024
"""Keys are hashed to so many locks per kind: few enough that a full batch can not exhaust
Postgres' lock table (about 6,400 by default), enough that strangers seldom wait."""

_BASE = 0x696E_6700_0000  # keeps clear of other advisory locks in the same database
_IDENTIFIERS = _BASE
_RECEIPTS = _BASE + SLOTS

# The function is called row by row in the array's order: sorted, so nobody can deadlock.
_SHARE = "SELECT count(pg_advisory_xact_lock_shared(key)) FROM unnest($1::bigint[]) AS key"
_EXCLUDE = "SELECT count(pg_advisory_xact_lock(key)) FROM unnest($1::bigint[]) AS key"


def receipt_slot(receipt_id: UUID) -> int:
    """Return the lock of a receipt."""
    return _RECEIPTS + receipt_id.int % SLOTS


def identifier_slot(hmac_hex: str) -> int:
    """Return the lock of an identifier."""
    return _IDENTIFIERS + int(hmac_hex[-8:], 16) % SLOTS


async def share(tx: Tx, slots: Iterable[int]) -> None:
    """Lock ``slots`` to the end of the transaction, together with others who share them."""
    await _lock(tx, _SHARE, slots)


async def exclude(tx: Tx, slots: Iterable[int]) -> None:
    """Lock ``slots`` to the end of the transaction, alone."""
    await _lock(tx, _EXCLUDE, slots)


async def _lock(tx: Tx, statement: str, slots: Iterable[int]) -> None:
    # As the driver's SQL, but sent by SQLAlchemy: it is the first statement of most transactions,
    # and so it begins them without one more journey to the server.
    await tx.exec_driver_sql(statement, (sorted(set(slots)),))
