"""What ingest says of a receipt, taken in by loyalty and offers on databases of their own."""

from typing import Any

import pytest_asyncio

from services.ingest.context import IngestContext
from shared.db import Database
from tests.builders import MEMBER
from tests.conftest import MakeDatabase
from tests.service.ingest.conftest import (
    NOW,
    Apply,
    Record,
    amendment_body,
    as_amendment,
    as_return,
    as_sale,
    as_void,
    enrol,
    enrolled,
    published,
    purchase_body,
    return_body,
    void_body,
)
from tests.service.loyalty.desk import Desk
from tests.service.offers.shop import Shop
from tests.service.offers.test_redemptions import changes_of, issued, state_of


@pytest_asyncio.fixture
async def desk(make_database: MakeDatabase) -> Desk:
    """Loyalty."""
    return Desk(await make_database("loyalty"))


@pytest_asyncio.fixture
async def shop(make_database: MakeDatabase) -> Shop:
    """Offers."""
    return Shop(await make_database("offers"))


async def _news(db: Database) -> Any:
    """Return the newest event, as consumers parse it."""
    return (await published(db))[-1][1]


def _basket(sku: str, category: str, amount_minor: int, **differing: Any) -> dict[str, Any]:
    line = {"line_no": 1, "sku": sku, "category": category, "quantity": 2}
    return {
        "occurred_at": NOW.isoformat(),
        "lines": [line | {"amount_minor": amount_minor, "discount_minor": 20}],
        "total_minor": amount_minor,
    } | differing


async def test_points_follow_corrections_returns_and_the_void(
    db: Database, context: IngestContext, record: Record, apply: Apply, desk: Desk
) -> None:
    await enrol(context, enrolled("9840001234", member_id=MEMBER))
    balances: list[int] = []

    async def settle() -> None:
        await desk.apply(await _news(db))
        balances.append((await desk.balances())[MEMBER])

    await record(as_sale(purchase_body(**_basket("1", "BREAD", 1_000))))
    await settle()
    await apply(as_amendment(amendment_body(**_basket("1", "BREAD", 1_200))))
    await settle()
    back = [{"line_no": 1, "quantity": 1, "amount_minor": 300}]
    await apply(as_return(return_body(lines=back, total_minor=300)))
    await settle()
    await apply(as_void(void_body()))
    await settle()
    assert balances == [100, 120, 90, 0]
    everything = [event for _, event in await published(db)]
    await desk.apply(*reversed(everything), *everything)
    assert (await desk.balances())[MEMBER] == 0


async def test_offer_named_no_longer_or_on_a_voided_sale_goes_back_to_the_wallet(
    db: Database, context: IngestContext, record: Record, apply: Apply, shop: Shop
) -> None:
    offer = str(await issued(shop))
    await enrol(context, enrolled("9840001234", member_id=MEMBER))
    plain = _basket("milk", "DAIRY", 180)
    with_offer: dict[str, Any] = {**plain, "offer_ids": [offer]}
    states: list[str] = []

    async def settle() -> None:
        await shop.buy(await _news(db))
        states.append((await state_of(shop))[0])

    await record(as_sale(purchase_body(**with_offer)))
    await settle()
    await apply(as_amendment(amendment_body(2, **plain)))
    await settle()
    await apply(as_amendment(amendment_body(3, **with_offer)))
    await settle()
    await apply(as_void(void_body()))
    await settle()
    assert states == ["redeemed", "issued", "redeemed", "issued"]
    told = [kind for kind, _ in await changes_of(shop)]
    assert told == ["redeemed", "restored", "redeemed", "restored"]
