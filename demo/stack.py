"""The running stack as the demo sees it: what ``.local/env`` says, and clients for it."""

import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from deploy.local import layout
from shared.db import Database, open_database

SERVICES = ("ingest", "loyalty", "offers", "notify")
CONNECTIONS = 40
TIMEOUT = httpx.Timeout(15.0, pool=60.0)


@dataclass(frozen=True)
class Stack:
    """Addresses and keys."""

    env: Mapping[str, str]
    env_file: Path
    folder: Path
    """For what the demo itself keeps."""

    def url(self, service: str) -> str:
        """Return where a service's API is."""
        return self.env[f"{service.upper()}_URL"]

    def database_url(self, service: str) -> str:
        """Return the runtime role's URL of a service's database."""
        return self.env[f"{service.upper()}_DATABASE_URL"]

    def key(self, role: str) -> Mapping[str, str]:
        """Return the header of a caller in ``role``: admin, staff, marketer or app."""
        return {"Authorization": f"Bearer {self.env[f'{role.upper()}_KEY']}"}

    @property
    def mail(self) -> Path:
        """The folder of the mail catcher."""
        return Path(self.env["MAIL_DIR"])


@dataclass(frozen=True)
class Clients:
    """One HTTP client and one database per service."""

    http: Mapping[str, httpx.AsyncClient]
    databases: Mapping[str, Database]


def bring_up() -> Stack:
    """Start what is not running yet, and read where it is."""
    subprocess.run([sys.executable, "-m", "deploy.local", "up"], check=True)
    where = layout.default_layout()
    env = os.environ | layout.read_env(where)
    return Stack(env=env, env_file=where.env, folder=where.root / "demo")


@asynccontextmanager
async def connect(stack: Stack) -> AsyncGenerator[Clients]:
    """Open the clients; they close at the end of the block."""
    async with AsyncExitStack() as exits:
        http: dict[str, httpx.AsyncClient] = {}
        databases: dict[str, Database] = {}
        for service in SERVICES:
            limits = httpx.Limits(max_connections=CONNECTIONS)
            client = httpx.AsyncClient(base_url=stack.url(service), limits=limits, timeout=TIMEOUT)
            http[service] = await exits.enter_async_context(client)
            scheme, _, rest = stack.database_url(service).partition("://")
            url = f"{scheme.partition('+')[0]}+asyncpg://{rest}"
            database = open_database(
                url, application_name="demo", pool_size=2, statement_timeout_ms=60_000
            )
            exits.push_async_callback(database.close)
            databases[service] = database
        yield Clients(http, databases)
