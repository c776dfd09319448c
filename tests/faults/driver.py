"""Tills that never give up and remember every answer: the other side of the oracle."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID

import httpx

from demo.stack import Clients
from shared import ids
from tests.rig import LONG, Rig

MEMBERS = 100
TILLS = 32 if LONG else 8
"""More at once make larger batches: the long form is about events, not about waiting."""
DUPLICATES = 0.05
PATIENCE_S = 180.0
RETRIABLE = {408, 429, 500, 502, 503, 504}


@dataclass
class Driver:
    """What was sent and what was answered."""

    clients: Clients
    key: Mapping[str, str]
    store: str
    terminal: str
    run: str
    app_key: str
    sales: dict[UUID, UUID] = field(default_factory=dict[UUID, UUID])
    """Event id → receipt id, of everything that was answered 2xx."""
    net_minor: int = 0
    retries: int = 0
    sent: int = 0
    stop: bool = False

    def body(self, number: int, member: int) -> dict[str, Any]:
        lines = [
            {
                "line_no": line,
                "sku": f"sku-{(number + line) % 50}",
                "category": "BANANAS" if line % 2 else "SOFT DRINKS",
                "quantity": "1",
                "unit_price_minor": 100 * line,
                "discount_minor": 0,
                "amount_minor": 100 * line,
            }
            for line in range(1, 4)
        ]
        return {
            "store_id": self.store,
            "terminal_id": self.terminal,
            "receipt_no": f"{self.run}-{number}",
            "business_date": datetime.now(UTC).date().isoformat(),
            "occurred_at": datetime.now(UTC).isoformat(),
            "member": {"card": f"{self.run}{member:06d}"},
            "currency": "USD",
            "lines": lines,
            "total_minor": 600,
        }

    async def enrol(self) -> None:
        """Enrol the members, and wait until ingest knows the last one."""
        app = {"Authorization": f"Bearer {self.app_key}"}
        for member in range(MEMBERS):
            answer = await self.clients.http["loyalty"].post(
                "/v1/members",
                json={"identifiers": [{"kind": "card", "value": f"{self.run}{member:06d}"}]},
                headers=app,
            )
            assert answer.status_code in {200, 201}, answer.text

    async def till(self, first: int, step: int) -> None:
        """Send sale after sale, each until it is answered."""
        random = Random(first)
        number = first
        while not self.stop:
            body = self.body(number, random.randrange(MEMBERS))
            await self.send(body)
            if random.random() < DUPLICATES:
                await self.send(body)
            number += step

    async def send(self, body: dict[str, Any]) -> None:
        """Send one sale until the answer is final."""
        pause_s = 0.02
        async with asyncio.timeout(PATIENCE_S):
            while True:
                self.sent += 1
                try:
                    answer = await self.clients.http["ingest"].post(
                        "/v1/purchases", json=body, headers=dict(self.key)
                    )
                except httpx.TransportError:
                    pass
                else:
                    if answer.status_code == 202:
                        return self._note(body, UUID(answer.json()["event_id"]))
                    assert answer.status_code in RETRIABLE, answer.text
                self.retries += 1
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, 1.0)

    def _note(self, body: dict[str, Any], event_id: UUID) -> None:
        day = datetime.fromisoformat(body["business_date"]).date()
        receipt = ids.receipt_id(self.store, self.terminal, day, body["receipt_no"])
        if self.sales.setdefault(event_id, receipt) != receipt:
            raise AssertionError(f"{event_id} stands for two receipts")
        self.net_minor = 600 * len(self.sales)

    async def until_answered(self, count: int) -> None:
        while len(self.sales) < count:
            await asyncio.sleep(0.1)


@asynccontextmanager
async def load(rig: Rig, clients: Clients, run: str) -> AsyncGenerator[Driver, None]:
    """Keep tills busy inside the block; afterwards every sale that was begun is answered."""
    env = rig.env
    driver = Driver(
        clients=clients,
        key={"Authorization": f"Bearer {env['TERMINAL_KEY']}"},
        store=env["TERMINAL_STORE_ID"],
        terminal=env["TERMINAL_ID"],
        run=run,
        app_key=env["APP_KEY"],
    )
    await driver.enrol()
    async with asyncio.TaskGroup() as group:
        for first in range(TILLS):
            group.create_task(driver.till(first, TILLS))
        try:
            yield driver
        finally:
            driver.stop = True
