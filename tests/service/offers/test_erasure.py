"""Erased members: their habits go, and what is popular stays."""

from services.offers.jobs import forget_erased
from services.offers.store import tables
from shared.contracts.purchases import ReturnedLine
from tests import builders
from tests.builders import MEMBER
from tests.service.offers.shop import Shop, bought, every, member


async def test_erasing_takes_profile_receipts_and_reasons_away(shop: Shop) -> None:
    await shop.enrol(MEMBER, member(2))
    await shop.list_products("milk", "tea")
    await shop.buy(*every(7, "milk", "tea", times=4), *every(7, "milk", times=4, owner=member(2)))
    await shop.publish()
    await shop.issue()
    assert [row["reason"] for row in await shop.wallet()] != []

    await shop.enrol(MEMBER, status="erased", version=2)

    profile = await shop.profile()
    owners = {row["member_id"] for rows in profile.values() for row in rows}
    assert owners == {member(2)}
    assert {row["member_id"] for row in await shop.rows(tables.receipt)} == {None, member(2)}
    assert {row["reason"] for row in await shop.wallet()} == {""}
    assert {row["reason"] for row in await shop.wallet(member(2))} != {""}


async def test_what_comes_after_the_erasure_is_taken_away_by_the_job(shop: Shop) -> None:
    before = bought("milk", "tea", days_ago=3)
    await shop.enrol(MEMBER)
    await shop.buy(before)
    await shop.enrol(MEMBER, status="erased", version=2)
    back = ReturnedLine(line_no=1, quantity_milli=1000, amount_minor=200)

    await shop.buy(bought("tea", days_ago=1), builders.purchase_returned(before.data, [back]))
    assert (await shop.profile())["member_total"] != []
    await forget_erased(shop.context)
    await forget_erased(shop.context)

    assert set(map(len, (await shop.profile()).values())) == {0}
    assert {row["member_id"] for row in await shop.rows(tables.receipt)} == {None}
