"""A shop: the offers service on a real database, with a clock that stands still."""

from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

from services.offers import app
from shared import auth
from shared.contracts.credentials import Role
from shared.http.app import create_api
from tests.builders import FRESH, STORE, TERMINAL
from tests.conftest import MakeDatabase
from tests.service.offers.shop import Shop

ROLES: tuple[Role, ...] = ("terminal", "app", "staff", "marketer", "admin")


@pytest_asyncio.fixture(name="shop")
async def open_shop(make_database: MakeDatabase) -> Shop:
    """Open an empty shop."""
    return Shop(await make_database("offers"))


class Caller:
    """Calls the service in any role: ``await call.get("/v1/…", role="app")``."""

    def __init__(self, client: httpx.AsyncClient, keys: dict[Role, str]) -> None:
        self.client = client
        self.keys = keys

    async def __call__(
        self, method: str, path: str, *, role: Role | None = "admin", json: object = None
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.keys[role]}"} if role else {}
        return await self.client.request(method, path, headers=headers, json=json)

    async def get(self, path: str, role: Role | None = "admin") -> httpx.Response:
        return await self("GET", path, role=role)

    async def post(
        self, path: str, json: object = None, role: Role | None = "admin"
    ) -> httpx.Response:
        return await self("POST", path, role=role, json=json)

    async def put(self, path: str, json: object, role: Role | None = "admin") -> httpx.Response:
        return await self("PUT", path, role=role, json=json)


@pytest_asyncio.fixture(name="call")
async def make_caller(shop: Shop) -> AsyncIterator[Caller]:
    """Make a key for each role; the terminal's is bound to the builders' store and terminal."""
    keys: dict[Role, str] = {role: auth.new_key() for role in ROLES}
    grants = [
        auth.Grant(key, role, role, STORE, TERMINAL)
        if role == "terminal"
        else auth.Grant(key, role, role)
        for role, key in keys.items()
    ]
    async with shop.db.transaction() as tx:
        await auth.beat(tx, FRESH)
        await auth.bootstrap(tx, grants)
    api = create_api(app.service(), shop.context)
    transport = httpx.ASGITransport(api, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://offers") as client:
        yield Caller(client, keys)
