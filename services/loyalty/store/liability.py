"""Sums over the ledger and the lots, for what the programme owes. All of one snapshot."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from services.loyalty.domain.liability import AGES_DAYS, Balances, Flow, History, Share
from services.loyalty.store.tables import account, entry, lot, spend
from shared.db import Tx

TIMEOUT_MS = 20_000
"""For each sum; the request itself has a deadline, too."""


async def open_snapshot(tx: Tx) -> None:
    """Let everything that this transaction reads be of one moment; call it first."""
    await tx.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    await tx.execute(sa.text(f"SET LOCAL statement_timeout = {TIMEOUT_MS}"))


async def sum_accounts(tx: Tx) -> Balances:
    """Return what all members have now: one pass over the accounts."""
    columns = (account.c.available, account.c.pending, account.c.held, account.c.debt)
    row = (await tx.execute(sa.select(*map(_total, columns)))).one()
    return Balances(*(int(total) for total in row))


async def sum_flows(tx: Tx, since: datetime, until: datetime) -> list[Flow]:
    """Return what moved between accounts from ``since`` on: before ``until``, and after.

    One pass over what was posted since then, found by the BRIN index on ``posted_at``.
    """
    during = entry.c.posted_at < until
    rows = await tx.execute(
        sa.select(
            entry.c.from_account,
            entry.c.to_account,
            _total(entry.c.points, during),
            _total(entry.c.points, ~during),
        )
        .where(entry.c.posted_at >= since)
        .group_by(entry.c.from_account, entry.c.to_account)
    )
    return [Flow(source, sink, int(first), int(second)) for source, sink, first, second in rows]


async def sum_lots(tx: Tx) -> Balances:
    """Return what the lots have left and tills hold, which the accounts must say, too."""
    active, pending = (
        await tx.execute(
            sa.select(_total(lot.c.remaining, lot.c.active), _total(lot.c.remaining, ~lot.c.active))
            .select_from(lot)
            .where(lot.c.remaining > 0)
        )
    ).one()
    held = await tx.scalar(sa.select(_total(spend.c.taken)).where(spend.c.state == "held"))
    return Balances(int(active), int(pending), int(held or 0), 0)


async def sum_ages(tx: Tx, now: datetime) -> Sequence[int]:
    """Return what is left in lots by the time since they began, in the spans of ``AGES_DAYS``."""
    # Rising, as width_bucket has it; a lot begins at the young end of its span.
    edges = [now - timedelta(days=days) for days in reversed(AGES_DAYS[1:])]
    columns = [
        _total(
            lot.c.remaining,
            sa.and_(
                *([lot.c.activates_at > older] if older else []),
                *([lot.c.activates_at <= younger] if younger else []),
            ),
        )
        for younger, older in zip([None, *reversed(edges)], [*reversed(edges), None], strict=True)
    ]
    row = (await tx.execute(sa.select(*columns).where(lot.c.remaining > 0))).one()
    return [int(total) for total in row]


async def load_history(tx: Tx, until: datetime) -> History:
    """Return what became of the lots that ended before ``until``."""
    # What has passed to another member ends there.
    points = sa.cast(sa.func.sum(lot.c.points - lot.c.passed), sa.Numeric)
    by_member = (
        sa.select(
            sa.func.count().label("lots"),
            points.label("points"),
            # What nobody swept yet has ended all the same.
            sa.func.sum(lot.c.expired + lot.c.remaining).label("expired"),
        )
        .where(lot.c.expires_at <= until, lot.c.points > lot.c.passed)
        .group_by(lot.c.member_id)
        .subquery()
    )
    row = (
        await tx.execute(
            sa.select(
                _total(by_member.c.lots),
                _total(by_member.c.points),
                _total(by_member.c.expired),
                _total(by_member.c.points * by_member.c.points),
            )
        )
    ).one()
    return History(*(int(total) for total in row))


async def sum_expected(tx: Tx, share: Share, now: datetime) -> tuple[int, int, int]:
    """Return how many points of open lots will end unspent: by the share, its low and its high.

    A share is of what a lot was worth at first; no more can end than what is left of it.
    """
    columns = [
        _total(sa.func.least(lot.c.remaining, sa.func.floor(part * lot.c.points)))
        for part in (share.share, share.low, share.high)
    ]
    # What ends by inactivity has its end once that has come.
    open_ = (lot.c.expires_at > now) | (
        lot.c.expires_at.is_(None) & lot.c.inactive_months.is_not(None)
    )
    row = (await tx.execute(sa.select(*columns).where(lot.c.remaining > 0, open_))).one()
    expected, low, high = (int(total) for total in row)
    return expected, low, high


def _total(
    column: "sa.ColumnElement[int]", condition: "sa.ColumnElement[bool] | None" = None
) -> "sa.ColumnElement[int]":
    total = sa.func.sum(column)
    return sa.func.coalesce(total if condition is None else total.filter(condition), 0)
