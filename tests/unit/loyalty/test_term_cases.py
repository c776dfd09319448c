"""The worked cases of terms: entry by entry in order, and the same end in any order."""

import itertools
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from services.loyalty.domain import spending
from services.loyalty.domain.accounts import MemberState
from services.loyalty.domain.postings import SpendChange
from services.loyalty.domain.spending import Spend
from tests.builders import MEMBER
from tests.cases import terms
from tests.cases.terms import Case, Step
from tests.unit.loyalty.books import Ledger

MOMENT = timedelta(seconds=1)
CASES = terms.load()
cases = pytest.mark.parametrize("case", [pytest.param(one, id=one.name) for one in CASES])


@cases
def test_each_step_posts_what_the_table_says(case: Case) -> None:
    ledger = Ledger(case.programme, now=case.steps[0].at)

    for number, step in enumerate(case.steps):
        ledger.sweep(max(ledger.now, step.at))
        if step.event:
            ledger.apply([step.event])
            continue
        hold = held(number, step)
        ledger.change(SpendChange(None, hold, hold.spend_id, step.at))
        captured = spending.capture(hold, None, step.at)
        ledger.change(SpendChange(hold, captured, hold.spend_id, step.at))
    ledger.sweep(case.until)

    legs = [leg for one in ledger.entries for leg in one.legs]
    assert [f"{leg.from_account}>{leg.to_account} {leg.points}" for leg in legs] == case.entries
    assert has(ledger) == case.has


@cases
def test_any_order_ends_in_the_same(case: Case) -> None:
    """What was spent is a fact, too, whether we know already of points that serve it or not."""
    steps = list(enumerate(case.steps))
    for order in itertools.permutations(steps):
        ledger = in_order_of_arrival(case, order)
        ledger.sweep(case.until)
        assert has(ledger) == case.has


def in_order_of_arrival(case: Case, order: Iterable[tuple[int, Step]]) -> Ledger:
    ledger = Ledger(case.programme, now=case.until - MOMENT)
    for number, step in order:
        if step.event:
            ledger.apply([step.event])
            ledger.apply([step.event])
            continue
        hold = held(number, step)
        released = spending.release(hold, step.at)
        captured = replace(released, state="captured", captured=step.spend, taken=step.spend)
        open_account(ledger, step.at)
        ledger.change(SpendChange(released, captured, hold.spend_id, step.at))
    return ledger


def open_account(ledger: Ledger, at: datetime) -> None:
    ledger.members.setdefault(MEMBER, MemberState(0, 0, at, {}, None))


def held(number: int, step: Step) -> Spend:
    key, until = UUID(int=number), step.at + timedelta(minutes=10)
    return Spend(key, MEMBER, step.spend, step.spend, 0, "held", step.at, until, "card", "till")


def has(ledger: Ledger) -> dict[str, int]:
    state = ledger.members[MEMBER]
    return {
        "available": state.available,
        "pending": state.pending,
        "held": state.held,
        "debt": state.debt,
        "lost": state.lost,
    }
