"""Simulated tills: one per shop, in time order, patient, and harmless when they repeat.

The driver's own record of every answer is kept beside what the services say, for the audit.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self, TextIO
from uuid import UUID

import httpx

from demo import plan

AT_ONCE = 24
"""Receipts on their way at the same time; the tills behind them are more."""
GIVE_UP_AFTER_S = 60.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
IMPATIENT = httpx.Timeout(10.0, read=0.003)
"""For an answer that is to be lost on the way: we hang up while the service works."""
UPLOAD_MAX = 1_000
_TRY_AGAIN = {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}


class TillError(RuntimeError):
    """The services answered something that no till should ever see."""


@dataclass
class Record:
    """What the driver knows: every call's outcome, by its natural key, and the counts."""

    path: Path
    accepted: dict[str, UUID] = field(default_factory=dict[str, UUID])
    """Key → receipt of everything that was answered with a yes, once or more often."""
    events: dict[str, UUID] = field(default_factory=dict[str, UUID])
    """Key → event id; the same at every repeat."""
    counts: Counter[str] = field(default_factory=Counter[str])
    _file: TextIO | None = None

    def __enter__(self) -> Self:
        """Open the log, one JSON object per answer."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("w", encoding="utf-8")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the log."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def note(self, call: plan.Call, outcome: str, event_id: str | None) -> None:
        """Count and log one answer; ``outcome`` is accepted, replayed or lost."""
        self.counts[outcome] += 1
        if event_id is not None:
            event = UUID(event_id)
            if self.events.setdefault(call.key, event) != event:
                message = f"{call.key}: event {event}, and {self.events[call.key]} before"
                raise TillError(message)
            self.accepted[call.key] = call.receipt_id
        if self._file is not None:
            line = {"key": call.key, "outcome": outcome, "event_id": event_id}
            self._file.write(json.dumps(line) + "\n")


@dataclass(frozen=True)
class Till:
    """One shop's till: what it sends waits in its own line."""

    client: httpx.AsyncClient
    key: str = field(repr=False)
    record: Record

    async def send(self, call: plan.Call) -> None:
        """Tell one sale or return until it is answered, as its fate has it."""
        if call.fate == "answer_lost":
            await self._lose_the_answer(call)
        repeats = 2 if call.fate == "sent_twice" else 1
        for _ in range(repeats):
            answer = await self._post(call.path, call.body)
            self._note(call, answer)

    async def upload(self, calls: Sequence[plan.Call]) -> None:
        """Send what was kept while offline."""
        for start in range(0, len(calls), UPLOAD_MAX):
            some = calls[start : start + UPLOAD_MAX]
            bodies = [call.body for call in some]
            answer = await self._post("/v1/purchases:batch", bodies)
            results: list[dict[str, Any]] = answer.json()["results"]
            for call, result in zip(some, results, strict=True):
                if result["outcome"] not in {"accepted", "replayed"}:
                    message = f"{call.key}: {result}"
                    raise TillError(message)
                self.record.note(call, result["outcome"], result["event_id"])
                self.record.counts["uploaded"] += 1

    def _note(self, call: plan.Call, answer: httpx.Response) -> None:
        body = answer.json()
        outcome = "replayed" if body["duplicate"] else "accepted"
        self.record.note(call, outcome, body["event_id"])

    async def _lose_the_answer(self, call: plan.Call) -> None:
        """Hang up before the answer: only the next attempt tells what became of it."""
        try:
            answer = await self.client.post(
                call.path, json=call.body, headers=self._headers, timeout=IMPATIENT
            )
        except httpx.TransportError:
            self.record.note(call, "lost", None)
        else:
            if answer.is_success:
                self._note(call, answer)

    async def _post(self, path: str, body: object) -> httpx.Response:
        return await post_patiently(self.client, path, body, headers=self._headers)

    @property
    def _headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


async def post_patiently(
    client: httpx.AsyncClient, path: str, body: object, *, headers: Mapping[str, str]
) -> httpx.Response:
    """Post until there is a final answer, as a till does; raise ``TillError`` on a refusal."""
    pause_s = FIRST_PAUSE_S
    async with asyncio.timeout(GIVE_UP_AFTER_S):
        while True:
            wait_s = pause_s
            try:
                answer = await client.post(path, json=body, headers=dict(headers))
            except httpx.TransportError:
                pass
            else:
                if answer.is_success:
                    return answer
                if answer.status_code not in _TRY_AGAIN:
                    message = f"POST {path}: {answer.status_code} {answer.text[:500]}"
                    raise TillError(message)
                wait_s = max(wait_s, float(answer.headers.get("Retry-After", 0)))
            # Tills that were refused together must not come back together.
            await asyncio.sleep(wait_s * Random().uniform(0.5, 1.0))
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
