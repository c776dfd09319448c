"""Simulated tills: one per shop, each with the spool and sender of ``perennial_client``.

What goes wrong between a real till and its server is added here: answers that get lost, receipts
that are sent twice, weeks without a line. The driver's own record of every answer is kept beside
what the services say, for the audit.
"""

import asyncio
import contextlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self, TextIO
from uuid import UUID

import httpx

from demo import plan
from perennial_client import (
    AuthenticatedClient,
    KeyNotAccepted,
    Kind,
    Patience,
    Sender,
    Spool,
)
from perennial_client.answers import Never

AT_ONCE = 24
"""Receipts on their way at the same time; the tills behind them are more."""
GIVE_UP_AFTER_S = 60.0
PATIENCE = Patience(first_pause_s=0.1, longest_pause_s=5.0, batch_rows_max=1_000, bugs_max=1)
"""A till of the demo does not set aside what a server breaks on: it ends the run."""
IMPATIENT = httpx.Timeout(10.0, read=0.003)
"""For an answer that is to be lost on the way: we hang up while the service works."""
_TRY_AGAIN = {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}
KINDS: Mapping[str, Kind] = {"/v1/purchases": "purchase", "/v1/returns": "return"}


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
    """One shop's till."""

    sender: Sender
    line: httpx.AsyncClient
    """For the mishaps: what its sender would never do."""
    record: Record

    async def send(self, call: plan.Call) -> None:
        """Tell one sale or return until it is answered, as its fate has it."""
        if call.fate == "answer_lost":
            await self._lose_the_answer(call)
        await self._forward([call])
        if call.fate == "sent_twice":
            self._note(call, await post_patiently(self.line, call.path, call.body))

    async def upload(self, calls: Sequence[plan.Call]) -> None:
        """Send what was kept while offline."""
        await self._forward(calls)
        self.record.counts["uploaded"] += len(calls)

    async def _forward(self, calls: Sequence[plan.Call]) -> None:
        """Put what there is to tell, and send it until all of it is answered."""
        spool = self.sender.spool
        waiting = {spool.put(KINDS[call.path], call.body).id: call for call in calls}
        try:
            async with asyncio.timeout(GIVE_UP_AFTER_S):
                ended = await self.sender.drain()
        except KeyNotAccepted as error:
            message = f"the key of {spool.terminal_id}: {error}"
            raise TillError(message) from error
        for entry, verdict in ended:
            call = waiting[entry.id]
            if isinstance(verdict, Never):
                message = f"{call.key}: {dict(verdict.problem)}"
                raise TillError(message)
            outcome = "replayed" if verdict.duplicate else "accepted"
            self.record.note(call, outcome, verdict.event_id)

    def _note(self, call: plan.Call, answer: httpx.Response) -> None:
        body = answer.json()
        outcome = "replayed" if body["duplicate"] else "accepted"
        self.record.note(call, outcome, body["event_id"])

    async def _lose_the_answer(self, call: plan.Call) -> None:
        """Hang up before the answer: only the next attempt tells what became of it."""
        try:
            answer = await self.line.post(call.path, json=call.body, timeout=IMPATIENT)
        except httpx.TransportError:
            self.record.note(call, "lost", None)
        else:
            if answer.is_success:
                self._note(call, answer)


@asynccontextmanager
async def open_tills(
    url: str,
    keys: Mapping[str, str],
    record: Record,
    transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncGenerator[Mapping[str, Till]]:
    """Open a till per shop, each with an empty spool of its own.

    Spools live in memory where there is a place for it: it is the services that are shown here,
    not this machine's disk. Nothing is numbered: a larger run tells the same receipts again, and
    would number them otherwise.
    """
    memory = Path("/dev/shm")  # noqa: S108  a folder of our own is made in it
    place = memory if os.access(memory, os.W_OK) else None
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=place)))
        opened: dict[str, Till] = {}
        for shop, key in keys.items():
            file = folder / f"{len(opened)}.db"
            spool = Spool(file, store_id=shop, terminal_id=plan.terminal_id(shop), numbered=False)
            stack.enter_context(spool)
            client = AuthenticatedClient(url, key, httpx_args={"transport": transport})
            sender = await stack.enter_async_context(Sender(spool, client, patience=PATIENCE))
            line = await stack.enter_async_context(
                httpx.AsyncClient(
                    base_url=url, headers={"Authorization": f"Bearer {key}"}, transport=transport
                )
            )
            opened[shop] = Till(sender, line, record)
        yield opened


async def post_patiently(
    client: httpx.AsyncClient, path: str, body: object, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    """Post until there is a final answer; raise ``TillError`` on a refusal."""
    pause_s = PATIENCE.first_pause_s
    async with asyncio.timeout(GIVE_UP_AFTER_S):
        while True:
            wait_s = 0.0
            with contextlib.suppress(httpx.TransportError):
                answer = await client.post(path, json=body, headers=dict(headers or {}))
                if answer.is_success:
                    return answer
                if answer.status_code not in _TRY_AGAIN:
                    message = f"POST {path}: {answer.status_code} {answer.text[:500]}"
                    raise TillError(message)
                wait_s = float(answer.headers.get("Retry-After", 0))
            await asyncio.sleep(wait_s + Random().uniform(0.0, pause_s))
            pause_s = min(2 * pause_s, PATIENCE.longest_pause_s)
