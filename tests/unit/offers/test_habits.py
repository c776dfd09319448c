"""Sums that do not care about the order of receipts."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.offers.domain import habits
from services.offers.domain.habits import Change, Changes, Habit, Line, Receipt

Made = list[tuple[list[Line], float]]

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
ANNA = UUID(int=1)


def receipt(number: int, *lines: Line, day: float = 0, member: UUID | None = ANNA) -> Receipt:
    return Receipt(
        receipt_id=UUID(int=number),
        revision=1,
        member_id=member,
        bought_at=START + timedelta(days=day),
        currency="USD",
        lines=lines,
    )


def line(sku: str, *, amount: int = 100, discount: int = 0) -> Line:
    return Line(sku, f"of {sku}", 1000, amount, discount)


def flat(part: Changes) -> dict[tuple[UUID, str], Change]:
    return {
        (member_id, sku): change
        for member_id, found in part.products.items()
        for sku, change in found.items()
    }


def merged(parts: Sequence[Changes]) -> dict[tuple[UUID, str], Change]:
    """Add up what several batches say about products, as the store's statement does."""
    total: dict[tuple[UUID, str], Change] = {}
    for part in parts:
        for key, change in flat(part).items():
            known = total.setdefault(key, Change(change.first_at, change.last_at, change.category))
            known.purchases += change.purchases
            known.weight += change.weight
            known.lines += change.lines
            known.discounted_lines += change.discounted_lines
            known.quantity_milli += change.quantity_milli
            known.spend_minor += change.spend_minor
            known.first_at = min(known.first_at, change.first_at)
            known.last_at = max(known.last_at, change.last_at)
    return total


skus = st.sampled_from(["milk", "tea", "soap"])
lines = st.builds(line, skus, amount=st.integers(0, 5000), discount=st.integers(0, 50))
receipts = st.lists(
    st.builds(
        lambda found, day: (found, day),
        st.lists(lines, min_size=1, max_size=4),
        st.floats(0, 700, allow_nan=False),
    ),
    min_size=1,
    max_size=8,
)


@given(receipts, st.randoms(use_true_random=False), st.integers(1, 4))
def test_every_order_and_batching_gives_the_same_sums(
    made: Made, random: Random, size: int
) -> None:
    known = [receipt(n, *found, day=day) for n, (found, day) in enumerate(made)]
    straight = merged([habits.changes([(None, one) for one in known], currency="USD")])
    shuffled = known.copy()
    random.shuffle(shuffled)
    batches = [shuffled[at : at + size] for at in range(0, len(shuffled), size)]
    other = merged(
        [habits.changes([(None, one) for one in batch], currency="USD") for batch in batches]
    )
    assert straight.keys() == other.keys()
    for key, change in straight.items():
        assert other[key].weight == pytest.approx(change.weight, rel=1e-9)
        other[key].weight = change.weight
        assert other[key] == change


@given(receipts)
def test_taking_everything_back_leaves_nothing(made: Made) -> None:
    known = [receipt(n, *found, day=day) for n, (found, day) in enumerate(made)]
    empty = [receipt(n, day=day) for n, (_, day) in enumerate(made)]
    there = habits.changes([(None, one) for one in known], currency="USD")
    back = habits.changes(zip(known, empty, strict=True), currency="USD")
    for key, change in merged([there, back]).items():
        assert (change.purchases, change.lines, change.quantity_milli) == (0, 0, 0)
        assert (change.spend_minor, change.discounted_lines) == (0, 0)
        assert change.weight == pytest.approx(0, abs=1e-9 * flat(there)[key].weight)
    assert back.lost_products == set(flat(there))
    assert back.lost_members == {ANNA}


def test_a_half_life_later_a_purchase_weighs_twice() -> None:
    later = habits.weight_of(START + habits.HALF_LIFE)
    assert later == pytest.approx(2 * habits.weight_of(START))
    assert habits.weight_now(habits.weight_of(START), START) == pytest.approx(1)


def test_a_time_long_past_has_a_weight_and_not_an_error() -> None:
    assert habits.weight_of(datetime(1, 1, 1, tzinfo=UTC)) == 0


def test_two_lines_of_one_product_are_one_purchase() -> None:
    made = habits.changes([(None, receipt(1, line("milk"), line("milk")))], currency="USD")
    change = made.products[ANNA]["milk"]
    assert (change.purchases, change.lines, change.spend_minor) == (1, 2, 200)
    assert made.members[ANNA].purchases == 1


def test_a_partial_return_moves_money_and_no_counts() -> None:
    pair = (receipt(1, line("milk", amount=300)), receipt(1, line("milk", amount=100)))
    made = habits.changes([pair], currency="USD")
    change = made.products[ANNA]["milk"]
    assert (change.purchases, change.spend_minor, change.weight) == (0, -200, 0)
    assert not made.lost_products


def test_attribution_moves_the_receipt_to_its_member() -> None:
    pair = (receipt(1, line("milk"), member=None), receipt(1, line("milk")))
    made = habits.changes([pair], currency="USD")
    assert made.products[ANNA]["milk"].purchases == 1
    assert not made.lost_products


def test_a_receipt_that_changes_members_leaves_the_first() -> None:
    ben = UUID(int=2)
    pair = (receipt(1, line("milk")), receipt(1, line("milk"), member=ben))
    made = habits.changes([pair], currency="USD")
    assert made.products[ANNA]["milk"].purchases == -1
    assert made.products[ben]["milk"].purchases == 1
    assert made.lost_products == {(ANNA, "milk")}
    assert made.lost_members == {ANNA}


def test_another_currency_counts_without_its_money() -> None:
    made = habits.changes([(None, receipt(1, line("milk")))], currency="EUR")
    change = made.products[ANNA]["milk"]
    assert (change.purchases, change.spend_minor) == (1, 0)


def test_nobody_s_receipt_changes_nothing() -> None:
    made = habits.changes([(None, receipt(1, line("milk"), member=None))], currency="USD")
    assert not made.products
    assert not made.members


def habit(purchases: int, *, span_days: float, spend: int = 0) -> Habit:
    return Habit(
        key="milk",
        purchases=purchases,
        weight=1.0,
        lines=purchases,
        discounted_lines=0,
        quantity_milli=1000,
        spend_minor=spend,
        first_at=START,
        last_at=START + timedelta(days=span_days),
    )


@pytest.mark.parametrize(
    ("purchases", "span_days", "interval_days"),
    [(1, 0, None), (2, 9, None), (3, 18, 9), (3, 0.5, None), (9, 2, 1), (5, 112, 28)],
)
def test_the_interval_is_usable_from_the_third_purchase(
    purchases: int, span_days: float, interval_days: float | None
) -> None:
    assert habit(purchases, span_days=span_days).interval_days == interval_days


@pytest.mark.parametrize(
    ("days_later", "due"), [(0, False), (8, False), (8.1, True), (9, True), (27, True), (28, False)]
)
def test_due_is_about_one_interval_after_the_last_purchase(days_later: float, due: bool) -> None:
    bought = habit(3, span_days=18)
    assert bought.is_due(bought.last_at + timedelta(days=days_later)) is due


def test_what_has_no_interval_is_never_due() -> None:
    assert not habit(2, span_days=9).is_due(START + timedelta(days=18))


@pytest.mark.parametrize(("spend", "usual"), [(100, 33), (101, 34), (0, 0), (250, 83)])
def test_usual_spend_is_the_mean_rounded_half_up(spend: int, usual: int) -> None:
    assert habit(3, span_days=9, spend=spend).usual_spend_minor == usual
