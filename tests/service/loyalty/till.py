"""A till that spends the points of one member."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx

from services.loyalty.handlers import holds
from shared.db import run_unit
from tests import builders
from tests.service.loyalty.desk import Desk


class Till:
    """A member with points, and a till that spends them."""

    def __init__(self, desk: Desk, client: httpx.AsyncClient, *, card: str = "9840001234") -> None:
        self.desk, self.client, self.card = desk, client, card
        self.member_id = UUID(int=0)
        self.receipts = 0

    async def enrol(self, points: int) -> None:
        body = {"identifiers": [{"kind": "card", "value": self.card}]}
        answer = await self.client.post("/v1/members", json=body)
        self.member_id = UUID(answer.json()["member_id"])
        await self.earn(points)

    def sale(self, points: int, **overrides: Any) -> Any:
        self.receipts += 1
        lines = [builders.line(category="BREAD", amount_minor=points * 10)]
        number = str(self.receipts)
        return builders.purchase_recorded(
            receipt_no=number, member_id=self.member_id, lines=lines, **overrides
        )

    async def earn(self, points: int, **overrides: Any) -> Any:
        event = self.sale(points, **overrides)
        await self.desk.apply(event)
        return event

    async def hold(self, points: int, key: str | None = None, **more: Any) -> httpx.Response:
        body = {
            "member_id": str(self.member_id),
            "points": points,
            "identified_by": {"card": self.card},
        }
        return await self.post("/v1/holds", {**body, **more}, key)

    async def take(self, reward_id: str, key: str | None = None, **more: Any) -> httpx.Response:
        """Ask for a reward, again while the service is too busy."""
        body = {
            "member_id": str(self.member_id),
            "reward_id": reward_id,
            "identified_by": {"card": self.card},
        }
        key = key or uuid4().hex
        while (answer := await self.post("/v1/holds", {**body, **more}, key)).status_code == 503:
            await asyncio.sleep(0.1)
        return answer

    async def taken(self, reward_id: str, **more: Any) -> UUID:
        """Take a reward and return its hold."""
        answer = await self.take(reward_id, **more)
        assert answer.status_code == 201, answer.text
        return UUID(answer.json()["hold_id"])

    async def hold_at_last(self, points: int) -> httpx.Response:
        """Ask again with the same key while the service is too busy, as a till does."""
        key = uuid4().hex
        while (answer := await self.hold(points, key)).status_code == 503:
            await asyncio.sleep(0.1)
        return answer

    async def held(self, points: int, **more: Any) -> UUID:
        answer = await self.hold(points, **more)
        assert answer.status_code == 201, answer.text
        return UUID(answer.json()["hold_id"])

    async def act(self, hold_id: UUID, verb: str, **body: Any) -> httpx.Response:
        return await self.post(f"/v1/holds/{hold_id}:{verb}", body)

    async def post(
        self, path: str, body: Mapping[str, Any], key: str | None = None
    ) -> httpx.Response:
        headers = {"Idempotency-Key": key or uuid4().hex}
        return await self.client.post(path, json=body, headers=headers)

    async def has(self) -> tuple[int, int, int, int]:
        """Return what is available, pending, held and owed; the books must close."""
        report = await self.desk.audit()
        assert report.ok, report
        answer = await self.client.get(f"/v1/members/{self.member_id}/balance")
        body = answer.json()
        return body["available"], body["pending"], body["held"], body["debt"]

    async def sweep(self, **later: float) -> int:
        self.desk.clock.advance(timedelta(**later))
        return await run_unit(self.desk.db, lambda tx: holds.sweep(tx, self.desk.context))
