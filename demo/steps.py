"""The steps of the demo before and after the replay: the shops' own set-up, and the offers."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx

from demo import data, plan
from demo.stack import Clients, Stack

T = TypeVar("T")
PRODUCTS_AT_ONCE = 500
AT_ONCE = 8
KEY_KNOWN_WITHIN_S = 10.0
ISSUE_CALLS_MAX = 30
CAMPAIGN = "demo-favourites"
CAMPAIGN_DOCUMENT: dict[str, Any] = {
    "title": "{percent} % off {name}",
    "k": 4,
    "period": "week",
    "budget_minor": 500_000,
    "currency": plan.CURRENCY,
    "depth_percent": {"due": 15, "habit": 10, "discovery": 25},
    "validity_days": 7,
    "min_purchases": 3,
}


async def checked(answer: Awaitable[httpx.Response]) -> Any:  # noqa: ANN401  JSON
    """Return the JSON of a good answer; raise with the problem's own words otherwise."""
    response = await answer
    if not response.is_success:
        request = response.request
        message = f"{request.method} {request.url}: {response.status_code} {response.text[:800]}"
        raise RuntimeError(message)
    return response.json() if response.content else None


async def all_of(work: Iterable[T], do: Callable[[T], Awaitable[object]]) -> None:
    """Do something for each, a few at a time."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(item: T) -> None:
        async with room:
            await do(item)

    async with asyncio.TaskGroup() as group:
        for item in work:
            group.create_task(one(item))


async def register_catalogue(clients: Clients, stack: Stack, sample: data.Sample) -> None:
    """Tell ingest the shops and the articles; telling it again changes nothing."""
    ingest, admin = clients.http["ingest"], stack.key("admin")

    async def store(store_id: str) -> None:
        body = {"name": f"Store {store_id}", "time_zone": data.ZONE.key}
        await checked(ingest.put(f"/v1/stores/{store_id}", json=body, headers=admin))

    async def products(some: Sequence[data.Product]) -> None:
        body = [
            {"sku": one.sku, "name": one.name, "category": one.category, "brand": one.brand}
            for one in some
        ]
        await checked(ingest.put("/v1/products:batch", json=body, headers=admin))

    await all_of(sample.stores, store)
    starts = range(0, len(sample.products), PRODUCTS_AT_ONCE)
    await all_of([sample.products[at : at + PRODUCTS_AT_ONCE] for at in starts], products)


async def till_keys(clients: Clients, stack: Stack, stores: Iterable[str]) -> dict[str, str]:
    """Return a key for each shop's till; keys of an earlier run are used again."""
    ingest, admin = clients.http["ingest"], stack.key("admin")
    kept = stack.folder / "till-keys.json"
    keys: dict[str, str] = json.loads(kept.read_text()) if kept.exists() else {}
    if keys and not await _counts(ingest, next(iter(keys.values()))):
        keys = {}  # of a stack whose data is gone

    async def make(store_id: str) -> None:
        terminal = plan.terminal_id(store_id)
        grant = {"store_id": store_id, "terminal_id": terminal}
        body = {"role": "terminal", "label": f"demo till {terminal}", **grant}
        answer = await checked(ingest.post("/v1/credentials", json=body, headers=admin))
        keys[store_id] = answer["key"]

    await all_of([one for one in stores if one not in keys], make)
    _write_private(kept, json.dumps(keys))
    async with asyncio.timeout(KEY_KNOWN_WITHIN_S):
        while not await _counts(ingest, list(keys.values())[-1]):  # noqa: ASYNC110  it is afar
            await asyncio.sleep(0.2)
    return keys


async def _counts(ingest: httpx.AsyncClient, key: str) -> bool:
    """Whether a key is let in: it asks for an event that nobody has."""
    headers = {"Authorization": f"Bearer {key}"}
    answer = await ingest.get(f"/v1/events/{uuid4()}", headers=headers)
    return answer.status_code != HTTPStatus.UNAUTHORIZED


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


async def issue_offers(clients: Clients, stack: Stack) -> dict[str, Any]:
    """Put, publish and issue the demo's campaign; once a week is all it gives."""
    offers, marketer = clients.http["offers"], stack.key("marketer")
    path = f"/v1/campaigns/{CAMPAIGN}"
    await checked(offers.put(path, json=CAMPAIGN_DOCUMENT, headers=marketer))
    await checked(offers.post(f"{path}:publish", headers=marketer))
    run: dict[str, Any] = {}
    for _ in range(ISSUE_CALLS_MAX):
        run = await checked(offers.post(f"{path}:issue", headers=marketer))
        if run["state"] == "done":
            return run
    message = f"the campaign was not issued after {ISSUE_CALLS_MAX} calls: {run}"
    raise RuntimeError(message)
