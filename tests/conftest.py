"""Real Postgres and real Kafka for the tests, each started on first use.

``postgres``, ``make_database`` and ``kafka`` are one server per xdist worker; nothing fixed is
bound, so several runs may go on at once. Databases are clones of a template that a service's own
migrations made.
"""

import importlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import Protocol

import hypothesis
import pytest
import pytest_asyncio

from deploy.local import provision
from deploy.local.kafka import LocalKafka, start_kafka
from deploy.local.postgres import THROWAWAY, LocalPostgres, start_postgres
from shared.db import Database, migrate, open_database
from shared.service import Service
from shared.settings import ServiceSettings

# How long an example takes says how busy the machine is; ``timeout`` ends what hangs.
hypothesis.settings.register_profile("perennial", hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("perennial")

LONGEST_FIRST = ("faults", "slow", "e2e", "kafka")
"""Markers of files, the longest first."""
POOL_SIZE = 10
SCRATCH = "perennial-tests-"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no worker ends long after the others.

    Those of faults mostly wait, and those after them mostly work: begun together, they share the
    machine well. Files keep together and their tests in order, as ``--dist loadfile`` needs it.
    """
    ranks: dict[Path, int] = {}
    for item in items:
        marked = [n for n, name in enumerate(LONGEST_FIRST) if item.get_closest_marker(name)]
        rank = min(marked, default=len(LONGEST_FIRST))
        ranks[item.path] = min(rank, ranks.get(item.path, rank))
    items.sort(key=lambda item: ranks[item.path])


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """Make a folder for the servers' data; it is removed at the end of the run."""
    # Not pytest's own temporary folder: it keeps the last three runs, hundreds of megabytes each,
    # and Postgres as ``nobody`` may not pass through it.
    base = Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir())
    for left in base.glob(f"{SCRATCH}*"):  # by runs that were killed
        if not Path("/proc", left.name.removeprefix(SCRATCH).partition("-")[0]).exists():
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{SCRATCH}{os.getpid()}-", dir=base))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(scratch: Path) -> Iterator[LocalPostgres]:
    """Start a real Postgres 18, of this worker alone. Tests may restart and kill it."""
    server = start_postgres(scratch / "postgres", settings=THROWAWAY)
    yield server
    server.stop(immediate=True)


class MakeDatabase(Protocol):
    """``await make_database(service)`` opens a fresh, migrated database as the runtime role."""

    def __call__(self, service: Service | str, /) -> Awaitable[Database]:
        """``service`` is a ``Service`` or the name of one below ``services``."""
        ...


class Templates:
    """One migrated template database per service, made on first use."""

    def __init__(self, postgres: LocalPostgres) -> None:
        """Make templates on ``postgres``."""
        self.postgres = postgres
        self._ready: dict[tuple[str, Path], tuple[provision.Roles, str]] = {}
        self._roles: dict[str, provision.Roles] = {}
        self._numbers = count(1)

    async def clone(self, service: Service) -> tuple[provision.Roles, str]:
        """Return the service's roles and the name of a fresh copy of its template."""
        key = (service.name, service.migrations)
        if key not in self._ready:
            self._ready[key] = await self._migrated(service)
        roles, template = self._ready[key]
        name = f"{service.name}_{next(self._numbers)}"
        await provision.create_database(self.postgres.url(), name, roles, template=template)
        return roles, name

    async def _migrated(self, service: Service) -> tuple[provision.Roles, str]:
        admin = self.postgres.url()
        if service.name not in self._roles:
            self._roles[service.name] = provision.new_roles(service.name)
            await provision.provision(admin, self._roles[service.name])
        roles = self._roles[service.name]
        template = f"{service.name}_template_{next(self._numbers)}"
        await provision.create_database(admin, template, roles)
        await migrate.upgrade(service, self.settings(roles, template))
        return roles, template

    def settings(self, roles: provision.Roles, database: str) -> ServiceSettings:
        """Return settings that reach ``database`` by both roles."""
        return ServiceSettings(
            database_url=self.runtime_url(roles, database),
            migration_database_url=self.postgres.url(
                database, role=roles.owner, password=roles.owner_password
            ),
        )

    def runtime_url(self, roles: provision.Roles, database: str) -> str:
        """Return the URL that a process of the service would be given."""
        return self.postgres.url(database, role=roles.runtime, password=roles.runtime_password)


@pytest.fixture(scope="session")
def templates(postgres: LocalPostgres) -> Templates:
    """Keep the worker's template databases."""
    return Templates(postgres)


@pytest_asyncio.fixture
async def make_database_url(
    templates: Templates,
) -> AsyncIterator[Callable[[Service | str], Awaitable[str]]]:
    """Make fresh databases and give their plain URLs, for the runtime role."""
    async with AsyncExitStack() as stack:

        async def make(service: Service | str) -> str:
            known = _service(service) if isinstance(service, str) else service
            roles, name = await templates.clone(known)
            stack.push_async_callback(provision.drop_database, templates.postgres.url(), name)
            return templates.runtime_url(roles, name)

        yield make


@pytest_asyncio.fixture
async def make_database(
    make_database_url: Callable[[Service | str], Awaitable[str]],
) -> AsyncIterator[MakeDatabase]:
    """Open fresh databases; they are closed and dropped at the end of the test."""
    async with AsyncExitStack() as stack:

        async def make(service: Service | str, /) -> Database:
            url = (await make_database_url(service)).replace("://", "+asyncpg://", 1)
            database = open_database(url, application_name="tests", pool_size=POOL_SIZE)
            stack.push_async_callback(database.close)
            return database

        yield make


def _service(name: str) -> Service:
    service: Service = importlib.import_module(f"services.{name}.app").service()
    return service


@pytest.fixture(scope="session")
def kafka(scratch: Path) -> Iterator[LocalKafka]:
    """Start a real Kafka node: ``kafka.bootstrap``. Tests may restart and kill it."""
    node = start_kafka(scratch / "kafka", quick=True)
    yield node
    node.kill()
