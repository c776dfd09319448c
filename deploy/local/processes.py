"""Processes that are ours: started so that none outlives us unseen, ended by identity.

A pid alone is not an identity, since the kernel gives it away again. A process is remembered
with its start time, and nothing is signalled whose start time differs.
"""

import contextlib
import ctypes
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
POLL_S = 0.02

# Loaded once here: after a fork only what is already in memory is safe to call.
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Identity:
    """A process, told from any later one with the same pid."""

    pid: int
    started: str

    @property
    def alive(self) -> bool:
        """Whether this very process still runs; a zombie does not."""
        return start_time(self.pid) == self.started

    def send(self, number: signal.Signals, *, group: bool = True) -> None:
        """Send a signal to the process, and to its group if it leads one."""
        if not self.alive:
            return
        with contextlib.suppress(ProcessLookupError):
            if group and os.getpgid(self.pid) == self.pid:
                os.killpg(self.pid, number)
            else:
                os.kill(self.pid, number)

    def end(self, *, first: signal.Signals = signal.SIGTERM, deadline_s: float = 10.0) -> bool:
        """Ask it to end, and kill it after the deadline; return whether it ended by itself."""
        self.send(first)
        # A stopped process takes no other signal before this one.
        self.send(signal.SIGCONT)
        if wait_until(lambda: not self.alive, deadline_s=deadline_s):
            return True
        self.send(signal.SIGKILL)
        wait_until(lambda: not self.alive, deadline_s=5.0)
        return False


def start_time(pid: int) -> str | None:
    """Return when ``pid`` was started, in a form that only serves to compare; None if gone."""
    if sys.platform != "linux":
        command = ["/bin/ps", "-p", str(pid), "-o", "stat=,lstart="]
        shown = subprocess.run(command, capture_output=True, text=True, check=False)
        state, _, started = shown.stdout.strip().partition(" ")
        return started.strip() if started and not state.startswith("Z") else None
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command's name stands in brackets and may hold spaces; fields are counted behind it.
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX":
        return None
    return f"{_boot_id()}:{fields[19]}"


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def signal_named(name: str) -> signal.Signals:
    """Return the signal that a state file names."""
    return signal.Signals[name]


def identify(pid: int) -> Identity | None:
    """Return the identity of a running process."""
    started = start_time(pid)
    return None if started is None else Identity(pid, started)


def dies_with_parent(number: signal.Signals = signal.SIGTERM) -> Callable[[], None] | None:
    """Return a ``preexec_fn``: the kernel sends ``number`` when the starting thread ends.

    So that nothing outlives a supervisor that was killed with -9. Linux alone has it; elsewhere
    the recorded identities serve. Start such processes from the main thread.
    """
    if _LIBC is None:
        return None
    prctl = _LIBC.prctl

    def ask_kernel() -> None:
        prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)

    return ask_kernel


def spawn(
    command: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start ``command`` as the leader of its own session, its output appended to ``log``."""
    log.parent.mkdir(parents=True, exist_ok=True)
    account = _account(user)
    with log.open("ab") as output:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            user=None if account is None else account.pw_uid,
            group=None if account is None else account.pw_gid,
            extra_groups=None if account is None else [],
            start_new_session=True,
            preexec_fn=dies_with_parent(death_signal),  # noqa: PLW1509  see dies_with_parent
        )


def run_as(
    user: str | None, command: Sequence[str], *, cwd: Path
) -> subprocess.CompletedProcess[str]:
    """Run ``command`` to its end as ``user`` (None: as we are), with none of our own groups."""
    account = _account(user)
    return subprocess.run(
        list(command),
        check=False,
        capture_output=True,
        text=True,
        cwd=cwd,
        user=None if account is None else account.pw_uid,
        group=None if account is None else account.pw_gid,
        extra_groups=None if account is None else [],
    )


def _account(user: str | None) -> pwd.struct_passwd | None:
    # Its group is taken as well: with ours kept, the kernel would judge by a folder's group
    # rights and never look at those of others.
    return None if user is None else pwd.getpwnam(user)


def wait_until(condition: Callable[[], bool], *, deadline_s: float) -> bool:
    """Poll ``condition``; return False if it did not hold within the deadline."""
    until = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() >= until:
            return False
        time.sleep(POLL_S)
    return True


def tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log, for an error message."""
    if not log.exists():
        return "(no log)"
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 16_384))
        text = file.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-lines:])
