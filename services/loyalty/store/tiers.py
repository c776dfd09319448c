"""What tiers need beyond the ledger's hot path: due reviews, receipts that count, what was told."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.loyalty.domain.accounts import MemberState
from services.loyalty.domain.becoming import ReceiptState
from services.loyalty.domain.ladder import read_returns
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.tier_reviews import TierChange, TierNotice
from services.loyalty.store import receipt_rows
from services.loyalty.store.award_tables import merge
from services.loyalty.store.tables import account, receipt, tier_change, tier_notice
from shared.db import Tx, bulk

_INSTANT = sa.DateTime(timezone=True)


async def list_due(tx: Tx, now: datetime, *, limit: int) -> Sequence[UUID]:
    """Return members whose tier the clock may have changed, without locking them."""
    rows = await tx.scalars(
        sa.select(account.c.member_id)
        .where(account.c.tier_review_at <= now)
        .order_by(account.c.tier_review_at)
        .limit(limit)
    )
    return rows.all()


async def load_counting(
    tx: Tx, member_ids: Collection[UUID], *, since: int
) -> dict[UUID, dict[UUID, ReceiptState]]:
    """Return by member the receipts that count, or once did, in period ``since`` or later.

    Those of members who were merged into one count for that one, too. Of each only what counts
    is filled in. Whoever writes a receipt holds its member's account.
    """
    asked = sa.func.unnest(bulk.array(sa.Uuid(), list(member_ids))).column_valued("asked")
    # Each with all whose receipts count for them.
    own = sa.select(asked.label("heir_id"), asked.label("member_id")).cte("own", recursive=True)
    own = own.union(
        sa.select(own.c.heir_id, merge.c.member_id)
        .join(merge, merge.c.into_id == own.c.member_id)
        .where(merge.c.undone_at.is_(None))
    )
    rows = await tx.execute(
        sa.select(
            own.c.heir_id,
            receipt.c.receipt_id,
            receipt.c.member_id,
            receipt.c.qualifying_minor,
            receipt.c.desired,
            receipt.c.year,
            receipt.c.occurred_at,
            receipt.c.returns,
            receipt.c.sold_at,
            receipt.c.by_level,
            receipt.c.approval,
        )
        .join(own, own.c.member_id == receipt.c.member_id)
        .where(
            receipt.c.year >= since,
            (receipt.c.qualifying_minor > 0)
            | (receipt.c.desired > 0)
            | receipt.c.by_level.is_not(None)
            | receipt.c.returns.is_not(None),
        )
    )
    found: dict[UUID, dict[UUID, ReceiptState]] = {one: {} for one in member_ids}
    for heir_id, receipt_id, member_id, qualifying_minor, desired, *rest in rows:
        year, occurred_at, returns, sold_at, by_level, approval = rest
        found[heir_id][receipt_id] = ReceiptState(
            member_id,
            qualifying_minor=qualifying_minor,
            desired=desired,
            year=year,
            occurred_at=occurred_at,
            returns=read_returns(returns) if returns else (),
            sold_at=sold_at,
            by_level=tuple(by_level) if by_level else (),
            approval=approval,
        )
    return found


async def load_sources(
    tx: Tx, member_ids: Collection[UUID]
) -> dict[UUID, dict[UUID, datetime | None]]:
    """Return by member whose receipts count for them, and from which merge on; None: always."""
    asked = sa.func.unnest(bulk.array(sa.Uuid(), list(member_ids))).column_valued("asked")
    joined_at = sa.cast(sa.null(), _INSTANT).label("joined_at")
    own = sa.select(asked.label("heir_id"), asked.label("member_id"), joined_at)
    own = own.cte("own", recursive=True)
    # Postgres' greatest passes over nulls.
    later = sa.func.greatest(own.c.joined_at, merge.c.merged_at)
    own = own.union(
        sa.select(own.c.heir_id, merge.c.member_id, later)
        .join(merge, merge.c.into_id == own.c.member_id)
        .where(merge.c.undone_at.is_(None))
    )
    found: dict[UUID, dict[UUID, datetime | None]] = {one: {} for one in member_ids}
    for heir_id, member_id, since in await tx.execute(sa.select(own)):
        found[heir_id][member_id] = since
    return found


async def load_histories(
    tx: Tx, since: Mapping[UUID, int], programme: Programme
) -> dict[UUID, ReceiptState]:
    """Return the receipts of each of those members in the given period or later.

    Whoever writes a receipt holds its member's account.
    """
    asked = bulk.unnest(
        "asked",
        {
            "member_id": (sa.Uuid(), list(since)),
            "since": (sa.Integer(), list(since.values())),
        },
    )
    rows = await tx.execute(
        sa.select(*(receipt.c[name] for name in receipt_rows.COLUMNS)).join(
            asked,
            (receipt.c.member_id == asked.c.member_id) & (receipt.c.year >= asked.c.since),
        )
    )
    return dict(receipt_rows.read(row, programme) for row in rows)


async def update_reviewed(tx: Tx, members: Mapping[UUID, MemberState]) -> None:
    """Write what was announced of tiers, and when to look again; the accounts are locked."""
    after = bulk.unnest(
        "after",
        {
            "member_id": (sa.Uuid(), list(members)),
            "tier": (sa.Text(), [state.tier for state in members.values()]),
            "tier_at": (_INSTANT, [state.tier_at for state in members.values()]),
            "review_at": (_INSTANT, [state.tier_review_at for state in members.values()]),
        },
    )
    await tx.execute(
        account.update()
        .values(tier=after.c.tier, tier_at=after.c.tier_at, tier_review_at=after.c.review_at)
        .where(account.c.member_id == after.c.member_id)
    )


async def append_changes(tx: Tx, changes: Sequence[tuple[TierChange, str]]) -> None:
    """Append changes of tiers, each with its reason in words."""
    new = bulk.unnest(
        "new",
        {
            "member_id": (sa.Uuid(), [change.member_id for change, _ in changes]),
            "at": (_INSTANT, [change.at for change, _ in changes]),
            "previous": (sa.Text(), [change.previous for change, _ in changes]),
            "tier": (sa.Text(), [change.tier for change, _ in changes]),
            "reason": (sa.Text(), [reason for _, reason in changes]),
        },
    )
    await tx.execute(tier_change.insert().from_select(list(new.c.keys()), sa.select(*new.c)))


async def list_changes(
    tx: Tx, member_id: UUID, *, before: int | None, limit: int
) -> "Sequence[sa.Row[Any]]":
    """Return a member's changes of tier, the newest first, from below ``before``."""
    statement = sa.select(tier_change).where(tier_change.c.member_id == member_id)
    if before is not None:
        statement = statement.where(tier_change.c.tier_change_id < before)
    rows = await tx.execute(statement.order_by(tier_change.c.tier_change_id.desc()).limit(limit))
    return rows.all()


