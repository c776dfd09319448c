"""What exits is started again; what stopped on purpose is not."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from deploy.local import part as parts
from deploy.local import processes
from deploy.local.layout import Layout, read_json
from deploy.local.part import Part
from deploy.local.supervisor import LocalStackError, Supervisor, end_orphans

RUN = "import time; time.sleep(60)"


async def always() -> bool:
    return True


async def never() -> bool:
    return False


def part(folder: Path, code: str, ready: Callable[[], Awaitable[bool]] = always) -> Part:
    log = folder / "log" / "probe.log"
    return Part("probe", lambda: processes.spawn([sys.executable, "-c", code], log=log), ready, log)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not condition():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def keeping(supervisor: Supervisor, probe: Part) -> AsyncGenerator[None]:
    """Keep ``probe`` running for the block; afterwards nobody keeps it, but it still runs."""
    async with asyncio.TaskGroup() as group:
        keeper = group.create_task(parts.keep(probe, supervisor.tell))
        supervisor.parts.append(probe)
        await until(lambda: probe.state == "ready")
        yield
        keeper.cancel()


@pytest.fixture
def supervisor(tmp_path: Path) -> Supervisor:
    return Supervisor(Layout(tmp_path), scope="infra")


async def test_a_killed_process_is_started_again(supervisor: Supervisor, tmp_path: Path) -> None:
    probe = part(tmp_path, RUN)
    async with keeping(supervisor, probe):
        assert probe.identity is not None
        first = probe.identity
        os.kill(first.pid, signal.SIGKILL)
        await until(lambda: probe.state == "ready" and probe.identity != first)
    assert probe.restarts == 1
    second = probe.identity
    assert second is not None
    assert second.alive
    await supervisor.stop(first=())
    assert not second.alive
    assert read_json(tmp_path / "state.json")["phase"] == "down"


async def test_exit_78_is_final_and_told(supervisor: Supervisor, tmp_path: Path) -> None:
    probe = part(tmp_path, "print('topic was recreated'); raise SystemExit(78)", never)
    with pytest.raises(ExceptionGroup) as raised:
        async with asyncio.TaskGroup() as group:
            await supervisor.start(group, [probe], limit_s=10)
    (error,) = raised.value.exceptions
    assert isinstance(error, LocalStackError)
    assert "stopped on purpose" in str(error)
    assert "topic was recreated" in str(error)
    assert (probe.state, probe.restarts) == ("stopped", 0)
    (row,) = read_json(tmp_path / "state.json")["parts"]
    assert row["state"] == "stopped"


async def test_a_part_that_never_gets_ready_ends_the_wait_with_its_last_words(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    probe = part(tmp_path, RUN, never)
    with pytest.raises(ExceptionGroup) as raised:
        async with asyncio.TaskGroup() as group:
            await supervisor.start(group, [probe], limit_s=0.5)
    assert "probe: not ready" in str(raised.value.exceptions[0])
    await supervisor.stop(first=())


async def test_orphans_of_a_killed_supervisor_are_ended(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    probe = part(tmp_path, RUN)
    async with keeping(supervisor, probe):
        pass
    orphan = probe.identity
    assert orphan is not None
    assert end_orphans(Layout(tmp_path)) == ["probe"]
    assert not orphan.alive
    assert end_orphans(Layout(tmp_path)) == []
    assert probe.process is not None
    probe.process.wait()


async def test_a_log_is_capped_while_its_process_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "LOG_LIMIT_BYTES", 10_000)
    log = tmp_path / "noisy.log"
    code = "import time\nwhile True: print('x' * 99, flush=True); time.sleep(0.001)"
    noisy = processes.spawn([sys.executable, "-c", code], log=log)
    try:
        await until(lambda: log.exists() and log.stat().st_size > 10_000)
        async with asyncio.TaskGroup() as group:
            capping = group.create_task(parts.cap_logs(tmp_path, every_s=0.05))
            await until((tmp_path / "noisy.log.1").exists)
            capping.cancel()
        assert (tmp_path / "noisy.log.1").stat().st_size == 10_000
        await until(lambda: 0 < log.stat().st_size < 10_000)
    finally:
        noisy.kill()
        noisy.wait()
