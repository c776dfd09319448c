"""Rules that ask for the member's tier: worth the same in any order, as a plain definition says."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import hypothesis.strategies as st
from hypothesis import given

from services.loyalty.domain.becoming import ReceiptState
from services.loyalty.domain.bonuses import Bonus
from services.loyalty.domain.caps import Cap
from services.loyalty.domain.conditions import compile_condition
from services.loyalty.domain.ladder import TierPolicy
from services.loyalty.domain.merges import Merge
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.terms import Pending
from shared.contracts.purchases import Receipt
from tests.unit.loyalty import programmes
from tests.unit.loyalty.books import Ledger
from tests.unit.loyalty.sales import Sold
from tests.unit.loyalty.test_fold import ANN, BEN, EVE, assert_books_close, reached
from tests.unit.loyalty.test_merges import assert_merges_balance
from tests.unit.loyalty.test_tier_orders import (
    BY_POINTS,
    EPOCH,
    POLICIES,
    SMALL,
    SPAN_DAYS,
    carried,
    events,
)

RULES = (
    Bonus("gold", "Gold: half as much again", multiplier_percent=150, tiers=frozenset({"Gold"})),
    Bonus("any", "With a tier: 7", points_per_receipt=7, when=compile_condition('tier != ""')),
)
CAPS = (Cap("monthly", "At most 900 a month", "month", 900),)
END = EPOCH + timedelta(days=SPAN_DAYS + 900)
SWEPT = END + timedelta(days=100)


def programme(policy: TierPolicy, **more: Any) -> Programme:
    """Two versions, of which the first asks for no tier."""
    early = programmes.version(since=EPOCH - timedelta(days=9))
    asking = programmes.version("v2", since=EPOCH + timedelta(days=200), bonuses=RULES, **more)
    made = programmes.small(early, asking, policy=policy)
    if policy.measure == "visits":
        return replace(made, tiers=SMALL)
    if policy.measure == "points":
        return replace(made, tiers=BY_POINTS)
    return made


def held(made: Programme, facts: Sequence[ReceiptState], at: datetime) -> int:
    """Return what was carried at any time within the grace before a sale, from scratch."""
    ladder, known = made.ladder, [_until(one, at) for one in facts]
    before = [one for one in known if one.occurred_at and one.occurred_at < at]
    began = ladder.later(at, -made.tier_policy.grace_days)
    times = {one.occurred_at for one in before} | {
        back.at for one in before for back in one.returns
    }
    periods = range(ladder.period_at(began), ladder.period_at(at) + 1)
    times |= {ladder.starts(one) for one in periods}
    inside = [began, at, *(one for one in times if one and began < one < at)]
    return max(carried(ladder, before, one) for one in inside)


def _until(one: ReceiptState, at: datetime) -> ReceiptState:
    """Return a receipt with the time of its sale; what came back from ``at`` on did so later."""
    later = at + timedelta(microseconds=1)
    returns = tuple(
        back._replace(at=later) if at <= back.at < later else back for back in one.returns
    )
    return replace(one, occurred_at=one.sold_at or one.occurred_at, returns=returns)


def assert_levels(ledger: Ledger, merges: Sequence[Merge] = ()) -> None:
    """Hold each sale to the definition."""
    for receipt_id, one in ledger.receipts.items():
        if not one.by_level:
            continue
        at = one.sold_at or one.occurred_at
        assert at is not None
        owners = {one.member_id}
        for merge in reversed(merges):
            if merge.into_id in owners and merge.merged_at < at:
                owners.add(merge.member_id)
        facts = [other for other in ledger.receipts.values() if other.member_id in owners]
        expected = held(ledger.programme, facts, at)
        assert one.level == expected, (receipt_id, at)
        if one.approval != "rejected":
            assert one.desired == one.by_level[expected]


@st.composite
def sold(draw: st.DrawFn) -> Sold:
    """As of tiers, and now and then on the same day as others."""
    on = draw(st.integers(200, 200 + SPAN_DAYS) | st.sampled_from([400, 401, 500]))
    left = amount = draw(st.integers(1, 250))
    back: list[tuple[str, int]] = []
    for after in draw(st.lists(st.integers(0, 400), max_size=2)):
        part = draw(st.integers(0, left))
        left -= part
        back.append((f"{EPOCH + timedelta(days=on + after):%Y-%m-%d}", part))
    return Sold(f"{EPOCH + timedelta(days=on):%Y-%m-%d}", amount, tuple(back))


sales = st.lists(sold(), min_size=1, max_size=8)
movers = st.frozensets(st.integers(0, 7), max_size=2)
MORE = [
    {},
    {"caps": CAPS},
    {"pending": Pending(days=14, approval_above=700)},
    {"caps": CAPS, "pending": Pending(approval_above=900)},
    {"caps": CAPS, "pending": Pending(days=60), "returns_take": "pending_only"},
]


class Case:
    """Histories of some receipts, in the order of each and shuffled with some twice."""

    def __init__(
        self, of: list[Sold], moved: frozenset[int], made: Programme, chance: random.Random
    ) -> None:
        self.programme = made
        histories = [[_ahead(one, chance) for one in events_of] for events_of in events(of, moved)]
        self.flat = [one for history in histories for one in history]
        shuffled = self.flat + chance.choices(self.flat, k=3)
        chance.shuffle(shuffled)
        self.batches: list[list[Any]] = []
        while shuffled:
            size = chance.randint(1, 5)
            self.batches.append(shuffled[:size])
            del shuffled[:size]

    def ledger(self) -> Ledger:
        return Ledger(self.programme, now=END)


def _ahead(event: Any, chance: random.Random) -> Any:
    """Let the clocks of a few tills be ahead, by as much for all revisions."""
    receipt: Receipt = event.data
    if receipt.receipt_id.int % 5:
        return event
    heard = receipt.occurred_at - timedelta(days=receipt.receipt_id.int % 300)
    return event.model_copy(update={"data": receipt.model_copy(update={"received_at": heard})})


@given(
    sales,
    movers,
    st.sampled_from(POLICIES),
    st.sampled_from(MORE),
    st.randoms(use_true_random=False),
)
def test_any_order_gives_each_sale_the_level_that_was_held(
    of: list[Sold],
    moved: frozenset[int],
    policy: TierPolicy,
    more: dict[str, Any],
    chance: random.Random,
) -> None:
    case = Case(of, moved, programme(policy, **more), chance)
    in_order, any_order = case.ledger(), case.ledger()

    in_order.apply_all([one] for one in case.flat)
    any_order.apply_all(case.batches)
    for ledger in (in_order, any_order):
        ledger.sweep(SWEPT)

    assert reached(any_order) == reached(in_order)
    for ledger in (in_order, any_order):
        assert_levels(ledger)
        assert_books_close(ledger)


FIRST = Merge(UUID(int=101), ANN, BEN, EPOCH + timedelta(days=500), "key")
SECOND = Merge(UUID(int=102), BEN, EVE, EPOCH + timedelta(days=800), "key")
spread = st.lists(st.sampled_from([ANN, BEN, EVE]), min_size=8, max_size=8)


def given_to(case: Case, owners: Sequence[UUID]) -> None:
    """Give the receipts to several members; moved ones stay with whom they moved to."""

    def own(event: Any) -> Any:
        receipt = event.data
        if receipt.member_id != ANN:
            return event
        member_id = owners[int(receipt.receipt_no)]
        return event.model_copy(
            update={"data": receipt.model_copy(update={"member_id": member_id})}
        )

    case.flat = [own(one) for one in case.flat]
    case.batches = [[own(one) for one in batch] for batch in case.batches]


@given(sales, movers, spread, st.sampled_from(POLICIES), st.randoms(use_true_random=False))
def test_after_a_merge_both_count_and_undone_they_never_did(
    of: list[Sold],
    moved: frozenset[int],
    owners: list[UUID],
    policy: TierPolicy,
    chance: random.Random,
) -> None:
    case = Case(of, moved, programme(policy, caps=CAPS), chance)
    given_to(case, owners)
    steps: list[Any] = list(case.batches)
    acts = sorted(chance.choices(range(len(steps) + 1), k=2))
    steps.insert(acts[1], SECOND)
    steps.insert(acts[0], FIRST)
    in_order, any_order, never = case.ledger(), case.ledger(), case.ledger()

    for ledger, course in ((in_order, [case.flat, FIRST, SECOND]), (any_order, steps)):
        for step in course:
            if isinstance(step, Merge):
                ledger.merge(step)
            else:
                ledger.apply(step)
        assert_levels(ledger, [FIRST, SECOND])
        assert_books_close(ledger)
        assert_merges_balance(ledger)

    assert in_order.outcome()["levels"] == any_order.outcome()["levels"]
    any_order.unmerge(SECOND)
    assert_levels(any_order, [FIRST])
    any_order.unmerge(FIRST)
    never.apply_all(case.batches)
    for ledger in (any_order, never):
        ledger.sweep(SWEPT)
    assert reached(any_order) == reached(never)
    assert_levels(any_order)
