"""Points that have begun and stay when goods come back, and what a return took of the others."""

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.loyalty.domain.bonuses import Bonus
from services.loyalty.domain.caps import Cap
from services.loyalty.domain.programme import Taken
from services.loyalty.domain.terms import Pending
from tests import builders
from tests.unit.loyalty import programmes
from tests.unit.loyalty.books import Ledger
from tests.unit.loyalty.test_fold import BEGAN, CAPS, assert_any_order, crowded, days, returned

ONLY: Taken = "pending_only"


@given(st.data())
def test_points_that_stay_are_the_same_in_any_order(data: st.DataObject) -> None:
    pending = data.draw(st.sampled_from([Pending(days=2), Pending(days=30), Pending(30, True)]))
    capped = data.draw(st.booleans())
    version = programmes.version(since=BEGAN, pending=pending, returns_take="pending_only")
    programme = programmes.small(replace(version, caps=CAPS if capped else ()))
    assert_any_order(data, programme, crowded if capped else days, naming=not capped)


def test_a_return_takes_what_waits_for_goods_that_have_not_come() -> None:
    pending = Pending(fulfilment=True)
    version = programmes.version(pending=pending, returns_take="pending_only")
    ordered = builders.purchase_recorded(
        lines=[builders.line(category="BREAD", amount_minor=1_000)], fulfilment="pending"
    )
    came = builders.NOW + timedelta(days=9)
    early = builders.purchase_returned(
        ordered.data, [returned(1, 300)], time=builders.NOW + timedelta(days=5)
    )
    complete = builders.purchase_amended(
        early.data, early.data.lines, fulfilment="complete", fulfilled_at=came
    )
    late = builders.purchase_returned(complete.data, [returned(1, 500)], time=came)
    worth: list[list[int]] = []

    for order in itertools.permutations([ordered, early, complete, late]):
        ledger = Ledger(programmes.small(version))
        ledger.apply_all([[event] for event in order])
        worth.append([one.posted for one in ledger.receipts.values()])
    alone = Ledger(programmes.small(version))
    alone.apply([ordered, early])

    assert worth == [[70]] * 24
    assert [one.posted for one in alone.receipts.values()] == [70]


def test_what_stays_is_told_by_the_lines_that_it_is_for_and_counts_for_no_tier() -> None:
    pending = Pending(days=1)
    ledger = Ledger(programmes.small(programmes.version(pending=pending, returns_take=ONLY)))
    bread = [builders.line(category="BREAD", amount_minor=15_000)]
    sold = builders.purchase_recorded(lines=bread)
    back = builders.purchase_returned(sold.data, time=builders.NOW + timedelta(days=2))

    ledger.apply([back])

    [posting] = ledger.postings
    assert (posting.points, posting.change.settlement.lines[1::4]) == (1_500, [15_000])
    assert ledger.outcome()["tiers"] == {builders.MEMBER: None}


def test_a_return_knows_the_points_that_it_took_of_the_receipt_alone() -> None:
    """A bonus that the rest is too small for goes with it; caps have no say."""
    visit = Bonus("visit", "A visit", points_per_receipt=50, minimum_spend_minor=1_000)
    cap = Cap("each", "At most 40 points a receipt", "receipt", 40)
    ledger = Ledger(programmes.small(programmes.version(bonuses=(visit,), caps=(cap,))))
    bread = [builders.line(category="BREAD", amount_minor=1_990)]
    net: Any = builders.purchase_recorded(lines=bread).data
    for days_later, amount in ((3, 33), (5, 33), (4, 1_000)):
        at = builders.NOW + timedelta(days=days_later)
        net = builders.purchase_returned(net, [returned(1, amount)], time=at).data

    ledger.apply([builders.purchase_returned(net, [returned(1, 0)])])

    [state] = ledger.receipts.values()
    assert (state.desired, state.posted) == (92, 40)
    assert [(one.minor, one.points) for one in state.returns] == [(33, 4), (1_000, 150), (33, 3)]
