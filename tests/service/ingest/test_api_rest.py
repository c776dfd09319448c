"""Events, catalogue and keys."""

from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa

from services.ingest import app
from services.ingest.context import IngestContext
from services.ingest.handlers import credentials
from services.ingest.settings import IngestSettings
from shared import auth
from shared.db import Database
from shared.db.plumbing import credential, outbox
from shared.http.app import openapi
from tests.service.ingest.conftest import (
    ADMIN,
    APP,
    IDENTITY_KEY,
    NOW,
    FakePositions,
    bearer,
    published,
    purchase_body,
    return_body,
)

ADMINS = bearer(ADMIN)
STORE = {"name": "Main Street", "time_zone": "America/New_York"}


async def _relay(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(
            outbox.update().values(published_at=NOW, partition=3, kafka_offset=outbox.c.id + 40)
        )


async def test_event_is_followed_from_accepted_to_processed(
    client: httpx.AsyncClient, db: Database, positions: FakePositions
) -> None:
    url = (await client.post("/v1/purchases", json=purchase_body())).json()["status_url"]
    waiting = (await client.get(url)).json()
    assert waiting["status"] == "accepted"
    assert waiting["services"] == {"loyalty": "waiting", "offers": "waiting"}

    await _relay(db)
    positions.offsets = {"loyalty": 42, "offers": 41}
    published_ = (await client.get(url)).json()
    assert published_["status"] == "published"
    assert published_["services"] == {"loyalty": "processed", "offers": "waiting"}

    positions.offsets = {"loyalty": 42, "offers": 42}
    assert (await client.get(url)).json()["status"] == "processed"


async def test_kafka_away_is_unknown_and_no_error(
    client: httpx.AsyncClient, db: Database, positions: FakePositions
) -> None:
    url = (await client.post("/v1/purchases", json=purchase_body())).json()["status_url"]
    await _relay(db)
    positions.offsets = {}
    told = (await client.get(url)).json()
    assert told["services"] == {"loyalty": "unknown", "offers": "unknown"}


async def test_return_is_withheld_until_its_sale_is_there(
    client: httpx.AsyncClient, db: Database
) -> None:
    url = (await client.post("/v1/returns", json=return_body())).json()["status_url"]
    assert (await client.get(url)).json()["status"] == "withheld"
    await client.post("/v1/purchases", json=purchase_body())
    assert (await client.get(url)).json()["status"] == "accepted"


async def test_withheld_return_of_too_much_shows_as_refused(client: httpx.AsyncClient) -> None:
    lines = [{"line_no": 1, "quantity": 9, "amount_minor": 999}]
    body = return_body(lines=lines, total_minor=999)
    url = (await client.post("/v1/returns", json=body)).json()["status_url"]
    await client.post("/v1/purchases", json=purchase_body())
    told = (await client.get(url)).json()
    assert told["status"] == "refused"
    assert told["detail"] == "Line 1 has less left than comes back."


async def test_another_terminals_event_is_404(client: httpx.AsyncClient) -> None:
    body = purchase_body(store_id="0099", terminal_id="app")
    answer = await client.post("/v1/purchases", json=body, headers=bearer(APP))
    assert (await client.get(answer.json()["status_url"])).status_code == 404
    assert (await client.get(answer.json()["status_url"], headers=ADMINS)).status_code == 200
    assert (await client.get(f"/v1/events/{uuid4()}")).status_code == 404


async def test_store_is_published_only_when_it_changed(
    client: httpx.AsyncClient, db: Database
) -> None:
    first = await client.put("/v1/stores/0042", json=STORE, headers=ADMINS)
    again = await client.put("/v1/stores/0042", json=STORE, headers=ADMINS)
    changed = await client.put(
        "/v1/stores/0042", json=STORE | {"address": "1 Main St"}, headers=ADMINS
    )
    assert [one.json()["changed"] for one in (first, again, changed)] == [1, 0, 1]
    events = await published(db)
    assert [(key, event.data.version) for key, event in events] == [
        ("store:0042", 1),
        ("store:0042", 2),
    ]


async def test_products_are_published_only_when_they_changed(
    client: httpx.AsyncClient, db: Database
) -> None:
    milk = {"sku": "1", "name": "Milk", "category": "DAIRY"}
    bread = {"sku": "2", "name": "Bread", "cost_minor": 80, "currency": "USD"}
    await client.put("/v1/products:batch", json=[milk, bread], headers=ADMINS)
    answer = await client.put(
        "/v1/products:batch", json=[milk | {"brand": "Ours"}, bread], headers=ADMINS
    )
    assert answer.json() == {"changed": 1, "unchanged": 1}
    events = await published(db)
    assert sorted((key, event.data.version) for key, event in events) == [
        ("sku:1", 1),
        ("sku:1", 2),
        ("sku:2", 1),
    ]


@pytest.mark.parametrize(
    "products",
    [
        [],
        [{"sku": "1"}],
        [{"sku": "1", "name": "a"}, {"sku": "1", "name": "b"}],
        [{"sku": "1", "name": "a", "cost_minor": 1}],
        [{"sku": "1", "name": "a", "cost_minor": -1, "currency": "USD"}],
        [{"sku": "1", "name": "a", "price": 1}],
    ],
)
async def test_bad_products_are_422_and_none_is_stored(
    client: httpx.AsyncClient, db: Database, products: list[dict[str, object]]
) -> None:
    answer = await client.put("/v1/products:batch", json=products, headers=ADMINS)
    assert answer.status_code == 422
    assert await published(db) == []


async def test_unknown_time_zone_is_422(client: httpx.AsyncClient) -> None:
    body = STORE | {"time_zone": "Mars/Olympus"}
    answer = await client.put("/v1/stores/1", json=body, headers=ADMINS)
    assert answer.json()["errors"][0]["field"] == "time_zone"


async def test_terminal_may_not_change_the_catalogue_or_keys(client: httpx.AsyncClient) -> None:
    assert (await client.put("/v1/stores/1", json=STORE)).status_code == 403
    assert (await client.get("/v1/credentials")).status_code == 403


async def test_key_is_shown_once_works_and_is_revoked(
    client: httpx.AsyncClient, db: Database
) -> None:
    wanted = {"role": "terminal", "label": "till 4", "store_id": "0042", "terminal_id": "0042-04"}
    made = (await client.post("/v1/credentials", json=wanted, headers=ADMINS)).json()
    assert auth.parse_key(made["key"]) is not None
    listed = await client.get("/v1/credentials", headers=ADMINS)
    assert made["key"] not in listed.text
    assert made["key_id"] in {one["key_id"] for one in listed.json()["data"]}
    async with db.transaction() as tx:
        rows = (await tx.execute(sa.select(credential))).all()
    assert made["key"] not in str(rows)

    url = f"/v1/credentials/{made['key_id']}"
    revoked = await client.delete(url, headers=ADMINS)
    assert revoked.json()["revoked_at"]
    assert (await client.delete(url, headers=ADMINS)).json() == revoked.json()
    events = [event for key, event in await published(db) if key == made["key_id"]]
    assert [event.data.version for event in events] == [1, 2]
    assert events[1].data.revoked_at == NOW
    assert made["key"] not in str(events)


@pytest.mark.parametrize(
    "body",
    [
        {"role": "terminal", "label": "x"},
        {"role": "terminal", "label": "x", "store_id": "1"},
        {"role": "admin", "label": "x", "store_id": "1", "terminal_id": "2"},
        {"role": "owner", "label": "x"},
        {"role": "admin", "label": ""},
    ],
)
async def test_bad_key_request_is_422(client: httpx.AsyncClient, body: dict[str, str]) -> None:
    assert (await client.post("/v1/credentials", json=body, headers=ADMINS)).status_code == 422


async def test_unknown_key_is_404(client: httpx.AsyncClient) -> None:
    assert (await client.delete("/v1/credentials/nobody", headers=ADMINS)).status_code == 404


async def test_keys_of_the_environment_are_stored_and_announced_once(
    context: IngestContext, db: Database
) -> None:
    settings = IngestSettings.model_validate(
        {
            "database_url": "postgresql://unused",
            "IDENTITY_KEY": IDENTITY_KEY,
            "ADMIN_KEY": auth.new_key(),
            "TERMINAL_KEY": auth.new_key(),
            "TERMINAL_STORE_ID": "0042",
            "TERMINAL_ID": "0042-03",
        }
    )
    for _ in range(2):
        async with db.transaction() as tx:
            await credentials.bootstrap(tx, settings, at=NOW)
    events = [event.data for key, event in await published(db) if key != "heartbeat"]
    assert sorted((one.role, one.store_id, one.terminal_id) for one in events) == sorted(
        [("admin", None, None), ("terminal", "0042", "0042-03")], key=lambda one: one[0]
    )


def test_openapi_shows_the_bodies() -> None:
    document = openapi(app.service())
    body = document["paths"]["/v1/purchases"]["post"]["requestBody"]["content"]["application/json"]
    assert body["schema"]["$ref"].endswith("/Purchase")
    assert "quantity" in document["components"]["schemas"]["Line"]["properties"]
