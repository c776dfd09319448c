"""What the service tests of offers share: sending events in, and reading tables back."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from services.offers.context import OffersContext
from services.offers.handlers import campaigns, issue, purchases, reference
from services.offers.settings import PSEUDO_CATEGORIES, OffersSettings
from services.offers.store import tables
from services.offers.store.candidates import Scope
from shared.clock import FixedClock
from shared.contracts.envelope import Event
from shared.contracts.purchases import PurchaseRecorded, ReceiptLine
from shared.contracts.topics import TOPICS
from shared.db import Database
from shared.db.plumbing import outbox
from tests import builders
from tests.builders import MEMBER, NOW

CAMPAIGN: dict[str, Any] = {
    "title": "{percent} % off {name}",
    "k": 3,
    "period": "week",
    "budget_minor": 100_000,
    "currency": "USD",
    "depth_percent": {"due": 15, "habit": 10, "discovery": 25},
    "validity_days": 14,
    "min_purchases": 3,
    "margin_floor_percent": None,
    "pool": {"exclude_skus": [], "exclude_categories": [], "include_categories": []},
}


def member(number: int) -> UUID:
    return UUID(int=number)


class Shop:
    """One offers service. Its clock says ``builders.NOW`` until a test moves it."""

    def __init__(self, db: Database, *, chunk: int = 2) -> None:
        self.db = db
        self.clock = FixedClock(NOW)
        self.context = OffersContext(
            db=db,
            clock=self.clock,
            settings=OffersSettings(database_url="postgresql://unused"),
            zone=ZoneInfo("UTC"),
            scope=Scope("USD", PSEUDO_CATEGORIES),
            issue_chunk_members=chunk,
            popularity_max_age_s=0.0,
        )

    async def buy(self, *events: Event) -> None:
        """Apply one batch of purchases events, as the consumer loop does."""
        async with self.db.transaction() as tx:
            await purchases.on_purchases(tx, events, self.context)  # pyright: ignore[reportArgumentType]  # of the topic

    async def enrol(self, *members: UUID, **overrides: Any) -> None:
        async with self.db.transaction() as tx:
            events = [builders.member_changed(member_id=one, **overrides) for one in members]
            await reference.on_members(tx, events, self.context)

    async def list_products(self, *skus: str, **overrides: Any) -> None:
        """Put products named after their SKU into the catalogue."""
        events = [
            builders.product_changed(
                sku=sku, **{"name": sku.upper(), "category": f"OF {sku}"} | overrides
            )
            for sku in skus
        ]
        async with self.db.transaction() as tx:
            await reference.on_catalogue(tx, events, self.context)

    async def publish(self, code: str = "weekly", **overrides: Any) -> None:
        async with self.db.transaction() as tx:
            await campaigns.put(tx, code, CAMPAIGN | overrides, self.context)
            await campaigns.publish(tx, code, self.context)

    async def issue(self, code: str = "weekly", *, within_s: float = 30.0) -> tables.Row:
        return await issue.issue(self.context, code, within_s=within_s)

    async def rows(self, table: sa.Table) -> list[dict[str, Any]]:
        """Return a table's rows in the order of its primary key."""
        async with self.db.transaction() as tx:
            found = await tx.execute(sa.select(table).order_by(*table.primary_key))
            return [dict(row) for row in found.mappings()]

    async def profile(self) -> dict[str, list[dict[str, Any]]]:
        """Return all sums, weights rounded to what two orders agree on."""
        found: dict[str, list[dict[str, Any]]] = {}
        for table in (tables.member_total, tables.member_product, tables.member_category):
            rows = await self.rows(table)
            found[table.name] = [row | {"weight": f"{row['weight']:.9g}"} for row in rows]
        return found

    async def wallet(self, owner: UUID = MEMBER) -> list[dict[str, Any]]:
        rows = await self.rows(tables.offer)
        mine = [row for row in rows if row["member_id"] == owner]
        return sorted(mine, key=lambda row: row["slot"])

    async def events(self) -> list[Any]:
        """Return what was announced, in order."""
        async with self.db.transaction() as tx:
            found = await tx.execute(
                sa.select(outbox.c.topic, outbox.c.value).order_by(outbox.c.id)
            )
            return [TOPICS[row.topic].parse(row.value) for row in found]


def bought(
    *skus: str, days_ago: float = 0, owner: UUID | None = MEMBER, no: str = "1", **overrides: Any
) -> PurchaseRecorded:
    """Build a purchase of one of each SKU; ``no`` tells receipts of one moment apart."""
    at: datetime = NOW - timedelta(days=days_ago)
    return builders.purchase_recorded(
        lines=[of(sku, number) for number, sku in enumerate(skus, start=1)],
        occurred_at=at,
        member_id=owner,
        receipt_no=f"{no}-{days_ago}-{owner.int if owner else 0}",
        **overrides,
    )


def of(sku: str, line_no: int = 1, **overrides: Any) -> ReceiptLine:
    """Build a line of ``sku`` for 2.00."""
    fields = {"sku": sku, "category": f"OF {sku}", "amount_minor": 200} | overrides
    return builders.line(line_no, **fields)


def every(days: float, *skus: str, times: int, last: float = 0, **overrides: Any) -> Sequence[Any]:
    """Build ``times`` purchases, ``days`` apart, the newest ``last`` days ago."""
    return [bought(*skus, days_ago=last + days * n, **overrides) for n in range(times)]
