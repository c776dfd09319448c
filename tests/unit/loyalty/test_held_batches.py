"""The tier at a sale, where one batch has more than the sale, or the sale is nobody's."""

from typing import Any

from services.loyalty.domain.bonuses import Bonus
from services.loyalty.domain.ladder import TierPolicy
from services.loyalty.domain.terms import Pending
from shared.contracts.purchases import ReturnedLine
from tests import builders
from tests.unit.loyalty import programmes
from tests.unit.loyalty.books import Ledger
from tests.unit.loyalty.sales import day
from tests.unit.loyalty.test_tier_orders import BY_POINTS


def sold(number: str, on: str, minor: int) -> Any:
    lines = [builders.line(category="BREAD", amount_minor=minor)]
    return builders.purchase_recorded(receipt_no=number, occurred_at=day(on), lines=lines)


def test_a_sale_that_turns_out_to_be_nobodys_is_worth_nothing() -> None:
    rules = (Bonus("gold", "Gold", points_per_receipt=50, tiers=frozenset({"Gold"})),)
    ledger = Ledger(programmes.small(programmes.version(bonuses=rules)))
    bread = [builders.line(category="BREAD", amount_minor=1_000)]
    sold = builders.purchase_recorded(lines=bread)

    ledger.apply([sold])
    assert ledger.members[builders.MEMBER].available == 100
    ledger.apply([builders.purchase_amended(sold.data, bread, member_id=None)])

    assert ledger.members[builders.MEMBER].available == 0
    (left,) = ledger.receipts.values()
    assert (left.posted, left.desired, left.by_level, left.level) == (0, 0, (), None)
    assert ledger.lots == {}


def test_a_sale_behind_a_return_in_one_batch_is_in_its_grace() -> None:
    rules = (Bonus("gold", "Gold", points_per_receipt=50, tiers=frozenset({"Gold"})),)
    made = programmes.version(bonuses=rules)
    ledger = Ledger(programmes.small(made, policy=TierPolicy(grace_days=31)))

    first, later = sold("1", "2026-03-01", 30_000), sold("2", "2026-03-10", 1_000)
    back = [ReturnedLine(line_no=1, quantity_milli=0, amount_minor=20_000)]
    came_back = builders.purchase_returned(first.data, back, occurred_at=day("2026-03-05"))

    ledger.apply([first])
    ledger.apply([came_back, later])

    assert ledger.receipts[later.data.receipt_id].level == 2


def test_what_the_staff_rejects_carries_no_tier_by_points_at_the_sales_behind_it() -> None:
    rules = (Bonus("gold", "Gold", points_per_receipt=50, tiers=frozenset({"Gold"})),)
    made = programmes.version(bonuses=rules, pending=Pending(approval_above=2_000))
    ledger = Ledger(programmes.small(made, policy=TierPolicy(measure="points"), tiers=BY_POINTS))
    first, later = sold("1", "2026-03-01", 30_000), sold("2", "2026-03-10", 1_000)

    ledger.apply([first])
    ledger.apply([later])
    assert ledger.receipts[later.data.receipt_id].posted == 150
    ledger.decide(first.data.receipt_id, "rejected", day("2026-03-11"))

    left = ledger.receipts[later.data.receipt_id]
    assert (left.level, left.posted) == (0, 100)
