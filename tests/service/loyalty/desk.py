"""What the service tests of loyalty share: events in, requests in, tables out."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx
import sqlalchemy as sa

from services.loyalty.app import service
from services.loyalty.context import LoyaltyContext, Rules
from services.loyalty.domain.accounts import gain
from services.loyalty.domain.programme import Programme
from services.loyalty.handlers import audit, earn
from services.loyalty.settings import LoyaltySettings
from services.loyalty.store import tables
from shared import auth
from shared.auth.spread import Grant
from shared.clock import FixedClock
from shared.contracts.envelope import Event
from shared.contracts.topics import TOPICS
from shared.db import Database, run_unit
from shared.db.plumbing import outbox
from shared.http.app import create_api
from tests.builders import FRESH, NOW
from tests.unit.loyalty import programmes

IDENTITY_KEY = "ab" * 32
ROLES: tuple[auth.Role, ...] = ("terminal", "app", "staff", "marketer", "admin")
KEYS: dict[auth.Role, str] = {role: auth.new_key() for role in ROLES}


class Desk:
    """One loyalty service. Its clock says ``builders.NOW`` until a test moves it."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.clock = FixedClock(NOW)
        self.seconds = 0.0
        """What the process's own clock says, by which it reads the rules again."""
        self.context = LoyaltyContext(
            db=db,
            clock=self.clock,
            settings=LoyaltySettings.model_validate(
                {"database_url": "postgresql://unused", "IDENTITY_KEY": IDENTITY_KEY}
            ),
            rules=self._rules(programmes.small()),
            identity_key=bytes.fromhex(IDENTITY_KEY),
        )

    def _rules(self, programme: Programme) -> Rules:
        return Rules(programme, monotonic=lambda: self.seconds)

    def under(self, programme: Programme) -> "Desk":
        """Go by another programme from now on."""
        self.context = replace(self.context, rules=self._rules(programme))
        return self

    async def apply(self, *events: Any) -> None:
        """Apply one batch of purchases events, as the consumer loop does."""
        await run_unit(self.db, lambda tx: earn.on_purchases(tx, events, self.context))

    async def audit(self) -> audit.AuditReport:
        """Add up the ledger."""
        async with self.db.transaction() as tx:
            return await audit.audit(tx)

    async def balances(self) -> dict[UUID, int]:
        return {row.member_id: row.available for row in await self.rows(tables.account)}

    async def entries(self, member_id: UUID) -> list[int]:
        """Return the points of a member's entries in the order of their posting."""
        rows = await self.rows(tables.entry)
        own = [row for row in rows if row.member_id == member_id]
        return [
            gain(row.from_account, row.to_account, row.points)
            for row in sorted(own, key=lambda row: row.version)
        ]

    async def rows(self, table: sa.Table) -> Sequence[Any]:
        async with self.db.transaction() as tx:
            return (await tx.execute(sa.select(table))).all()

    async def published(self, topic: str | None = None) -> list[Event]:
        """Return the events in the outbox, in order."""
        async with self.db.transaction() as tx:
            rows = (await tx.execute(sa.select(outbox).order_by(outbox.c.id))).all()
        return [TOPICS[row.topic].parse(row.value) for row in rows if topic in {None, row.topic}]

    @asynccontextmanager
    async def client(self, role: auth.Role = "app") -> AsyncGenerator[httpx.AsyncClient]:
        """Open a client that calls the service's HTTP application with a key of ``role``."""
        async with self.db.transaction() as tx:
            await auth.beat(tx, FRESH)
            await auth.bootstrap(
                tx, [Grant(key, owner, f"test {owner}", "0042") for owner, key in KEYS.items()]
            )
        transport = httpx.ASGITransport(create_api(service(), self.context))
        async with httpx.AsyncClient(
            transport=transport,
            base_url="http://loyalty",
            headers={"Authorization": f"Bearer {KEYS[role]}"},
        ) as client:
            yield client
