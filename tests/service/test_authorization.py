"""Every operation of every service answers the roles of docs/authorization.md, and no other."""

import importlib
import re
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import get_args
from uuid import uuid4

import httpx
import pytest

from shared import auth
from shared.auth import Role
from shared.http import app as http_app
from shared.service import Service
from tests import builders
from tests.conftest import MakeDatabase

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "authorization.md"
ROLES: tuple[Role, ...] = get_args(Role)
SERVICES = sorted(path.parent.name for path in (ROOT / "services").glob("*/app.py"))
REQUIRED = {
    "{}_DATABASE_URL": "postgresql://unused",
    "IDENTITY_KEY": "ab" * 32,
    "NOTIFY_UNSUBSCRIBE_KEY": "cd" * 32,
}
"""Settings without a default, of whichever service."""
METHODS = {"get", "put", "post", "patch", "delete"}


@dataclass(frozen=True)
class Rule:
    """One row of the table: who may call an operation."""

    method: str
    path: str
    allowed: Mapping[str, str]


def rules(service: str) -> dict[str, Rule]:
    """Return the rows of a service by their operation."""
    found: dict[str, Rule] = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 2 + len(ROLES) and cells[0] == service:
            method, path = cells[1].strip("`").split(" ")
            found[f"{method} {path}"] = Rule(method, path, dict(zip(ROLES, cells[2:], strict=True)))
    return found


def operations(service: Service) -> Iterator[str]:
    """Return the operations of a service's OpenAPI document."""
    for path, item in http_app.openapi(service)["paths"].items():
        yield from (f"{method.upper()} {path}" for method in item if method in METHODS)


def load(name: str) -> Service:
    """Return a service's parts."""
    return importlib.import_module(f"services.{name}.app").service()


@pytest.mark.parametrize("name", SERVICES)
def test_the_table_has_every_operation_and_no_other(name: str) -> None:
    shown, known = set(operations(load(name))), set(rules(name))
    assert shown - known == set(), "decide who may call these, and add them to the table"
    assert known - shown == set(), "these are gone: take them out of the table"


@pytest.mark.parametrize("name", SERVICES)
async def test_each_role_may_do_what_the_table_says_and_nothing_else(
    name: str, make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = load(name)
    db = await make_database(service)
    for variable, value in REQUIRED.items():
        monkeypatch.setenv(variable.format(name.upper()), value)
    keys: dict[Role, str] = {role: auth.new_key() for role in ROLES}
    async with db.transaction() as tx:
        await auth.bootstrap(tx, [auth.Grant(key, role, role) for role, key in keys.items()])
        if "credentials" in service.handlers:
            await auth.beat(tx, builders.FRESH)
    async with AsyncExitStack() as stack:
        context = await service.open_context(service.settings(), db, stack)
        api = http_app.create_api(service, context)
        transport = httpx.ASGITransport(api, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url=f"http://{name}")
        await stack.enter_async_context(client)
        wrong: dict[str, str] = {}
        for operation, rule in rules(name).items():
            for role, cell in (*rule.allowed.items(), ("nobody", "401")):
                got = await outcome(client, rule, keys.get(role))  # pyright: ignore[reportArgumentType]
                expected = "open" if "open" in rule.allowed.values() else cell
                if got != expected and not (expected == "open" and got == "yes"):
                    wrong[f"{operation} as {role}"] = f"{got}, not {expected}"
    assert wrong == {}


async def outcome(client: httpx.AsyncClient, rule: Rule, key: str | None) -> str:
    """Call an operation with nothing in it; return what that says of the caller's rights."""
    path = re.sub(r"\{\w+\}", str(uuid4()), rule.path)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    body = None if rule.method in {"GET", "DELETE"} else b"{}"
    answer = await client.request(rule.method, path, headers=headers, content=body)
    # So many calls without a key are limited after a while: refused is refused.
    if answer.status_code == 401 or "too_many_failures" in answer.text:
        return "401"
    if answer.status_code == 403 and answer.json()["code"] == "forbidden":
        return "–"
    if answer.status_code == 503 and answer.json()["code"] == "peer_unavailable":
        return "yes"  # let in, and handed on to a service that this test does not start
    return "yes" if answer.status_code not in {405, 500, 503} else str(answer.status_code)
