"""What the commands do: start the supervisor in the background, follow it, end it."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from deploy.local import processes
from deploy.local.errors import LocalStackError
from deploy.local.layout import CHECKOUT, Layout, Scope, read_json
from deploy.local.supervisor import end_orphans

UP_LIMIT_S = 600.0
"""Longer than all limits of the supervisor together: it gives up first, and says why."""
DOWN_LIMIT_S = 90.0
FOLLOW_POLL_S = 0.1


def supervisor_of(state: dict[str, Any]) -> processes.Identity | None:
    """Return the supervisor that wrote ``state``, if it still runs."""
    if not state.get("supervisor"):
        return None
    found = processes.Identity(*state["supervisor"])
    return found if found.alive else None


def up(layout: Layout, scope: Scope, *, tell: Callable[[str], None]) -> dict[str, Any]:
    """Bring the stack up, or find it up, and return its state once everything is ready.

    ``tell`` is given what is being waited for. Raises ``LocalStackError`` with the reason when
    it does not come up; nothing is left running then.
    """
    state = read_json(layout.state)
    running = supervisor_of(state)
    if running is not None and (
        state["phase"] == "stopping" or (scope == "all" and state["scope"] != "all")
    ):
        down(layout)
        running = None
    if running is None:
        running = _start_supervisor(layout, scope)
    return _follow(layout, running, tell)


def serve_command(scope: Scope) -> list[str]:
    """Return the command that is the supervisor.

    A module of its own, so that the other commands need not import all that it does.
    """
    return [sys.executable, "-m", "deploy.local.serve", scope]


def _start_supervisor(layout: Layout, scope: Scope) -> processes.Identity:
    command = serve_command(scope)
    layout.log.mkdir(parents=True, exist_ok=True)
    environ = {**os.environ, "PYTHONPATH": str(CHECKOUT), "PERENNIAL_LOCAL_DIR": str(layout.root)}
    with (layout.log / "supervisor.log").open("wb") as log:
        # A session of its own: closing the terminal or Ctrl-C there does not reach it.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environ,
            start_new_session=True,
        )
    # It outlives this command on purpose.
    process.returncode = 0
    identity = processes.identify(process.pid)
    if identity is None:
        raise LocalStackError(_supervisor_died(layout))
    return identity


def _follow(
    layout: Layout, running: processes.Identity, tell: Callable[[str], None]
) -> dict[str, Any]:
    until = time.monotonic() + UP_LIMIT_S
    while time.monotonic() < until:
        alive = running.alive
        state = read_json(layout.state)
        if state.get("supervisor") == [running.pid, running.started]:
            if state["phase"] == "ready":
                return state
            if state["phase"] == "failed" and not alive:
                raise LocalStackError(state["error"])
            tell(state["doing"])
        if not alive:
            raise LocalStackError(_supervisor_died(layout))
        time.sleep(FOLLOW_POLL_S)
    down(layout)
    raise LocalStackError(f"The stack was not up in {UP_LIMIT_S:.0f} s; see {layout.log}.")


def _supervisor_died(layout: Layout) -> str:
    return f"The supervisor ended:\n{processes.tail(layout.log / 'supervisor.log')}"


def down(layout: Layout) -> list[str]:
    """End what ``up`` started, and only that; return the names of the parts that ran."""
    state = read_json(layout.state)
    names = [
        row["name"]
        for row in state.get("parts", [])
        if row["pid"] is not None and processes.Identity(row["pid"], row["started"]).alive
    ]
    running = supervisor_of(state)
    if running is not None:
        running.end(deadline_s=DOWN_LIMIT_S)
    end_orphans(layout)
    return names


def clean(layout: Layout) -> None:
    """End the stack and delete its data, secrets and logs."""
    down(layout)
    if layout.root.exists():
        if not (layout.state.exists() or layout.env.exists()):
            raise LocalStackError(f"{layout.root} does not look like a local stack; not deleted.")
        shutil.rmtree(layout.root)
