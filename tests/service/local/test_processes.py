"""Processes are known by pid and start time, and none outlives its starter."""

import signal
import subprocess
import sys
from pathlib import Path

from deploy.local import processes

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
IGNORES = "import signal, time; signal.signal(15, signal.SIG_IGN)"
STUBBORN = [sys.executable, "-c", f"{IGNORES}; print('on', flush=True); time.sleep(60)"]
PARENT = """
import sys, time
from pathlib import Path
from deploy.local import processes
sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
child = processes.spawn(sleeper, log=Path(sys.argv[1]))
print(child.pid, flush=True)
time.sleep(60)
"""


def identity(process: "subprocess.Popen[bytes]") -> processes.Identity:
    found = processes.identify(process.pid)
    assert found is not None
    return found


def test_a_recycled_pid_is_never_signalled(tmp_path: Path) -> None:
    process = processes.spawn(SLEEPER, log=tmp_path / "log")
    try:
        former = processes.Identity(process.pid, "another boot:1")
        assert not former.alive
        former.end(deadline_s=0.1)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_a_process_that_has_ended_is_not_alive_even_as_a_zombie(tmp_path: Path) -> None:
    process = processes.spawn([sys.executable, "-c", ""], log=tmp_path / "log")
    found = processes.identify(process.pid)
    assert processes.wait_until(lambda: found is None or not found.alive, deadline_s=10)
    process.wait()


def test_a_stubborn_process_is_killed_after_the_deadline(tmp_path: Path) -> None:
    process = processes.spawn(STUBBORN, log=tmp_path / "log")
    processes.wait_until(lambda: (tmp_path / "log").read_text() == "on\n", deadline_s=10)
    assert identity(process).end(deadline_s=0.2) is False
    assert process.wait(5) == -signal.SIGKILL


def test_a_frozen_process_is_ended(tmp_path: Path) -> None:
    process = processes.spawn(SLEEPER, log=tmp_path / "log")
    found = identity(process)
    found.send(signal.SIGSTOP)
    assert found.end(deadline_s=5) is True
    assert process.wait(5) == -signal.SIGTERM


def test_a_child_dies_with_a_starter_that_was_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "log")],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(Path(__file__).parents[3])},
    ) as parent:
        assert parent.stdout is not None
        child = processes.identify(int(parent.stdout.readline()))
        assert child is not None
        parent.kill()
        assert processes.wait_until(lambda: not child.alive, deadline_s=5)
