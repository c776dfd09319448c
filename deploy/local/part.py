"""One supervised process: started, watched, started again when it exits."""

import asyncio
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from deploy.local import processes

State = Literal["waiting", "starting", "ready", "unready", "backoff", "stopped", "ended"]

EXIT_STOPPED_ON_PURPOSE = 78
"""The process found something that a person must look at; starting it again would hide it."""

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
LONG_ENOUGH_S = 60.0
"""A process that ran so long starts again at once; a quick death is met with growing pauses."""

EXIT_POLL_S = 0.1
STARTING_POLL_S = 0.25
READY_POLL_S = 2.0
KILL_DEADLINE_S = 5.0
LOG_LIMIT_BYTES = 20 * 1024 * 1024


@dataclass
class Part:
    """What is run, how it is found ready and how it is ended; and how it is doing."""

    name: str
    launch: Callable[[], "subprocess.Popen[bytes]"]
    ready: Callable[[], Awaitable[bool]]
    log: Path
    url: str = ""
    stop_signal: signal.Signals = signal.SIGTERM
    stop_deadline_s: float = 15.0
    state: State = "waiting"
    detail: str = ""
    restarts: int = 0
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)
    identity: processes.Identity | None = None

    def report(self) -> dict[str, Any]:
        """Return this part's row of the state file."""
        return {
            "name": self.name,
            "state": self.state,
            "pid": self.identity.pid if self.identity else None,
            "started": self.identity.started if self.identity else None,
            "stop_signal": self.stop_signal.name,
            "restarts": self.restarts,
            "url": self.url,
            "log": str(self.log),
            "detail": self.detail,
        }


async def keep(part: Part, changed: Callable[[], None]) -> None:
    """Run ``part`` for ever; return only when it stopped on purpose.

    ``changed`` is called after each change of its state. Cancelling leaves the process running.
    """
    pause_s = FIRST_PAUSE_S
    while True:
        began = time.monotonic()
        _begin(part)
        changed()
        code = await _until_exit(part, changed)
        part.identity = None
        if code == EXIT_STOPPED_ON_PURPOSE:
            part.state = "stopped"
            part.detail = f"stopped on purpose, see {part.log}"
            changed()
            return
        if time.monotonic() - began >= LONG_ENOUGH_S:
            pause_s = FIRST_PAUSE_S
        part.restarts += 1
        part.state, part.detail = "backoff", f"{_ending(code)}, again in {pause_s:g} s"
        changed()
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, LONGEST_PAUSE_S)


def _begin(part: Part) -> None:
    _cap(part.log)
    part.process = part.launch()
    part.identity = processes.identify(part.process.pid)
    part.state, part.detail = "starting", ""


async def _until_exit(part: Part, changed: Callable[[], None]) -> int:
    """Follow the process's health until it exits; return its exit code."""
    process = part.process
    if process is None:
        raise AssertionError
    next_check = 0.0
    while (code := process.poll()) is None:
        if time.monotonic() >= next_check:
            await _check(part, changed)
            pause_s = READY_POLL_S if part.state == "ready" else STARTING_POLL_S
            next_check = time.monotonic() + pause_s
        await asyncio.sleep(EXIT_POLL_S)
    return code


async def _check(part: Part, changed: Callable[[], None]) -> None:
    is_ready = await part.ready()
    before = part.state
    if is_ready:
        part.state = "ready"
    elif part.state == "ready":
        part.state = "unready"
    if part.state != before:
        changed()


def _ending(code: int) -> str:
    return f"exit {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


def _cap(log: Path) -> None:
    """Keep the last ``LOG_LIMIT_BYTES`` beside the log and start it anew.

    The process goes on writing: its file is opened for appending, so it follows the truncation.
    """
    if not log.exists() or log.stat().st_size < LOG_LIMIT_BYTES:
        return
    with log.open("rb") as full:
        full.seek(-LOG_LIMIT_BYTES, 2)
        # No more than that, though the process may have written on meanwhile.
        log.with_name(f"{log.name}.1").write_bytes(full.read(LOG_LIMIT_BYTES))
    with log.open("r+b") as file:
        file.truncate(0)


def _cap_all(folder: Path) -> None:
    for log in folder.glob("*.log"):
        _cap(log)


async def cap_logs(folder: Path, every_s: float = 10.0) -> None:
    """Keep every log of a running stack within its limit."""
    while True:
        _cap_all(folder)
        await asyncio.sleep(every_s)


async def end(parts: Sequence[Part]) -> None:
    """End all of ``parts`` together: their signal, a deadline, SIGKILL for them and their group."""
    running = [part.process for part in parts if part.process is not None]
    for part in parts:
        if part.identity is not None:
            part.identity.send(part.stop_signal)
            # A stopped process takes no other signal before this one.
            part.identity.send(signal.SIGCONT)

    def gone() -> bool:
        return all(process.poll() is not None for process in running)

    deadline_s = max((part.stop_deadline_s for part in parts), default=0.0)
    await asyncio.to_thread(processes.wait_until, gone, deadline_s=deadline_s)
    for part in parts:
        if part.identity is not None:
            part.identity.send(signal.SIGKILL)
        part.state, part.identity = "ended", None
    await asyncio.to_thread(processes.wait_until, gone, deadline_s=KILL_DEADLINE_S)
