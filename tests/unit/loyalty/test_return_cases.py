"""The worked cases of returns: entry by entry in order, and the same worth in any order."""

import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from tests.cases import returns
from tests.cases.returns import Case
from tests.unit.loyalty.books import Ledger

CASES = returns.load()
cases = pytest.mark.parametrize("case", [pytest.param(one, id=one.name) for one in CASES])


def test_the_table_has_the_dozen_cases_that_it_promises() -> None:
    assert len(CASES) >= 12
    assert len({case.name for case in CASES}) == len(CASES)


@cases
def test_each_step_posts_what_the_table_says(case: Case) -> None:
    ledger = Ledger(case.programme)

    ledger.apply_all([[event] for event in case.events])

    posted = [
        (case.letters[one.change.receipt_id], one.change.member_id, one.points)
        for one in ledger.postings
    ]
    assert posted == case.entries
    assert_worth(ledger, case)


@cases
def test_any_order_and_batching_end_in_the_same_worth(case: Case) -> None:
    for order in itertools.permutations(case.events):
        for batches in ([order], [[event] for event in order], [[*order, *order]]):
            ledger = Ledger(case.programme)
            ledger.apply_all(batches)
            assert_worth(ledger, case)


def assert_worth(ledger: Ledger, case: Case) -> None:
    worth = {case.letters[key]: state.posted for key, state in ledger.receipts.items()}
    assert worth == case.worth
    held: dict[Any, int] = {}
    for state in ledger.receipts.values():
        held[state.member_id] = held.get(state.member_id, 0) + state.posted
    balances = {key: one.available + one.pending for key, one in ledger.members.items()}
    assert balances == {**dict.fromkeys(balances, 0), **held}
    lots: Sequence[Any] = sorted(lot.points for lot, _ in ledger.lots.values())
    assert lots == sorted(points for points in worth.values() if points)
