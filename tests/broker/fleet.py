"""A few real processes of real services, on databases of their own and the worker's Kafka."""

import asyncio
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from deploy.local import ports
from deploy.local.kafka import LocalKafka
from shared import auth
from shared.db import Tx, open_database
from tests.broker.conftest import until

CHECKOUT = Path(__file__).parents[2]
STOP_S = 30.0
READY_S = 120.0
MakeUrl = Callable[[str], Awaitable[str]]


@dataclass
class Fleet:
    """What was started, and where it answers."""

    folder: Path
    environ: dict[str, str]
    keys: dict[str, str]
    urls: dict[str, str] = field(default_factory=dict[str, str])
    running: dict[str, "subprocess.Popen[bytes]"] = field(
        default_factory=dict[str, "subprocess.Popen[bytes]"]
    )

    def start(self, service: str, process: str) -> "subprocess.Popen[bytes]":
        """Start one process; its log is in the test's folder."""
        with (self.folder / f"{service}-{process}.log").open("ab") as log:
            started = subprocess.Popen(
                [sys.executable, "-m", f"services.{service}", process],
                env=self.environ,
                cwd=CHECKOUT,
                stdout=log,
                stderr=log,
            )
        self.running[f"{service}-{process}"] = started
        return started

    def process(self, service: str, process: str) -> "subprocess.Popen[bytes]":
        """Return what was started."""
        return self.running[f"{service}-{process}"]

    async def start_all(self, *names: str) -> None:
        """Start ``service-process`` each, and wait until those that serve are ready."""
        for name in names:
            self.start(*name.split("-"))
        serving = {name.partition("-")[0] for name in names if name.endswith(("-api", "-all"))}
        for service in serving:
            await until(lambda service=service: self._ready(service), deadline_s=READY_S)

    async def _ready(self, service: str) -> bool:
        try:
            async with httpx.AsyncClient(timeout=2) as client:
                answer = await client.get(self.urls[service] + "/health/ready")
        except httpx.HTTPError:
            return False
        return answer.status_code == 200

    @asynccontextmanager
    async def client(self, service: str, role: str) -> AsyncGenerator[httpx.AsyncClient, None]:
        """Open a client that shows the key of ``role``."""
        headers = {"Authorization": f"Bearer {self.keys[role]}"}
        async with httpx.AsyncClient(
            base_url=self.urls[service], headers=headers, timeout=10
        ) as client:
            yield client

    @asynccontextmanager
    async def database(self, service: str) -> AsyncGenerator[Tx, None]:
        """Open a transaction on a service's database."""
        url = self.environ[f"{service.upper()}_DATABASE_URL"].replace("://", "+asyncpg://", 1)
        db = open_database(url, application_name="tests", pool_size=1)
        async with db.transaction() as tx:
            yield tx
        await db.close()

    async def stop(self) -> None:
        """End everything, at once and then for certain."""
        for each in self.running.values():
            each.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await asyncio.gather(
                    *(asyncio.to_thread(each.wait) for each in self.running.values())
                )
        except TimeoutError:
            for each in self.running.values():
                each.kill()


@asynccontextmanager
async def fleet(
    make_url: MakeUrl, kafka: LocalKafka, folder: Path, *services: str, **environ: str
) -> AsyncGenerator[Fleet, None]:
    """Prepare databases and topics of ``services``; nothing runs yet."""
    keys = {role: auth.new_key() for role in ("admin", "staff", "marketer", "app", "terminal")}
    given = os.environ | {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap,
        "IDENTITY_KEY": secrets.token_hex(32),
        "TERMINAL_STORE_ID": "0042",
        "TERMINAL_ID": "0042-03",
    }
    given |= {f"{role.upper()}_KEY": key for role, key in keys.items()} | environ
    made = Fleet(folder, given, keys)
    for service in services:
        port = ports.free_port()
        made.urls[service] = f"http://{ports.LOOPBACK}:{port}"
        given[f"{service.upper()}_PORT"] = str(port)
        given[f"{service.upper()}_DATABASE_URL"] = await make_url(service)
    try:
        for service in services:
            migrated = made.start(service, "migrate")
            assert await asyncio.to_thread(migrated.wait, 60) == 0, folder
        yield made
    finally:
        await made.stop()
