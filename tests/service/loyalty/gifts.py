"""What the tests of gift cards share: calls with a key each, and purchases that name holds."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

import httpx

from services.loyalty.handlers import gift_books
from services.loyalty.store.gift_books import GiftAuditReport
from tests import builders
from tests.service.loyalty.desk import Desk

Body = Mapping[str, Any]


async def post(
    client: httpx.AsyncClient, path: str, body: Body | None = None, *, key: str | None = None
) -> httpx.Response:
    return await client.post(
        f"/v1/{path}", json=body, headers={"Idempotency-Key": key or uuid4().hex}
    )


async def sell(client: httpx.AsyncClient, amount_minor: int = 1_000, **fields: Any) -> Any:
    """Sell a card and return it."""
    body = {"amount_minor": amount_minor, "currency": "USD", **fields}
    answer = await post(client, "gift-cards", body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def hold(
    client: httpx.AsyncClient, card: Body, amount_minor: int, **fields: Any
) -> httpx.Response:
    body = {"amount_minor": amount_minor, **fields}
    return await post(client, f"gift-cards/{card['gift_card_id']}/holds", body)


async def held(client: httpx.AsyncClient, card: Body, amount_minor: int, **fields: Any) -> str:
    """Place a hold and return its id."""
    answer = await hold(client, card, amount_minor, **fields)
    assert answer.status_code == 201, answer.text
    hold_id: str = answer.json()["hold_id"]
    return hold_id


async def capture(client: httpx.AsyncClient, hold_id: str, **body: Any) -> httpx.Response:
    return await post(client, f"gift-card-holds/{hold_id}:capture", body)


async def release(client: httpx.AsyncClient, hold_id: str) -> httpx.Response:
    return await post(client, f"gift-card-holds/{hold_id}:release")


async def balances(client: httpx.AsyncClient, card: Body) -> tuple[int, int]:
    """Return what is available and what is held."""
    shown = (await client.get(f"/v1/gift-cards/{card['gift_card_id']}")).json()
    return shown["available_minor"], shown["held_minor"]


async def moves(client: httpx.AsyncClient, card: Body) -> list[tuple[str, str, int]]:
    """Return a card's entries, oldest first."""
    shown = (await client.get(f"/v1/gift-cards/{card['gift_card_id']}/entries")).json()["data"]
    return [(one["from_account"], one["to_account"], one["amount_minor"]) for one in shown[::-1]]


def sale(number: int, cents: int, *hold_ids: str, **fields: Any) -> Any:
    """Build the purchase of one line for ``cents`` that names holds."""
    return builders.purchase_recorded(
        receipt_no=str(number),
        lines=[builders.line(category="BREAD", amount_minor=cents)],
        hold_ids=[UUID(one) for one in hold_ids],
        **fields,
    )


async def audit(desk: Desk) -> GiftAuditReport:
    async with desk.db.transaction() as tx:
        return await gift_books.audit(tx)
