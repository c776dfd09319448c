"""What could be recommended: a member's habits with their catalogue rows, and what is popular."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.offers.domain.habits import Habit
from services.offers.domain.ranking import Candidate
from services.offers.store.tables import (
    Row,
    member_category,
    member_product,
    member_total,
    popularity,
    popularity_refresh,
    product,
)
from shared.db import Tx, bulk

REFRESH_TIMEOUT_MS = 120_000
NEVER = datetime(1970, 1, 1, tzinfo=UTC)

_SUMS = (
    "purchases", "weight", "lines", "discounted_lines", "quantity_milli", "spend_minor",
    "first_at", "last_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scope:
    """What a search for candidates leaves out, and the currency in which costs are read."""

    currency: str
    excluded_categories: tuple[str, ...]


async def load_totals(tx: Tx, member_ids: Sequence[UUID]) -> dict[UUID, Habit]:
    """Return the sums over all purchases of those members that have any."""
    found = await tx.execute(
        sa.select(member_total).where(
            member_total.c.member_id == sa.any_(bulk.array(sa.Uuid(), member_ids))
        )
    )
    return {row["member_id"]: _habit(row, "") for row in found.mappings()}


def _habit(row: Row, key: str) -> Habit:
    return Habit(key=key, **{name: row[name] for name in _SUMS})


async def list_habits(
    tx: Tx, member_ids: Sequence[UUID], *, scope: Scope, limit: int
) -> dict[UUID, list[Candidate]]:
    """Return each member's ``limit`` weightiest products, read along the primary key."""
    members = bulk.unnest("m", {"member_id": (sa.Uuid(), member_ids)})
    best = (
        sa.select(member_product)
        .where(member_product.c.member_id == members.c.member_id)
        .order_by(member_product.c.weight.desc(), member_product.c.sku)
        .limit(limit)
        .lateral("h")
    )
    category = sa.func.coalesce(product.c.category, best.c.category)
    found = await tx.execute(
        sa.select(
            best,
            product.c.name.label("product_name"),
            category.label("known_category"),
            _cost(scope).label("cost_minor"),
            sa.func.coalesce(popularity.c.share, 0.0).label("popularity"),
        )
        .select_from(members)
        .join(best, sa.true())
        .outerjoin(product, product.c.sku == best.c.sku)
        .outerjoin(popularity, popularity.c.sku == best.c.sku)
        .where(sa.or_(category.is_(None), category.not_in(scope.excluded_categories)))
    )
    candidates: dict[UUID, list[Candidate]] = {}
    for row in found.mappings():
        candidates.setdefault(row["member_id"], []).append(_familiar(row))
    return candidates


def _cost(scope: Scope) -> "sa.ColumnElement[int | None]":
    return sa.case((product.c.currency == scope.currency, product.c.cost_minor), else_=None)


def _familiar(row: Row) -> Candidate:
    habit = _habit(row, row["sku"])
    return Candidate(
        sku=row["sku"],
        name=row["product_name"] or row["known_category"] or f"product {row['sku']}",
        category=row["known_category"],
        habit=habit,
        popularity=row["popularity"],
        usual_spend_minor=habit.usual_spend_minor,
        unit_price_minor=_unit_price_minor(habit.spend_minor, habit.quantity_milli),
        cost_minor=row["cost_minor"],
    )


def _unit_price_minor(spend_minor: int, quantity_milli: int) -> int | None:
    return spend_minor * 1000 // quantity_milli if quantity_milli > 0 else None


async def list_popular(tx: Tx, *, scope: Scope, limit: int) -> list[Candidate]:
    """Return what all members buy most, of the products that the catalogue can name."""
    found = await tx.execute(
        sa.select(popularity, product.c.name, product.c.category, _cost(scope).label("cost_minor"))
        .join(product, product.c.sku == popularity.c.sku)
        .where(
            sa.or_(
                product.c.category.is_(None),
                product.c.category.not_in(scope.excluded_categories),
            )
        )
        .order_by(popularity.c.share.desc(), popularity.c.sku)
        .limit(limit)
    )
    return [
        Candidate(
            sku=row["sku"],
            name=row["name"],
            category=row["category"],
            habit=None,
            popularity=row["share"],
            usual_spend_minor=row["spend_minor"] // max(1, row["purchases"]),
            unit_price_minor=_unit_price_minor(row["spend_minor"], row["quantity_milli"]),
            cost_minor=row["cost_minor"],
        )
        for row in found.mappings()
    ]


async def list_bought(
    tx: Tx, member_ids: Sequence[UUID], skus: Sequence[str]
) -> set[tuple[UUID, str]]:
    """Return which of these members have bought which of these products."""
    found = await tx.execute(
        sa.select(member_product.c.member_id, member_product.c.sku).where(
            member_product.c.member_id == sa.any_(bulk.array(sa.Uuid(), member_ids)),
            member_product.c.sku == sa.any_(bulk.array(sa.Text(), skus)),
        )
    )
    return {(row.member_id, row.sku) for row in found}


async def list_category_habits(tx: Tx, member_id: UUID, *, scope: Scope, limit: int) -> list[Habit]:
    """Return a member's weightiest categories."""
    found = await tx.execute(
        sa.select(member_category)
        .where(
            member_category.c.member_id == member_id,
            member_category.c.category.not_in(scope.excluded_categories),
        )
        .order_by(member_category.c.weight.desc(), member_category.c.category)
        .limit(limit)
    )
    return [_habit(row, row["category"]) for row in found.mappings()]


async def refresh_popularity(tx: Tx, *, now: datetime, max_age_s: float) -> bool:
    """Sum popularity anew from the members' sums, unless the sums are young enough.

    Who finds the row of ``popularity_refresh`` locked leaves the summing to its holder. Returns
    whether it summed.
    """
    seed = insert(popularity_refresh).values(singleton=True, refreshed_at=NEVER)
    await tx.execute(seed.on_conflict_do_nothing())
    query = sa.select(popularity_refresh.c.refreshed_at).with_for_update(skip_locked=True)
    refreshed_at = (await tx.scalars(query)).one_or_none()
    if refreshed_at is None or (now - refreshed_at).total_seconds() < max_age_s:
        return False
    await tx.execute(sa.text(f"SET LOCAL statement_timeout = {REFRESH_TIMEOUT_MS}"))
    await _sum_popularity(tx)
    await tx.execute(popularity_refresh.update().values(refreshed_at=now))
    return True


async def _sum_popularity(tx: Tx) -> None:
    visits = sa.select(sa.func.nullif(sa.func.sum(member_total.c.weight), 0)).scalar_subquery()
    weight = sa.func.sum(member_product.c.weight)
    sums = sa.select(
        member_product.c.sku,
        weight,
        sa.func.coalesce(weight / visits, 0.0),
        sa.func.sum(member_product.c.spend_minor),
        sa.func.sum(member_product.c.quantity_milli),
        sa.func.sum(member_product.c.purchases),
    ).group_by(member_product.c.sku)
    names = ("sku", "weight", "share", "spend_minor", "quantity_milli", "purchases")
    # DELETE and not TRUNCATE: readers keep the old sums until the new ones are committed.
    await tx.execute(popularity.delete())
    await tx.execute(popularity.insert().from_select(names, sums))
