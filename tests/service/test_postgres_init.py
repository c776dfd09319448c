"""The container's init script gives the same databases and rights as the stack without Docker."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import asyncpg
import pytest

from deploy.local import provision
from deploy.local.postgres import BIN, THROWAWAY, LocalPostgres, start_postgres

SCRIPT = Path(__file__).parents[2] / "deploy/docker/postgres-init/10-services.sh"
SERVICES = ("ingest", "loyalty", "offers", "notify")
PASSWORDS = {
    f"{service.upper()}_{kind}_PASSWORD": f"insecure-{service}-{kind.lower()}'s"
    for service in SERVICES
    for kind in ("DB", "OWNER")
}
ROLES = """
    SELECT rolname, rolsuper, rolcreatedb, rolcreaterole, rolcanlogin, rolconnlimit,
        coalesce(rolconfig, '{}') FROM pg_roles WHERE rolname = ANY($1)
"""
DATABASE = "SELECT datname, pg_get_userbyid(datdba), datacl::text FROM pg_database WHERE datname=$1"
SCHEMA = "SELECT pg_get_userbyid(nspowner), nspacl::text FROM pg_namespace WHERE nspname = 'public'"
DEFAULTS = "SELECT pg_get_userbyid(defaclrole), defaclobjtype, defaclacl::text FROM pg_default_acl"


@pytest.fixture(scope="module")
def servers(scratch: Path) -> Iterator[tuple[LocalPostgres, LocalPostgres]]:
    """Start two servers: roles belong to a server, and both ways make the same ones."""
    both = [
        start_postgres(scratch / name, settings=THROWAWAY) for name in ("by-script", "by-python")
    ]
    yield both[0], both[1]
    for server in both:
        server.stop(immediate=True)


def _run_script(server: LocalPostgres, passwords: Mapping[str, str]) -> None:
    told = dict(passwords)
    told |= {"PATH": f"{BIN}:{os.environ['PATH']}", "PGHOST": "127.0.0.1", "PGUSER": "postgres"}
    told |= {"PGPORT": str(server.port), "PGPASSWORD": server.password}
    subprocess.run(["sh", str(SCRIPT)], env=told, check=True, capture_output=True, timeout=60)


async def _rights(server: LocalPostgres, service: str) -> list[list[tuple[object, ...]]]:
    connection = await asyncpg.connect(server.url(service))
    try:
        names = [service, f"{service}_owner"]
        found = [
            await connection.fetch(ROLES, names),
            await connection.fetch(DATABASE, service),
            await connection.fetch(SCHEMA),
            await connection.fetch(DEFAULTS),
        ]
    finally:
        await connection.close()
    return [sorted(tuple(record) for record in records) for records in found]


async def test_script_and_python_give_the_same_rights(
    servers: tuple[LocalPostgres, LocalPostgres],
) -> None:
    by_script, by_python = servers
    _run_script(by_script, PASSWORDS)
    for service in SERVICES:
        await provision.provision(by_python.url(), provision.new_roles(service))

    for service in SERVICES:
        assert await _rights(by_script, service) == await _rights(by_python, service)
        secret = PASSWORDS[f"{service.upper()}_DB_PASSWORD"]
        runtime = await asyncpg.connect(by_script.url(service, role=service, password=secret))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await runtime.execute("CREATE TABLE mine ()")
        await runtime.close()


async def test_a_missing_password_stops_the_script(
    servers: tuple[LocalPostgres, LocalPostgres],
) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        _run_script(servers[1], {})

    assert failed.value.stderr == b""  # it did not come as far as psql
