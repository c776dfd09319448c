"""Alembic, run per service: one chain of versions and one ``alembic_version`` in each database."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command, context
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from shared.db.engine import CONNECT_TIMEOUT_S, Database
from shared.service import Service
from shared.settings import ServiceSettings

MIGRATION_LOCK = 0x7065_7265_6E6E
"""Two ``migrate`` at once take turns."""


def config(migrations: Path) -> Config:
    """Return Alembic's configuration for a folder of migrations; there is no alembic.ini."""
    alembic = Config()
    alembic.set_main_option("script_location", str(migrations))
    alembic.set_main_option("path_separator", "os")
    return alembic


def head(migrations: Path) -> str:
    """Return the revision that the code expects."""
    revision = ScriptDirectory.from_config(config(migrations)).get_current_head()
    if revision is None:
        message = f"no migrations in {migrations}"
        raise RuntimeError(message)
    return revision


async def current(db: Database) -> str | None:
    """Return the revision that the database has."""
    async with db.transaction() as tx:
        exists = await tx.scalar(sa.text("SELECT to_regclass('alembic_version') IS NOT NULL"))
        if not exists:
            return None
        revision: str | None = await tx.scalar(sa.text("SELECT version_num FROM alembic_version"))
        return revision


async def upgrade(service: Service, settings: ServiceSettings, *, to: str = "head") -> None:
    """Bring the service's database to revision ``to``, the newest one by default.

    Works as the owner role.
    """
    alembic = config(service.migrations)
    alembic.attributes["runtime_role"] = make_url(settings.database_url).username
    url = settings.migration_database_url or settings.database_url
    engine = create_async_engine(
        url, poolclass=NullPool, connect_args={"timeout": CONNECT_TIMEOUT_S}
    )

    def work(connection: Connection) -> None:
        alembic.attributes["connection"] = connection
        command.upgrade(alembic, to)

    try:
        async with engine.begin() as connection:
            await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
            await connection.run_sync(work)
    finally:
        await engine.dispose()


def run() -> None:
    """Run the migrations; the whole of a service's ``migrations/env.py``."""
    connection: Connection | None = context.config.attributes.get("connection")
    if connection is None:
        message = "run migrations with: python -m services.<name> migrate"
        raise RuntimeError(message)
    context.configure(connection=connection, transaction_per_migration=False)
    context.run_migrations()


def runtime_role() -> str:
    """Return the role that the service's processes use, quoted for SQL; for GRANT and REVOKE."""
    role: str = context.config.attributes["runtime_role"]
    return '"' + role.replace('"', '""') + '"'
