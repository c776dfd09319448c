"""Deterministic and time-ordered identifiers.

Anything derived from something else gets a UUIDv5 of its cause, so that a retry, a replay or a
service restored from a backup derives the same id again; fresh facts get a UUIDv7.
"""

from datetime import date
from uuid import UUID

from uuid_utils.compat import uuid5, uuid7

NAMESPACE = UUID("6f3a1d0e-6c1b-5a55-9d60-6a5f0d3c7b21")


def receipt_id(store_id: str, terminal_id: str, business_date: date, receipt_no: str) -> UUID:
    """Return the id of a receipt: UUIDv5 of its natural key.

    The parts are length-prefixed, so that no two different keys can spell the same name.
    """
    parts = (store_id, terminal_id, business_date.isoformat(), receipt_no)
    return uuid5(NAMESPACE, "receipt:" + "".join(f"{len(part)}:{part}" for part in parts))


def lot_id(reference: str) -> UUID:
    """Return the id of a lot brought over from another system, which called it ``reference``."""
    return uuid5(NAMESPACE, f"lot:{reference}")


def receipt_event_id(receipt: UUID, event_type: str, revision: int) -> UUID:
    """Return the id of the event that took ``receipt`` to ``revision``."""
    return uuid5(receipt, f"{event_type}:{revision}")


def derived_id(cause: UUID, kind: str, ordinal: int = 0) -> UUID:
    """Return the id of the ``ordinal``-th thing of ``kind`` that ``cause`` brought about."""
    return uuid5(cause, f"{kind}:{ordinal}")


def new_id() -> UUID:
    """Return a UUIDv7: unique, and ordered by creation time to the millisecond."""
    return uuid7()
