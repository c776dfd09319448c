"""A receipt that names an offer uses it up, once, and gives it back when nothing was kept."""

import random
from datetime import timedelta
from typing import Any
from uuid import UUID

from services.offers.store import tables
from shared.contracts.envelope import Event
from shared.contracts.purchases import ReturnedLine
from tests import builders
from tests.builders import MEMBER, NOW
from tests.conftest import MakeDatabase
from tests.service.offers.shop import Shop, every, member, of

NONE: list[Any] = []


async def issued(shop: Shop) -> UUID:
    """Issue one offer on milk, valid from three days ago; return its id."""
    await shop.enrol(MEMBER)
    await shop.list_products("milk")
    await shop.buy(*every(7, "milk", times=3, last=4))
    await shop.publish(k=1)
    shop.clock.advance(timedelta(days=-3))
    await shop.issue()
    shop.clock.advance(timedelta(days=3))
    (offer,) = await shop.wallet()
    return offer["offer_id"]


def sold(offer_id: UUID, *lines: Any, no: str = "1", days_ago: float = 0, **overrides: Any) -> Any:
    """Build a purchase that names the offer: milk, for 1.80 instead of 2.00."""
    return builders.purchase_recorded(
        lines=lines or [of("milk", amount_minor=180, discount_minor=20)],
        offer_ids=[offer_id],
        occurred_at=NOW - timedelta(days=days_ago),
        receipt_no=no,
        **overrides,
    )


async def changes_of(shop: Shop) -> list[tuple[str, UUID]]:
    """Return what was announced after issuing: type and receipt."""
    return [
        (event.type.split(".")[1], event.data.receipt_id)
        for event in await shop.events()
        if event.type != "offer.issued.v1"
    ]


async def state_of(shop: Shop) -> tuple[str, UUID | None, int | None]:
    (offer,) = await shop.wallet()
    return offer["state"], offer["redeemed_by"], offer["discount_minor"]


async def test_a_purchase_that_names_an_offer_redeems_it(shop: Shop) -> None:
    purchase = sold(await issued(shop))
    await shop.buy(purchase)
    receipt_id = purchase.data.receipt_id
    assert await state_of(shop) == ("redeemed", receipt_id, 20)
    redeemed = (await shop.events())[-1]
    assert redeemed.type == "offer.redeemed.v1"
    assert redeemed.subject == str(MEMBER)
    assert redeemed.data.discount_minor == 20


async def test_the_same_purchase_again_changes_nothing(shop: Shop) -> None:
    purchase = sold(await issued(shop))
    await shop.buy(purchase)
    before = await shop.rows(tables.offer), await shop.events()
    await shop.buy(purchase, purchase)
    assert (await shop.rows(tables.offer), await shop.events()) == before


async def test_an_offer_is_used_by_the_earlier_sale_of_two(shop: Shop) -> None:
    offer_id = await issued(shop)
    first, second = sold(offer_id, no="1", days_ago=1), sold(offer_id, no="2")
    await shop.buy(first)
    await shop.buy(second)
    assert (await state_of(shop))[1] == first.data.receipt_id
    assert await changes_of(shop) == [("redeemed", first.data.receipt_id)]


async def test_an_earlier_sale_that_arrives_late_takes_the_offer_over(shop: Shop) -> None:
    offer_id = await issued(shop)
    first, second = sold(offer_id, no="1", days_ago=1), sold(offer_id, no="2")
    await shop.buy(second)
    await shop.buy(first)
    assert (await state_of(shop))[1] == first.data.receipt_id
    assert await changes_of(shop) == [
        ("redeemed", second.data.receipt_id),
        ("restored", second.data.receipt_id),
        ("redeemed", first.data.receipt_id),
    ]


async def test_a_basket_without_the_product_uses_no_offer(shop: Shop) -> None:
    await shop.buy(sold(await issued(shop), of("tea")))
    assert await state_of(shop) == ("issued", None, None)
    (claim,) = await shop.rows(tables.offer_claim)
    assert claim["outcome"] == "no_effect"


async def test_another_member_s_offer_is_not_used(shop: Shop) -> None:
    await shop.buy(sold(await issued(shop), member_id=member(2)))
    assert await state_of(shop) == ("issued", None, None)


async def test_an_offer_that_nobody_issued_is_recorded_and_ignored(shop: Shop) -> None:
    await shop.buy(sold(UUID(int=404)))
    (claim,) = await shop.rows(tables.offer_claim)
    assert claim["outcome"] == "unknown"
    assert await shop.events() == NONE


async def test_a_full_return_gives_the_offer_back(shop: Shop) -> None:
    purchase = sold(await issued(shop))
    await shop.buy(purchase)
    await shop.buy(builders.purchase_returned(purchase.data))
    assert await state_of(shop) == ("issued", None, None)
    assert [kind for kind, _ in await changes_of(shop)] == ["redeemed", "restored"]
    again = sold((await shop.wallet())[0]["offer_id"], no="2")
    await shop.buy(again)
    assert (await state_of(shop))[1] == again.data.receipt_id
    ids = [event.id for event in await shop.events()]
    assert len(ids) == len(set(ids)) == 4


async def test_a_partial_return_keeps_the_offer_used(shop: Shop) -> None:
    purchase = sold(
        await issued(shop),
        of("milk", quantity_milli=2000, amount_minor=380, discount_minor=20),
    )
    await shop.buy(purchase)
    half = ReturnedLine(line_no=1, quantity_milli=1000, amount_minor=190)
    await shop.buy(builders.purchase_returned(purchase.data, [half]))
    assert (await state_of(shop))[0] == "redeemed"


async def test_a_void_passes_the_offer_to_the_next_sale(shop: Shop) -> None:
    offer_id = await issued(shop)
    first, second = sold(offer_id, no="1", days_ago=1), sold(offer_id, no="2")
    await shop.buy(first, second)
    await shop.buy(builders.purchase_voided(first.data))
    assert (await state_of(shop))[1] == second.data.receipt_id


async def test_an_attributed_receipt_redeems_from_then_on(shop: Shop) -> None:
    purchase = sold(await issued(shop), member_id=None)
    await shop.buy(purchase)
    assert (await state_of(shop))[0] == "issued"
    await shop.buy(builders.purchase_attributed(purchase.data))
    assert (await state_of(shop))[0] == "redeemed"


async def test_an_amendment_that_drops_the_offer_gives_it_back(shop: Shop) -> None:
    purchase = sold(await issued(shop))
    await shop.buy(purchase)
    lines = [of("milk", amount_minor=200)]
    await shop.buy(builders.purchase_amended(purchase.data, lines, offer_ids=()))
    assert (await state_of(shop))[0] == "issued"


async def test_every_order_of_arrival_ends_with_the_same_offer_used(
    make_database: MakeDatabase,
) -> None:
    dice = random.Random(5)
    ends: set[tuple[str, UUID | None, int | None]] = set()
    for _ in range(3):
        shop = Shop(await make_database("offers"))
        offer_id = await issued(shop)
        first = sold(offer_id, no="1", days_ago=2)
        events: list[Event] = [
            first,
            builders.purchase_voided(first.data),
            sold(offer_id, no="2", days_ago=1),
            sold(offer_id, no="3"),
            sold(offer_id, of("tea"), no="4", days_ago=2.5),
        ]
        dice.shuffle(events)
        for event in events:
            await shop.buy(event)
        ends.add(await state_of(shop))
    assert len(ends) == 1
    assert ends.pop()[0] == "redeemed"
