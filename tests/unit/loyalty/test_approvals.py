"""Receipts that wait for the staff: given what was decided, the order of the rest is all one."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args

from hypothesis import given
from hypothesis import strategies as st

from services.loyalty.domain.approvals import Verdict
from services.loyalty.domain.challenges import Challenge
from services.loyalty.domain.programme import Taken
from services.loyalty.domain.terms import Expiry, Pending
from shared.contracts.purchases import ReturnedLine
from tests import builders
from tests.unit.loyalty import programmes
from tests.unit.loyalty.books import Ledger
from tests.unit.loyalty.test_challenges import under
from tests.unit.loyalty.test_fold import (
    ANN,
    BEGAN,
    CAPS,
    assert_books_close,
    crowded,
    days,
    histories,
    named_by,
    reached,
)

ABOVE = Pending(approval_above=1_000)
VISIT = Challenge("visit", "Your first visit", 100, "visits", 1, "ever", once=True)


@given(st.data())
def test_revisions_before_and_after_a_decision_come_in_any_order(data: st.DataObject) -> None:
    days_too, ordered = data.draw(st.sampled_from([0, 14, 90])), data.draw(st.booleans())
    pending = Pending(days_too, ordered, approval_above=data.draw(st.sampled_from([0, 1_000])))
    capped = data.draw(st.booleans())
    expiry = data.draw(st.sampled_from([Expiry(12), Expiry(1), Expiry(inactive_months=2)]))
    stays = data.draw(st.booleans())
    version = programmes.version(since=BEGAN, pending=pending, caps=CAPS if capped else ())
    taken: Taken = "pending_only" if stays else "all"
    programme = programmes.small(replace(version, expiry=expiry, returns_take=taken))
    known = data.draw(
        st.lists(
            histories(crowded if capped else days, naming=not capped),
            max_size=5,
            unique_by=lambda events: events[0].data.receipt_id,
        )
    )
    events: list[Any] = [event for history in known for event in history]
    repeated = events + data.draw(st.lists(st.sampled_from(events))) if events else []
    holds = {key: hold for first, *_ in known for key, hold in named_by(first.data).items()}
    in_order, any_order = (Ledger(programme, holds=dict(holds), now=BEGAN) for _ in range(2))
    until = builders.NOW + timedelta(days=100)

    decided: dict[Any, tuple[Verdict, Any]] = {}
    for event in data.draw(st.permutations(repeated)):
        any_order.apply([event])
        state = any_order.receipts.get(event.data.receipt_id)
        if state and state.approval == "waiting" and data.draw(st.booleans()):
            verdict = data.draw(st.sampled_from(get_args(Verdict)))
            # After the last goods came back that can have been heard of.
            at = builders.NOW + timedelta(days=data.draw(st.integers(60, 99)))
            any_order.decide(event.data.receipt_id, verdict, at)
            decided[event.data.receipt_id] = verdict, at
    for event in events:
        in_order.apply([event])
        state = in_order.receipts.get(event.data.receipt_id)
        if state and state.approval == "waiting" and event.data.receipt_id in decided:
            # As early as can be: all that comes later finds the decision.
            in_order.decide(event.data.receipt_id, *decided[event.data.receipt_id])
    for ledger in (in_order, any_order):
        ledger.sweep(max(ledger.now, until))

    assert reached(any_order) == reached(in_order)
    for ledger in (in_order, any_order):
        assert_books_close(ledger)


def test_an_approved_receipt_that_becomes_worth_more_does_not_wait_again() -> None:
    ledger = Ledger(programmes.small(programmes.version(pending=ABOVE)))
    bread = builders.line(category="BREAD", amount_minor=11_000)
    sold = builders.purchase_recorded(lines=[bread])
    ledger.apply([sold])
    assert ledger.outcome()["balances"] == {builders.MEMBER: (0, 1_100, 0, 0)}
    ledger.decide(sold.data.receipt_id, "approved", builders.NOW + timedelta(days=1))

    more = builders.line(category="BREAD", amount_minor=50_000)
    ledger.apply([builders.purchase_amended(sold.data, [more])])

    assert ledger.outcome()["balances"] == {builders.MEMBER: (5_000, 0, 0, 0)}


def test_a_rejected_receipt_is_no_visit_and_still_carries_the_tier() -> None:
    ledger = Ledger(under(VISIT, pending=ABOVE))
    sold = builders.purchase_recorded(lines=[builders.line(category="BREAD", amount_minor=11_000)])
    ledger.apply([sold])
    assert ledger.outcome()["balances"] == {builders.MEMBER: (0, 1_200, 0, 0)}

    ledger.decide(sold.data.receipt_id, "rejected", builders.NOW)

    assert ledger.outcome()["balances"] == {builders.MEMBER: (0, 0, 0, 0)}
    assert ledger.outcome()["awards"] == {}
    assert ledger.outcome()["tiers"] == {builders.MEMBER: "Silver"}
    ledger.apply([builders.purchase_attributed(sold.data, builders.MEMBER)])
    assert ledger.outcome()["balances"] == {builders.MEMBER: (0, 0, 0, 0)}
    assert ledger.outcome()["awards"] == {}


def test_a_decision_stays_with_a_receipt_that_is_nobodys_for_a_while() -> None:
    ledger = Ledger(programmes.small(programmes.version(pending=ABOVE)))
    sold = builders.purchase_recorded(lines=[builders.line(category="BREAD", amount_minor=11_000)])
    ledger.apply([sold])
    ledger.decide(sold.data.receipt_id, "rejected", builders.NOW)

    alone = sold.data.model_copy(update={"member_id": None, "revision": 2})
    nobodys = builders.purchase_recorded(alone)
    ledger.apply([nobodys])
    ledger.apply([builders.purchase_attributed(nobodys.data, ANN)])

    assert reached(ledger)["balances"] == {}


def test_goods_that_come_back_after_the_days_of_waiting_let_nothing_pass() -> None:
    """Else all of the points would stay, and nobody would have looked."""
    pending, late = Pending(7, approval_above=1_000), builders.NOW + timedelta(days=9)
    version = programmes.version(pending=pending, returns_take="pending_only")
    bread = builders.line(category="BREAD", amount_minor=11_000)
    part = [ReturnedLine(line_no=1, quantity_milli=0, amount_minor=2_000)]
    sold = builders.purchase_recorded(lines=[bread])
    in_time, after = Ledger(programmes.small(version)), Ledger(programmes.small(version))

    in_time.apply([sold, builders.purchase_returned(sold.data, part)])
    back = builders.purchase_returned(sold.data, part, time=late)
    after.apply([sold, back])

    assert [one.approval for one in in_time.receipts.values()] == [None]
    assert [one.approval for one in after.receipts.values()] == ["waiting"]
    assert after.outcome()["balances"] == {builders.MEMBER: (0, 900, 0, 0)}
    # By its till's clock the goods came back after the decision, which knew of it all the same.
    after.decide(sold.data.receipt_id, "approved", late - timedelta(days=1))
    after.sweep(late + timedelta(hours=1))
    after.apply([builders.purchase_attributed(back.data)])
    assert after.outcome()["balances"] == {builders.MEMBER: (900, 0, 0, 0)}
    after.apply([builders.purchase_returned(back.data, part, time=late + timedelta(days=2))])
    assert after.outcome()["balances"] == {builders.MEMBER: (900, 0, 0, 0)}
