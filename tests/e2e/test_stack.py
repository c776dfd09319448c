"""``python -m deploy.local`` as a person uses it, on ports and in a folder of its own.

Kafka is given from outside (and never asked for anything here), so that Postgres and the mail
catcher alone are started; ``test_servers.py`` tests the Kafka node.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local import processes
from deploy.local.postgres import BIN

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(240)]
LIMIT_S = 120.0


class Commands:
    """The command line on one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environ = {
            **os.environ,
            "PERENNIAL_LOCAL_DIR": str(root),
            "PERENNIAL_ANY_PORTS": "1",
            "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        }

    def __call__(self, *words: str, expect: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "deploy.local", *words],
            check=False,
            capture_output=True,
            text=True,
            env=self.environ,
            timeout=LIMIT_S,
            cwd=Path(__file__).parents[2],
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.root / "state.json").read_text())
        return found

    @property
    def supervisor(self) -> processes.Identity:
        return processes.Identity(*self.state["supervisor"])

    def part(self, name: str) -> processes.Identity | None:
        (row,) = [row for row in self.state["parts"] if row["name"] == name]
        return processes.Identity(row["pid"], row["started"]) if row["pid"] else None

    def running(self, name: str) -> processes.Identity:
        found = self.part(name)
        assert found is not None
        assert found.alive
        return found

    def sql(self, statement: str) -> str:
        env = (self.root / "env").read_text().splitlines()
        (url,) = [line.partition("=")[2] for line in env if line.startswith("OFFERS_MIGRATION_")]
        command = [str(BIN / "psql"), "-XAtq", "-c", statement, url]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def local(scratch: Path, request: pytest.FixtureRequest) -> Iterator[Commands]:
    commands = Commands(scratch / f"stack-{request.node.name[:40]}")
    yield commands
    commands("down")


def test_up_twice_is_harmless_and_down_leaves_nothing_but_the_data(local: Commands) -> None:
    assert "127.0.0.1:1" in local("up", "--only", "infra")
    parts = [local.running("postgres"), local.running("mail"), local.supervisor]
    local("up", "--only", "infra")
    assert [local.running("postgres"), local.running("mail"), local.supervisor] == parts
    assert "ready" in local("status")

    local.sql("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
    assert "stopped 2 processes" in local("down")
    assert not [part for part in parts if part.alive]
    assert "down" in local("status", expect=3)
    assert "nothing was running" in local("down")

    local("up", "--only", "infra")
    assert local.sql("SELECT n FROM kept") == "7"
    local("clean")
    assert not local.root.exists()


def test_a_killed_part_comes_back_and_a_killed_supervisor_leaves_no_orphans(
    local: Commands,
) -> None:
    local("up", "--only", "infra")
    killed, postgres = local.running("mail"), local.running("postgres")
    os.kill(killed.pid, signal.SIGKILL)
    assert processes.wait_until(
        lambda: local.part("mail") not in {None, killed} and "unready" not in str(local.state),
        deadline_s=10,
    )
    again, supervisor = local.running("mail"), local.supervisor
    os.kill(supervisor.pid, signal.SIGKILL)
    for part in (again, postgres):
        assert processes.wait_until(lambda part=part: not part.alive, deadline_s=10)

    local("up", "--only", "infra")
    assert local.supervisor != supervisor
    local.running("postgres")