async def load_announced(
    tx: Tx, sales: Mapping[UUID, tuple[UUID, datetime]]
) -> dict[UUID, str | None]:
    """Return by sale (of whom, when) the tier that was announced of the member before it."""
    asked = bulk.unnest(
        "asked",
        {
            "sale_id": (sa.Uuid(), list(sales)),
            "member_id": (sa.Uuid(), [member_id for member_id, _ in sales.values()]),
            "at": (_INSTANT, [at for _, at in sales.values()]),
        },
    )
    last = (
        sa.select(tier_change.c.tier)
        .where(tier_change.c.member_id == asked.c.member_id, tier_change.c.at < asked.c.at)
        .order_by(tier_change.c.at.desc(), tier_change.c.tier_change_id.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = await tx.execute(sa.select(asked.c.sale_id, last.label("tier")))
    return {row.sale_id: row.tier for row in rows}


async def append_notices(tx: Tx, notices: Sequence[TierNotice]) -> set[UUID]:
    """Record notices; return the members who had not been given theirs before."""
    new = bulk.unnest(
        "new",
        {
            "member_id": (sa.Uuid(), [one.member_id for one in notices]),
            "tier": (sa.Text(), [one.tier for one in notices]),
            "falls_at": (_INSTANT, [one.falls_at for one in notices]),
            "falls_to": (sa.Text(), [one.falls_to for one in notices]),
            "missing": (sa.BigInteger(), [one.stay.missing for one in notices]),
            "noticed_at": (_INSTANT, [one.at for one in notices]),
        },
    )
    rows = await tx.scalars(
        insert(tier_notice)
        .from_select(list(new.c.keys()), sa.select(*new.c))
        .on_conflict_do_nothing()
        .returning(tier_notice.c.member_id)
    )
    return set(rows)
