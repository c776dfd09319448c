"""A service's role can use rows of its own database and nothing else."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from deploy.local import provision
from deploy.local.postgres import LocalPostgres
from deploy.local.provision import Roles

Two = tuple[Roles, Roles]


@asynccontextmanager
async def connected(url: str) -> AsyncGenerator[AsyncConnection]:
    engine = create_async_engine(
        url.replace("://", "+asyncpg://", 1), isolation_level="AUTOCOMMIT", poolclass=NullPool
    )
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def two(postgres: LocalPostgres) -> Two:
    found = provision.new_roles("shelf"), provision.new_roles("basket")
    for roles in found:
        await provision.provision(postgres.url(), roles)
        await provision.provision(postgres.url(), roles)  # harmless
    owner = postgres.url("shelf", role="shelf_owner", password=found[0].owner_password)
    async with connected(owner) as tx:
        await tx.exec_driver_sql("CREATE TABLE item (id int GENERATED ALWAYS AS IDENTITY, n int)")
    return found


@pytest.fixture
def shelf(postgres: LocalPostgres, two: Two) -> str:
    return postgres.url("shelf", role="shelf", password=two[0].runtime_password)


async def test_the_runtime_role_reads_and_writes_rows(shelf: str) -> None:
    async with connected(shelf) as tx:
        await tx.exec_driver_sql("INSERT INTO item (n) VALUES (1)")
        assert await tx.scalar(sa.text("SELECT count(*) FROM item")) == 1
        await tx.exec_driver_sql("UPDATE item SET n = 2")
        await tx.exec_driver_sql("DELETE FROM item")


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE mine (id int)", "DROP TABLE item", "TRUNCATE item", "CREATE SCHEMA mine"],
)
async def test_the_runtime_role_cannot_change_tables(shelf: str, statement: str) -> None:
    async with connected(shelf) as tx:
        with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
            await tx.exec_driver_sql(statement)


@pytest.mark.parametrize("database", ["basket", "shelf_other_than_own"])
async def test_the_runtime_role_cannot_enter_another_database(
    postgres: LocalPostgres, two: Two, database: str
) -> None:
    url = postgres.url(database, role="shelf", password=two[0].runtime_password)
    with pytest.raises(Exception, match=r"permission denied|does not exist"):
        async with connected(url):
            pass


async def test_a_wrong_password_is_refused(postgres: LocalPostgres, two: Two) -> None:
    wrong = postgres.url("shelf", role="shelf", password=two[1].runtime_password)
    with pytest.raises(Exception, match="password authentication failed"):
        async with connected(wrong):
            pass


@pytest.mark.parametrize(("name", "value"), provision.RUNTIME_LIMITS.items())
async def test_the_server_limits_what_a_frozen_process_can_hold(
    shelf: str, name: str, value: str
) -> None:
    async with connected(shelf) as tx:
        assert await tx.scalar(sa.text(f"SHOW {name}")) == value
