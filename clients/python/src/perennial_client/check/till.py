"""The till that plays the day: makes receipts that no run has had before, and sends anything."""

import asyncio
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import httpx

from perennial_client.answers import retry_after_s
from perennial_client.check.exchange import Broken, Exchange
from perennial_client.check.kit import NotTried

DEADLINE_S = 30.0
PATIENCE_S = 10.0
"""Longest wait for one ``Retry-After``."""
TRIES_MAX = 5
PURCHASES, BATCH = "/v1/purchases", "/v1/purchases:batch"
RETURNS, VOIDS, AMENDMENTS, CLAIMS = "/v1/returns", "/v1/voids", "/v1/amendments", "/v1/claims"

Body = dict[str, Any]


@dataclass
class Till:
    """One terminal of a store, and the line to the server."""

    http: httpx.AsyncClient
    url: str
    key: str = field(repr=False)
    store_id: str
    terminal_id: str
    card: str | None = None
    """Of an enrolled member, for the rules that need one."""
    wait_s: float = 30.0
    """For an event to be processed everywhere."""
    run: str = field(default_factory=lambda: f"{int(time.time()):x}{secrets.token_hex(3)}")
    """In the number of each receipt, so that the next run is a new day."""
    seen: list[Exchange] = field(default_factory=list[Exchange])
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    # --- what a till says -------------------------------------------------------------------

    def number(self) -> str:
        """Return a receipt number that was never used."""
        return f"tc-{self.run}-{next(self._numbers)}"

    def sale(self, *, at: datetime | None = None, **differing: object) -> Body:
        """Return a fresh sale of bananas for 1.11, with what differs."""
        when = at or datetime.now(UTC)
        line = {"line_no": 1, "sku": "till-check", "description": "Bananas", "quantity": "1.12"}
        return {
            **self._terminal(),
            "receipt_no": self.number(),
            "business_date": when.date().isoformat(),
            "occurred_at": when.isoformat(),
            "currency": "USD",
            "lines": [line | {"unit_price_minor": 99, "amount_minor": 111}],
            "tenders": [{"kind": "card", "amount_minor": 111}],
            "total_minor": 111,
        } | differing

    def ten(self, **differing: object) -> Body:
        """Return a sale of ten pieces for 1.00 each."""
        line = {"line_no": 1, "sku": "till-check", "quantity": "10", "amount_minor": 1000}
        return self.sale(lines=[line], tenders=[], total_minor=1000) | differing

    def back(self, sale: Body, quantity: str, amount_minor: int, **differing: object) -> Body:
        """Return a return from line 1 of a sale."""
        when = datetime.now(UTC)
        line = {"line_no": 1, "quantity": quantity, "amount_minor": amount_minor}
        return {
            **self._terminal(),
            "receipt_no": self.number(),
            "business_date": when.date().isoformat(),
            "occurred_at": when.isoformat(),
            "original": number_of(sale),
            "currency": sale["currency"],
            "lines": [line],
            "total_minor": amount_minor,
        } | differing

    def void(self, sale: Body, **differing: object) -> Body:
        """Return the void of a sale."""
        when = datetime.now(UTC).isoformat()
        return {**number_of(sale), "occurred_at": when, "reason": "till-check"} | differing

    def amendment(self, sale: Body, revision: int = 2, **differing: object) -> Body:
        """Return a correction of a sale to what differs."""
        return {"revision": revision, "reason": "till-check", "purchase": sale | differing}

    def _terminal(self) -> Body:
        return {"store_id": self.store_id, "terminal_id": self.terminal_id}

    # --- how it says it ---------------------------------------------------------------------

    async def send(
        self, path: str, body: object, *, headers: Mapping[str, str | None] | None = None
    ) -> Exchange:
        """Post ``body`` (bytes as they are, the rest as JSON) and return what came back.

        ``headers`` replace the usual ones; None leaves one out. A server that is busy is waited
        for, as a till does. Raises ``NotTried`` if it has no such route.
        """
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self._answered("POST", path, content, self._headers(headers))

    async def read(self, path: str) -> Exchange:
        """Get what is at ``path``."""
        return await self._answered("GET", path, b"", self._headers({"Content-Type": None}))

    async def sell(self) -> Body:
        """Record a fresh sale; return it."""
        sale = self.sale()
        (await self.send(PURCHASES, sale)).expect(202)
        return sale

    async def status(self, accepted: Exchange) -> Exchange:
        """Return the status of what was accepted."""
        url = accepted.json.get("status_url")
        accepted.check(isinstance(url, str), "expected a status_url")
        return (await self.read(str(url))).expect(200)

    async def until(self, accepted: Exchange, *wanted: str) -> Exchange:
        """Follow an event until its status is one of ``wanted``; ``Broken`` after ``wait_s``."""
        deadline = time.monotonic() + self.wait_s
        while True:
            told = await self.status(accepted)
            if told.json.get("status") in wanted:
                return told
            late = f"not {' or '.join(wanted)} after {self.wait_s:g} s"
            told.check(time.monotonic() < deadline, f"status {told.json.get('status')!r}, {late}")
            await asyncio.sleep(0.2)

    async def hang_up(self, path: str, body: Body, *, share: float = 1.0) -> None:
        """Send a request, or the first ``share`` of its body, and drop the line at once."""
        there = urlsplit(self.url)
        content = json.dumps(body).encode()
        head = f"POST {there.path.rstrip('/')}{path} HTTP/1.1\r\nHost: {there.netloc}\r\n"
        for name, value in self._headers(None).items():
            head += f"{name}: {value}\r\n"
        head += f"Content-Length: {len(content)}\r\n\r\n"
        secure = there.scheme == "https"
        port = there.port or (443 if secure else 80)
        async with asyncio.timeout(DEADLINE_S):
            _, writer = await asyncio.open_connection(there.hostname, port, ssl=secure or None)
            writer.write(head.encode() + content[: int(len(content) * share)])
            await writer.drain()
            writer.close()

    def _headers(self, differing: Mapping[str, str | None] | None) -> dict[str, str]:
        usual = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        wanted = {**usual, **(differing or {})}
        return {name: value for name, value in wanted.items() if value is not None}

    async def _answered(
        self, method: str, path: str, content: bytes, headers: Mapping[str, str]
    ) -> Exchange:
        asked = Exchange(
            method,
            f"{self.url}{path}",
            {name.lower(): value for name, value in headers.items()},
            content,
        )
        tries = 1
        told = await self._once(asked, headers)
        while told.status == 503 and tries < TRIES_MAX:
            wait_s = retry_after_s(told.answer_headers.get("retry-after"), now=datetime.now(UTC))
            if not 0 < wait_s <= PATIENCE_S:
                break
            await asyncio.sleep(wait_s)
            tries += 1
            told = await self._once(asked, headers)
        if told.status == 404 and told.json.get("code") == "not_found":
            raise NotTried(f"the server has no {method} {path}")
        return told

    async def _once(self, asked: Exchange, headers: Mapping[str, str]) -> Exchange:
        try:
            async with asyncio.timeout(DEADLINE_S):
                answer = await self.http.request(
                    asked.method, asked.url, content=asked.body, headers=dict(headers)
                )
        except (httpx.HTTPError, TimeoutError) as error:
            raise Broken(f"no answer: {error!r}", asked) from error
        told = replace(
            asked,
            status=answer.status_code,
            answer_headers=answer.headers,
            answer=answer.content,
        )
        self.seen.append(told)
        return told


def number_of(sale: Body) -> Body:
    """Return the natural key of a sale."""
    return {name: sale[name] for name in ("store_id", "terminal_id", "receipt_no", "business_date")}


def hours(number: float) -> timedelta:
    """Return a duration."""
    return timedelta(hours=number)
