"""The hash chain of a member's ledger: an entry that is changed, dropped or moved breaks it."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Entry(NamedTuple):
    """One row of the ledger: ``points`` moved between two accounts, so that it balances."""

    member_id: UUID
    version: int
    """Counts the member's entries; 1 is the first."""
    cause_id: UUID
    """The event that caused it."""
    from_account: str
    to_account: str
    points: int
    """Positive."""
    available_after: int
    receipt_id: UUID | None
    programme_version: str | None
    explain: str
    """JSON: how the points came about."""
    occurred_at: datetime


def link(before: bytes, entry: Entry) -> bytes:
    """Return the hash (SHA-256) of ``entry`` behind the hash ``before``, empty for the first.

    What is hashed is text, so that anybody can do it again: the fields with bars between them,
    the time in microseconds since 1970, nothing for null. ``store.reads`` has the same in SQL.
    """
    at = (entry.occurred_at - _EPOCH) // _MICROSECOND
    text = (
        f"{entry.member_id}|{entry.version}|{entry.cause_id}|{entry.from_account}|"
        f"{entry.to_account}|{entry.points}|{entry.available_after}|{entry.receipt_id or ''}|"
        f"{entry.programme_version or ''}|{at}|{entry.explain}"
    )
    return hashlib.sha256(before + text.encode()).digest()
