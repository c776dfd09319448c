"""Services started as they ship, on fresh databases, for as long as a part of the bench takes."""

import asyncio
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench import load
from bench.infra import Infra
from deploy.local import ports, processes
from shared import auth

STORE, TERMINAL = "bench-store", "bench-till"
READY_DEADLINE_S = 60.0
END_DEADLINE_S = 10.0
POLL_S = 0.05
_READY = load.encode("GET", "/health/ready")


@dataclass(frozen=True)
class Started:
    """A process that is ready."""

    process: subprocess.Popen[bytes]
    port: int

    def cpu_s(self) -> float:
        """CPU time it has used, all threads, user and system."""
        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system


@dataclass
class Shipped:
    """What runs. ``variables`` go to every process."""

    infra: Infra
    folder: Path
    variables: dict[str, str]
    started: list[Started] = field(default_factory=list[Started])

    async def service(self, name: str, *kinds: str) -> dict[str, Started]:
        """Make a fresh database, migrate, and start these processes of a service."""
        runtime, owner = await self.infra.database(name)
        prefix = name.upper()
        self.variables |= {
            f"{prefix}_DATABASE_URL": runtime,
            f"{prefix}_MIGRATION_DATABASE_URL": owner,
        }
        module = f"services.{name}"
        migrate = self._spawn([module, "migrate"], {}, f"{name}-migrate")
        if await asyncio.to_thread(migrate.wait, READY_DEADLINE_S):
            raise RuntimeError(f"{name} migrate: {processes.tail(self._log(f'{name}-migrate'))}")
        made: dict[str, Started] = {}
        for kind in kinds:
            port = ports.free_port()
            variable = f"{prefix}_PORT" if kind == "api" else f"{prefix}_HEALTH_PORT"
            made[kind] = await self.start([module, kind], port, {variable: str(port)})
        return made

    async def start(
        self, arguments: list[str], port: int, variables: Mapping[str, str] | None = None
    ) -> Started:
        """Start a module and wait until it says that it is ready."""
        name = "-".join(arguments)
        started = Started(self._spawn(arguments, variables or {}, name), port)
        self.started.append(started)
        try:
            async with asyncio.timeout(READY_DEADLINE_S):
                while not await _is_ready(port):
                    if started.process.poll() is not None:
                        raise RuntimeError(f"{name} ended: {processes.tail(self._log(name))}")
                    await asyncio.sleep(POLL_S)
        except TimeoutError as error:
            raise RuntimeError(f"{name} not ready: {processes.tail(self._log(name))}") from error
        return started

    async def end(self) -> None:
        """End all of them, those started last first."""
        for one in reversed(self.started):
            one.process.terminate()
        for one in self.started:
            try:
                await asyncio.to_thread(one.process.wait, END_DEADLINE_S)
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait()

    def _spawn(
        self, arguments: list[str], variables: Mapping[str, str], name: str
    ) -> subprocess.Popen[bytes]:
        # From the main thread: the kernel ends it when the thread that started it ends.
        return processes.spawn(
            [sys.executable, "-m", *arguments],
            log=self._log(name),
            env=os.environ | self.variables | dict(variables),
        )

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"


@asynccontextmanager
async def shipped(infra: Infra) -> AsyncGenerator[Shipped]:
    """Return a place to start services in; they end with it."""
    with tempfile.TemporaryDirectory(prefix="perennial-bench-", ignore_cleanup_errors=True) as made:
        running = Shipped(
            infra,
            Path(made),
            {
                "KAFKA_BOOTSTRAP_SERVERS": infra.kafka.bootstrap,
                "IDENTITY_KEY": secrets.token_hex(32),
                "INGEST_REVIEW_AFTER_DAYS": "3650",  # the baskets are a year of history
                "LOYALTY_PROGRAMME_FILE": "deploy/programme/demo.yaml",
                "APP_KEY": auth.new_key(),
                "TERMINAL_KEY": auth.new_key(),
                "TERMINAL_STORE_ID": STORE,
                "TERMINAL_ID": TERMINAL,
                # One till asks for all that a process can do.
                "INGEST_LIMIT_TERMINAL_PER_S": "1000000",
            },
        )
        try:
            yield running
        finally:
            await running.end()


async def _is_ready(port: int) -> bool:
    try:
        connection = await load.connect(port)
    except OSError:
        return False
    try:
        return (await connection.ask(_READY)).status == 200
    except OSError:
        return False
    finally:
        connection.close()
