"""A whole supervised stack of the tests' own: real processes that can be killed and frozen."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from demo.stack import Clients, Stack, connect
from deploy.local import layout, processes

CHECKOUT = Path(__file__).parents[1]
UP_TIMEOUT_S = 300
RECOVERY_S = 120.0
LONG = os.environ.get("FAULTS") == "long"
"""``make faults``: 50 kills and 100,000 events instead of a handful."""


class Rig:
    """The stack in ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._environ = os.environ | {
            "PERENNIAL_LOCAL_DIR": str(root),
            "PERENNIAL_ANY_PORTS": "1",
        }

    def command(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *words],
            check=False,
            capture_output=True,
            text=True,
            env=self._environ,
            cwd=CHECKOUT,
            timeout=UP_TIMEOUT_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def operate(self, service: str, *words: str) -> str:
        """Run a service's command as its operator would, with the stack's settings."""
        done = subprocess.run(
            [sys.executable, "-m", f"services.{service}", *words],
            check=False,
            capture_output=True,
            text=True,
            env=self._environ | self.env,
            cwd=CHECKOUT,
            timeout=UP_TIMEOUT_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def spawn(self, service: str, process: str) -> "Extra":
        """Start one more process of a service, outside the supervisor."""
        return Extra(self, service, process)

    def log(self, part: str) -> str:
        """Return what a part has logged."""
        return (self.root / "log" / f"{part}.log").read_text(errors="replace")

    @property
    def env(self) -> dict[str, str]:
        return dict(layout.read_env(layout.Layout(self.root)))

    @property
    def stack(self) -> Stack:
        return Stack(self.env, self.root / "env", self.root / "driver")

    def row(self, part: str) -> dict[str, Any]:
        state = json.loads((self.root / "state.json").read_text())
        (found,) = [row for row in state["parts"] if row["name"] == part]
        return found

    def identity(self, part: str) -> processes.Identity | None:
        row = self.row(part)
        return processes.Identity(row["pid"], row["started"]) if row["pid"] else None

    async def alive(self, part: str) -> processes.Identity:
        """Wait until the supervisor has the part running, and return it."""
        async with asyncio.timeout(RECOVERY_S):
            while True:
                found = self.identity(part)
                if found is not None and found.alive:
                    return found
                await asyncio.sleep(0.05)

    async def signal(self, part: str, number: signal.Signals) -> processes.Identity:
        found = await self.alive(part)
        os.kill(found.pid, number)
        return found

    async def ready(self, *parts: str) -> None:
        await until(lambda: _all_ready(self, parts))


class Extra:
    """A second process of a kind; started again when it exits, as a supervisor would."""

    def __init__(self, rig: Rig, service: str, process: str) -> None:
        self._command = [sys.executable, "-m", f"services.{service}", process]
        self._environ = rig._environ | rig.env | {f"{service.upper()}_HEALTH_PORT": "0"}
        self._log = rig.root / "log" / f"{service}-{process}-extra.log"
        self._process = self._launch()

    def _launch(self) -> "subprocess.Popen[bytes]":
        with self._log.open("ab") as log:
            return subprocess.Popen(
                self._command, env=self._environ, cwd=CHECKOUT, stdout=log, stderr=log
            )

    def keep(self) -> None:
        if self._process.poll() is not None:
            self._process = self._launch()

    async def stop(self) -> None:
        self._process.terminate()
        await asyncio.to_thread(self._process.wait, 30)


async def _all_ready(rig: Rig, parts: tuple[str, ...]) -> bool:
    return all(rig.row(part)["state"] == "ready" for part in parts)


async def until(holds: Callable[[], Awaitable[bool]], deadline_s: float = RECOVERY_S) -> None:
    """Poll until ``holds``; fails at the deadline."""
    async with asyncio.timeout(deadline_s):
        while not await holds():
            await asyncio.sleep(0.1)


@asynccontextmanager
async def connected(rig: Rig) -> AsyncGenerator[Clients, None]:
    async with connect(rig.stack) as clients:
        yield clients
