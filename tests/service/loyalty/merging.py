"""An office that merges members, and the tills that these go on using."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx

from services.loyalty.handlers import holds
from shared.db import run_unit
from tests import builders
from tests.service.loyalty.desk import Desk

Balances = tuple[int, int, int, int]


class Office:
    """A clerk who merges members, and the tills that these go on using."""

    def __init__(self, desk: Desk, clerk: httpx.AsyncClient, till: httpx.AsyncClient) -> None:
        self.desk, self.clerk, self.till = desk, clerk, till
        self.cards: dict[UUID, str] = {}
        self.receipts = 0

    async def enrol(self, points: int = 0, **more: Any) -> UUID:
        card = f"98400012{len(self.cards):02}"
        body = {"identifiers": [{"kind": "card", "value": card}], **more}
        answer = await self.clerk.post("/v1/members", json=body)
        member_id = UUID(answer.json()["member_id"])
        self.cards[member_id] = card
        if points:
            await self.earn(member_id, points)
        return member_id

    def sale(self, member_id: UUID, points: int, **overrides: Any) -> Any:
        self.receipts += 1
        lines = [builders.line(category="BREAD", amount_minor=points * 10)]
        return builders.purchase_recorded(
            receipt_no=str(self.receipts), member_id=member_id, lines=lines, **overrides
        )

    async def earn(self, member_id: UUID, points: int, **overrides: Any) -> Any:
        event = self.sale(member_id, points, **overrides)
        await self.desk.apply(event)
        return event

    async def merge(self, member_id: UUID, into: UUID, key: str | None = None) -> httpx.Response:
        return await self._act(f"{member_id}:merge", {"into": str(into)}, key)

    async def merged(self, member_id: UUID, into: UUID) -> None:
        answer = await self.merge(member_id, into)
        assert answer.status_code == 200, answer.text

    async def unmerge(self, member_id: UUID, key: str | None = None) -> httpx.Response:
        return await self._act(f"{member_id}:unmerge", None, key)

    async def _act(self, path: str, body: Any, key: str | None) -> httpx.Response:
        headers = {"Idempotency-Key": key or uuid4().hex}
        return await self.clerk.post(f"/v1/members/{path}", json=body, headers=headers)

    async def hold(self, member_id: UUID, points: int, *, card_of: UUID) -> httpx.Response:
        body = {
            "member_id": str(member_id),
            "points": points,
            "identified_by": {"card": self.cards[card_of]},
        }
        headers = {"Idempotency-Key": uuid4().hex}
        return await self.till.post("/v1/holds", json=body, headers=headers)

    async def spend(self, member_id: UUID, points: int, *, card_of: UUID | None = None) -> None:
        hold = await self.hold(member_id, points, card_of=card_of or member_id)
        assert hold.status_code == 201, hold.text
        assert (await self.close(hold, "capture", {})).status_code == 200

    async def close(self, hold: httpx.Response, verb: str, body: Any = None) -> httpx.Response:
        headers = {"Idempotency-Key": uuid4().hex}
        path = f"/v1/holds/{hold.json()['hold_id']}:{verb}"
        return await self.till.post(path, json=body, headers=headers)

    async def has(self, *member_ids: UUID) -> list[Balances]:
        """Return what is available, pending, held and owed; the books must close."""
        report = await self.desk.audit()
        assert report.ok, report
        today = (await self.clerk.get("/v1/reports/liability")).json()
        assert today["closes"], today
        assert {"kind": "merged", "points": 0} in today["movements"]
        found = [await self.show(one, "balance") for one in member_ids]
        return [(one["available"], one["pending"], one["held"], one["debt"]) for one in found]

    async def show(self, member_id: UUID, part: str = "") -> Any:
        answer = await self.clerk.get(f"/v1/members/{member_id}/{part}".rstrip("/"))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def words(self, member_id: UUID) -> list[str]:
        entries = (await self.show(member_id, "entries"))["data"]
        return [one["explain"]["words"] for one in entries]

    async def lots(self, member_id: UUID) -> list[tuple[int, str]]:
        lots = (await self.show(member_id, "lots"))["data"]
        return [(one["remaining"], one["expires_at"][:10]) for one in lots]

    async def who_has(self, card_of: UUID) -> UUID:
        answer = await self.till.get("/v1/members:lookup", params={"card": self.cards[card_of]})
        return UUID(answer.json()["member_id"])

    async def sweep(self, **later: float) -> None:
        self.desk.clock.advance(timedelta(**later))
        await run_unit(self.desk.db, lambda tx: holds.sweep(tx, self.desk.context))
