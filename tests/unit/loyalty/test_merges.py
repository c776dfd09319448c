"""Merges: the order in which facts arrive does not matter, and undone is as if it had not been."""

import itertools
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.loyalty.domain.accounts import MERGED
from services.loyalty.domain.merges import Merge
from services.loyalty.domain.postings import Move
from services.loyalty.domain.terms import Pending
from tests import builders
from tests.unit.loyalty import programmes
from tests.unit.loyalty.books import Ledger
from tests.unit.loyalty.test_fold import (
    ANN,
    BEN,
    EVE,
    assert_books_close,
    days,
    histories,
    named_by,
    reached,
)

# Their ids are above those of holds, which are numbers of receipts.
FIRST = Merge(UUID(int=10**12), ANN, BEN, datetime(2025, 1, 10, 12, tzinfo=UTC), "key")
SECOND = Merge(UUID(int=10**12 + 1), BEN, EVE, datetime(2025, 12, 10, 12, tzinfo=UTC), "key")
Step = list[Any] | Merge


def has(ledger: Ledger, member_id: UUID) -> tuple[int, int, int, int]:
    balances: dict[UUID, tuple[int, int, int, int]] = ledger.outcome()["balances"]
    return balances[member_id]


def run(ledger: Ledger, steps: list[Step]) -> Ledger:
    for step in steps:
        if isinstance(step, Merge):
            ledger.merge(step)
        else:
            ledger.apply(step)
    ledger.sweep(builders.NOW + timedelta(days=100))
    return ledger


def outcome(ledger: Ledger) -> dict[str, Any]:
    """Leave out debts that came with a merge and are gone: whether there was one may depend."""
    found = reached(ledger)
    found["taken"] = {key: taken for key, taken in found["taken"].items() if taken}
    return found


class Case:
    """Receipts and holds of three members, in one order and in any other."""

    def __init__(self, data: st.DataObject) -> None:
        pending = data.draw(st.sampled_from([None, Pending(days=14), Pending(days=300)]))
        since = datetime(2024, 1, 1, tzinfo=UTC)
        self.programme = programmes.small(programmes.version(since=since, pending=pending))
        by_receipt = data.draw(
            st.lists(
                histories(days, naming=True),
                max_size=6,
                unique_by=lambda events: events[0].data.receipt_id,
            )
        )
        self.events = list(itertools.chain.from_iterable(by_receipt))
        repeated = self.events
        if self.events:
            repeated = self.events + data.draw(st.lists(st.sampled_from(self.events)))
        shuffled = data.draw(st.permutations(repeated))
        cuts = sorted(data.draw(st.lists(st.integers(0, len(shuffled)), max_size=5)))
        self.batches: list[Step] = [
            shuffled[start:end] for start, end in itertools.pairwise([0, *cuts, len(shuffled)])
        ]
        self.holds = {
            key: replace(hold, member_id=self._open_to(hold.member_id, hold.at))
            for first, *_ in by_receipt
            for key, hold in named_by(first.data).items()
        }

    @staticmethod
    def _open_to(member_id: UUID, at: datetime) -> UUID:
        """Nobody grants anything to a member who has been merged."""
        if member_id == ANN and at > FIRST.merged_at:
            member_id = BEN
        if member_id == BEN and at > SECOND.merged_at:
            member_id = EVE
        return member_id

    def ledger(self) -> Ledger:
        return Ledger(self.programme, holds=dict(self.holds))


@given(st.data())
def test_order_duplicates_and_batches_do_not_matter(data: st.DataObject) -> None:
    """Also facts of a merged member that are older than the merge, over a chain of two."""
    case = Case(data)
    first, second = sorted(data.draw(st.integers(0, len(case.batches))) for _ in range(2))
    steps = list(case.batches)
    steps.insert(second, SECOND)
    steps.insert(first, FIRST)

    in_order = run(case.ledger(), [case.events, FIRST, SECOND])
    any_order = run(case.ledger(), steps)

    assert outcome(any_order) == outcome(in_order)
    for ledger in (in_order, any_order):
        assert_books_close(ledger)
        assert_merges_balance(ledger)
        for one in (FIRST, SECOND):
            assert has(ledger, one.member_id)[:2] == (0, 0) == has(ledger, one.member_id)[2:]


@given(st.data())
def test_undone_it_is_as_if_it_had_never_been(data: st.DataObject) -> None:
    """Whatever came in between; what was spent by then stands with who spent it."""
    case = Case(data)
    at = sorted(data.draw(st.integers(0, len(case.batches))) for _ in range(4))
    steps: list[Any] = list(case.batches)
    turns = data.draw(st.sampled_from([(0, 1, 2, 3), (0, 1, 3, 2)]))
    acts = [("merge", FIRST), ("merge", SECOND), ("unmerge", SECOND), ("unmerge", FIRST)]
    for place, turn in reversed(list(zip(at, turns, strict=True))):
        steps.insert(place, acts[turn])

    never, undone = run(case.ledger(), [case.events]), case.ledger()
    for step in steps:
        if isinstance(step, tuple):
            getattr(undone, step[0])(step[1])
        else:
            undone.apply(step)
    undone.sweep(builders.NOW + timedelta(days=100))

    assert outcome(undone) == outcome(never)
    assert_books_close(undone)
    assert_merges_balance(undone)


def assert_merges_balance(ledger: Ledger) -> None:
    """What one member gave over the account between them, the other got by the same cause."""
    sums: Counter[UUID] = Counter()
    for one in ledger.entries:
        for leg in one.legs:
            if isinstance(one, Move) and MERGED in (leg.from_account, leg.to_account):
                sums[one.cause_id] += leg.points * (1 if leg.to_account == MERGED else -1)
    assert not any(sums.values())
