"""A row of ``receipt``, and what the fold knows of a receipt: from one to the other."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from services.loyalty.domain import ladder
from services.loyalty.domain.becoming import ReceiptState
from services.loyalty.domain.programme import Programme

COLUMNS = ("receipt_id", "member_id", "revision", "posted", "qualifying_minor", "year",
           "desired", "occurred_at", "store_id", "programme_version",
           "begins_at", "counts", "returns", "approval", "approved_at",
           "due_at", "by_level", "level", "sold_at", "birthday")  # fmt: skip


def read(row: Sequence[Any], programme: Programme) -> tuple[UUID, ReceiptState]:
    """Return a receipt's id and state from the values of ``COLUMNS``."""
    receipt_id, member_id, revision, posted, qualifying_minor, year, *settled = row
    desired, occurred_at, store_id, version, begins_at, counts, returns, *rest = settled
    approval, approved_at, due_at, by_level, *found = rest
    return receipt_id, ReceiptState(
        member_id,
        revision,
        posted,
        qualifying_minor,
        year,
        desired,
        occurred_at,
        begins_at,
        store_id or "",
        programme.by_name.get(version),
        tuple(counts) if counts else (),
        ladder.read_returns(returns) if returns else (),
        approval,
        approved_at,
        due_at,
        tuple(by_level) if by_level else (),
        *found,
    )


def write(states: Mapping[UUID, ReceiptState]) -> list[tuple[Any, ...]]:
    """Return the values of ``COLUMNS`` for each receipt.

    In the order of the ids: two transactions with the same new receipts must not deadlock.
    """
    return [
        (
            receipt_id,
            state.member_id,
            state.revision,
            state.posted,
            state.qualifying_minor,
            state.year,
            state.desired,
            state.occurred_at,
            state.store_id,
            state.version.version if state.version else None,
            state.begins_at,
            str(list(state.counts)) if state.counts else None,
            ladder.write_returns(state.returns) if state.returns else None,
            state.approval,
            state.approved_at,
            state.due_at,
            str(list(state.by_level)) if state.by_level else None,
            state.level,
            state.sold_at,
            state.birthday,
        )
        for receipt_id, state in sorted(states.items(), key=lambda item: item[0].int)
    ]
