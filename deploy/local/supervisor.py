"""Starts parts in order, keeps them running, tells their state in a file, ends them in reverse."""

import asyncio
import json
import os
from collections.abc import Sequence
from typing import Any

from deploy.local import part as parts
from deploy.local import processes
from deploy.local.errors import LocalStackError
from deploy.local.layout import Layout, read_json, write_private
from deploy.local.part import Part

TRIES_BEFORE_READY = 4
"""A part that exits so often without ever having been ready will not become it."""


class Supervisor:
    """The parts of one stack and what is known of them."""

    def __init__(self, layout: Layout, *, scope: str, own: Sequence[str] = ()) -> None:
        """``scope`` and ``own`` are only told on, in the state file."""
        self.layout = layout
        self.parts: list[Part] = []
        self.phase = "starting"
        self.doing = ""
        self.error = ""
        self.scope = scope
        self.own = sorted(own)
        self._me = processes.identify(os.getpid())

    async def start(
        self, group: asyncio.TaskGroup, wanted: Sequence[Part], *, limit_s: float
    ) -> None:
        """Start ``wanted`` together and wait until all are ready.

        Raises ``LocalStackError`` naming the part that is not, with the end of its log.
        """
        self.parts.extend(wanted)
        for part in wanted:
            group.create_task(parts.keep(part, self.tell))
        try:
            async with asyncio.timeout(limit_s):
                while not all(part.state == "ready" for part in wanted):
                    self._raise_if_hopeless(wanted)
                    await asyncio.sleep(parts.EXIT_POLL_S)
        except TimeoutError:
            late = [part for part in wanted if part.state != "ready"]
            raise LocalStackError(_complaint(late[0], f"not ready in {limit_s:.0f} s")) from None

    async def stop(self, *, first: Sequence[str]) -> None:
        """End all parts, those whose names begin with one of ``first`` before the others.

        Nobody may keep them any more.
        """
        self.phase = "stopping"
        self.tell()
        early = [part for part in self.parts if part.name.startswith(tuple(first))]
        late = [part for part in self.parts if part not in early]
        for stage in (early, late):
            await parts.end(stage)
            self.tell()
        self.phase = "failed" if self.error else "down"
        self.tell()

    def say(self, doing: str) -> None:
        """Tell what is being done, for whoever waits."""
        self.doing = doing
        self.tell()

    def tell(self) -> None:
        """Write the state file."""
        state: dict[str, Any] = {
            "phase": self.phase,
            "doing": self.doing,
            "error": self.error,
            "scope": self.scope,
            "own": self.own,
            "supervisor": None if self._me is None else [self._me.pid, self._me.started],
            "parts": [part.report() for part in self.parts],
        }
        write_private(self.layout.state, json.dumps(state, indent=2) + "\n")

    @staticmethod
    def _raise_if_hopeless(wanted: Sequence[Part]) -> None:
        for part in wanted:
            if part.state == "stopped":
                raise LocalStackError(_complaint(part, "stopped on purpose"))
            if part.restarts >= TRIES_BEFORE_READY and part.state == "backoff":
                raise LocalStackError(_complaint(part, part.detail))


def _complaint(part: Part, what: str) -> str:
    return f"{part.name}: {what}. The end of {part.log}:\n{processes.tail(part.log)}"


def end_orphans(layout: Layout) -> list[str]:
    """End what a supervisor that was killed has left behind; return the names.

    On Linux the kernel has done so already, see ``processes.dies_with_parent``; it may still be
    under way.
    """
    ended: list[str] = []
    for row in read_json(layout.state).get("parts", []):
        if row["pid"] is None:
            continue
        orphan = processes.Identity(row["pid"], row["started"])
        if orphan.alive:
            orphan.end(first=processes.signal_named(row["stop_signal"]))
            ended.append(row["name"])
    return ended
