"""By what the sums of tiers are counted, and counting all of them again."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.loyalty.domain.ladder import Ladder
from services.loyalty.store.tables import METADATA
from shared.db import Tx
from shared.errors import Unavailable

tier_counting = sa.Table(
    "tier_counting",
    METADATA,
    sa.Column("one", sa.Boolean, primary_key=True, server_default=sa.true()),
    sa.Column("counted_by", sa.Text, nullable=False),
    sa.CheckConstraint("one", name="tier_counting_one"),
)
"""One row: measure and period of ``qualifying_spend`` and of ``receipt.year``, as
``Ladder.counted_by`` says them. None before the first start."""

RECORDING_LOCK = 0x7469_6572
"""Advisory lock of who says it first; others need not wait for that."""
TIMEOUT_MS = 1_800_000
"""For each statement over the receipts of years."""
LOCK_TIMEOUT_MS = 60_000
"""For the transactions that are under way; those that come later wait behind us meanwhile."""

# A receipt without a time counts from the beginning of its period on; years have four digits.
_PERIODS = sa.text("""
    UPDATE receipt SET year = counted.period
    FROM (
        SELECT receipt_id,
            CASE WHEN NOT :rolling THEN on_year ELSE on_year * 12 + on_month - 1 END AS period
        FROM receipt, LATERAL (
            SELECT coalesce(
                    extract(year FROM occurred_at AT TIME ZONE :zone)::int,
                    CASE WHEN year > 9999 THEN year / 12 ELSE year END
                ) AS on_year,
                coalesce(
                    extract(month FROM occurred_at AT TIME ZONE :zone)::int,
                    CASE WHEN year > 9999 THEN year % 12 + 1 ELSE 1 END
                ) AS on_month
        ) AS sold
    ) AS counted
    WHERE receipt.receipt_id = counted.receipt_id AND receipt.year <> counted.period
""")

# What ``Ladder.counted`` says of each receipt; for its member, and for whoever took over.
_SUMS = sa.text("""
    WITH RECURSIVE heir AS (
        SELECT member_id, into_id FROM merge WHERE undone_at IS NULL
        UNION
        SELECT heir.member_id, merge.into_id FROM heir
        JOIN merge ON merge.member_id = heir.into_id AND merge.undone_at IS NULL
    ), gone AS (
        SELECT receipt_id, sum((part ->> 1)::bigint) AS minor,
            sum(greatest((part ->> 2)::bigint, 0)) AS points
        FROM receipt, json_array_elements(returns) AS part
        GROUP BY receipt_id
    ), own AS (
        SELECT member_id, year,
            sum(CASE :measure
                WHEN 'spend' THEN qualifying_minor
                WHEN 'points' THEN CASE WHEN approval = 'rejected' THEN 0
                    ELSE coalesce((by_level ->> 0)::bigint, desired) END
                ELSE (qualifying_minor > 0)::int
            END) AS net,
            sum(CASE :measure
                WHEN 'spend' THEN minor
                WHEN 'points' THEN points
                ELSE (qualifying_minor = 0 AND minor > 0)::int
            END) AS back
        FROM receipt LEFT JOIN gone USING (receipt_id)
        WHERE member_id IS NOT NULL
        GROUP BY member_id, year
    )
    INSERT INTO qualifying_spend (member_id, year, amount_minor, returned_minor)
    SELECT member_id, year, sum(net), coalesce(sum(back), 0)
    FROM (
        SELECT member_id, year, net, back FROM own
        UNION ALL
        SELECT into_id, year, net, back FROM own JOIN heir USING (member_id)
    ) AS counted
    GROUP BY member_id, year
    HAVING sum(net) <> 0 OR sum(back) <> 0
""")

_REVIEW = sa.text("""
    UPDATE account SET tier_review_at = :now
    WHERE tier IS NOT NULL
        OR EXISTS (SELECT FROM qualifying_spend WHERE member_id = account.member_id)
""")


def must_fit(ladder: Ladder, counted_by: str) -> None:
    """Raise ``Unavailable`` where the sums are not counted as the programme's file says."""
    if counted_by != ladder.counted_by:
        detail = (
            f"The file counts tiers by {ladder.counted_by}, the database by {counted_by}: "
            "run `python -m services.loyalty recount-tiers`, or correct the file."
        )
        raise Unavailable("tiers_counted_otherwise", detail)


async def record(tx: Tx, ladder: Ladder) -> None:
    """Write by what the sums are counted, unless somebody has, or is about to."""
    alone = sa.func.pg_try_advisory_xact_lock(RECORDING_LOCK)
    said = sa.select(sa.literal(ladder.counted_by)).where(alone)
    new = insert(tier_counting).from_select(["counted_by"], said, include_defaults=False)
    await tx.execute(new.on_conflict_do_nothing())


async def recount(tx: Tx, ladder: Ladder, now: datetime) -> int:
    """Count all receipts again, and have everybody reviewed; return how many members.

    Whoever writes what counts locks an account first, so that they wait for us, or we for them.
    """
    for name, limit in (("statement_timeout", TIMEOUT_MS), ("lock_timeout", LOCK_TIMEOUT_MS)):
        await tx.execute(sa.text(f"SET LOCAL {name} = {limit}"))
    await tx.execute(sa.text("LOCK TABLE account IN EXCLUSIVE MODE"))
    by = {"rolling": ladder.rolling, "zone": ladder.zone.key}
    await tx.execute(_PERIODS, by)
    await tx.execute(sa.text("DELETE FROM qualifying_spend"))
    await tx.execute(_SUMS, {"measure": ladder.policy.measure})
    reviewed = await tx.execute(_REVIEW, {"now": now})
    new = insert(tier_counting).values(counted_by=ladder.counted_by)
    counted = {"counted_by": new.excluded.counted_by}
    await tx.execute(new.on_conflict_do_update(index_elements=["one"], set_=counted))
    return reviewed.rowcount
