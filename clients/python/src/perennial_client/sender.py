"""Sends what a spool holds: in order, patiently, and harmlessly when it repeats itself."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from random import Random
from types import TracebackType
from typing import Self

import httpx

from perennial_client import answers
from perennial_client.answers import Done, KeyRefused, Later, Never, Verdict
from perennial_client.ingest import AuthenticatedClient
from perennial_client.spool import MIB, Entry, Kind, Spool, SpoolError

PATHS: dict[Kind, str] = {
    "purchase": "/v1/purchases",
    "return": "/v1/returns",
    "void": "/v1/voids",
    "amendment": "/v1/amendments",
}
BATCH_PATH = "/v1/purchases:batch"
ANSWER_BYTES_MAX = 8 * MIB

Ended = tuple[Entry, Done | Never]
"""What was sent, as it was, and what became of it."""
OnEnd = Callable[[Entry, Done | Never], None]


@dataclass(frozen=True, slots=True)
class Patience:
    """Limits and pauses of a sender."""

    first_pause_s: float = 0.5
    longest_pause_s: float = 60.0
    """Pauses double from the first to the longest; each is drawn from zero up (full jitter)."""
    deadline_s: float = 15.0
    """For one receipt, from connecting to the last byte of the answer."""
    batch_deadline_s: float = 120.0
    batch_rows_max: int = 500
    batch_bytes_max: int = 2 * MIB
    idle_s: float = 1.0
    """How often an empty spool is looked at."""
    bugs_max: int = 20
    """A receipt that is answered 500 so often is set aside: the rest must not wait for ever."""


class KeyNotAccepted(SpoolError):
    """The server refuses the key; everything stays and can be sent with another."""


class Sender:
    """The one sender of a spool: ``async with Sender(spool, client) as sender``."""

    def __init__(
        self,
        spool: Spool,
        client: AuthenticatedClient,
        *,
        patience: Patience | None = None,
        on_end: OnEnd | None = None,
    ) -> None:
        """Send ``spool`` by ``client``; ``on_end`` hears of each receipt once it is marked."""
        self.spool = spool
        self.trouble: str | None = None
        """Why the last attempt did not succeed, for the till's screen; None while all is well."""
        self._client = client
        self._patience = patience or Patience()
        self._on_end = on_end
        self._rows = self._patience.batch_rows_max
        self._failures = 0
        self._key_refused = False
        self._bugs: Counter[int] = Counter()
        self._random = Random()  # noqa: S311  spreads retries; no secret
        self._exits = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Take the lock; raises ``SpoolInUse``."""
        self._exits.enter_context(self.spool.sending())
        # Each try has one deadline for everything; httpx would begin anew with each packet.
        timeless = self._client.with_timeout(httpx.Timeout(None))
        self._http = await self._exits.enter_async_context(timeless.get_async_httpx_client())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._exits.aclose()

    async def drain(self) -> list[Ended]:
        """Send until nothing waits any more; return what became of each.

        Give it a limit by ``asyncio.timeout``. Raises ``KeyNotAccepted`` at once, where ``run``
        would keep trying.
        """
        ended: list[Ended] = []
        while entries := self._head():
            over, pause_s = await self._step(entries)
            ended += over
            if self._key_refused:
                raise KeyNotAccepted(self.trouble)
            await asyncio.sleep(pause_s)
        return ended

    async def run(self, stop: asyncio.Event) -> None:
        """Send what waits and what comes, until ``stop``."""
        while not stop.is_set():
            pause_s = self._patience.idle_s
            if entries := self._head():
                _, pause_s = await self._step(entries)
            if pause_s:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause_s)

    def _head(self) -> list[Entry]:
        return self.spool.head(rows_max=self._rows, bytes_max=self._patience.batch_bytes_max)

    async def _step(self, entries: Sequence[Entry]) -> tuple[list[Ended], float]:
        """Try once and mark what is over; return that, and the seconds until the next try."""
        verdicts = list(zip(entries, await self._try(entries), strict=True))
        over = [(entry, one) for entry, one in verdicts if isinstance(one, Done | Never)]
        if over:
            self.spool.finish(over)
            self._failures = 0
            for entry, one in over:
                self._bugs.pop(entry.id, None)
                if self._on_end is not None:
                    self._on_end(entry, one)
        pending = [one for _, one in verdicts if isinstance(one, Later | KeyRefused)]
        self._key_refused = any(isinstance(one, KeyRefused) for one in pending)
        if not pending:
            self.trouble = None
            self._rows = min(2 * self._rows, self._patience.batch_rows_max)
            return over, 0.0
        self.trouble = pending[0].why
        self._rows = max(1, len(entries) // 2)
        return over, self._pause_s(pending)

    def _pause_s(self, pending: Sequence[Later | KeyRefused]) -> float:
        """Return at least what was asked for, and a share of the growing pause on top.

        Tills that were turned away together must not come back together.
        """
        self._failures += 1
        ceiling = min(
            self._patience.first_pause_s * 2.0 ** min(self._failures - 1, 30),
            self._patience.longest_pause_s,
        )
        asked = max(one.wait_s if isinstance(one, Later) else 0.0 for one in pending)
        return asked + self._random.uniform(0.0, ceiling)

    async def _try(self, entries: Sequence[Entry]) -> Sequence[Verdict]:
        if len(entries) > 1:
            return await self._try_batch(entries)
        return [await self._try_one(entries[0])]

    async def _try_one(self, entry: Entry) -> Verdict:
        answer = await self._post(PATHS[entry.kind], entry.body or b"", self._patience.deadline_s)
        if isinstance(answer, Later):
            return answer
        verdict = answers.of_response(answer.status, answer.headers, answer.content)
        if isinstance(verdict, Later) and verdict.ours:
            self._bugs[entry.id] += 1
            if self._bugs[entry.id] >= self._patience.bugs_max:
                return Never(answers.document(answer.content) or {})
        return verdict

    async def _try_batch(self, entries: Sequence[Entry]) -> Sequence[Verdict]:
        body = b"[" + b",".join(entry.body or b"" for entry in entries) + b"]"
        answer = await self._post(BATCH_PATH, body, self._patience.batch_deadline_s)
        if isinstance(answer, Later):
            return [answer] * len(entries)
        rows = answers.of_rows(answer.content, len(entries)) if answer.status == 207 else None
        if rows is not None:
            return rows
        told = answers.document(answer.content)
        whole = answers.of_problem(answer.status, answer.headers, told)
        if not isinstance(whole, Never):
            return [whole] * len(entries)
        # Refused without a word about which row: the first one alone is told what it has.
        rest = Later(f"the batch was refused: {answer.status}")
        return [await self._try_one(entries[0]), *[rest] * (len(entries) - 1)]

    async def _post(self, path: str, body: bytes, deadline_s: float) -> "_Answer | Later":
        headers = {"Content-Type": "application/json"}
        content = b""
        try:
            async with (
                asyncio.timeout(deadline_s),
                self._http.stream("POST", path, content=body, headers=headers) as response,
            ):
                async for part in response.aiter_bytes():
                    content += part
                    if len(content) > ANSWER_BYTES_MAX:
                        return Later("an endless answer")
                return _Answer(response.status_code, response.headers, content)
        except TimeoutError:
            return Later(f"no answer in {deadline_s:g} s")
        except httpx.HTTPError as error:
            return Later(f"no answer: {error!r}")


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: httpx.Headers
    content: bytes
