"""Tiers in any order of arrival, and held to a plain definition of what they are."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import hypothesis.strategies as st
from hypothesis import given

from services.loyalty.domain import tiers
from services.loyalty.domain.becoming import ReceiptState
from services.loyalty.domain.caps import Cap
from services.loyalty.domain.ladder import Ladder, Tier, TierPolicy
from services.loyalty.domain.tiers import Standing
from shared.contracts.purchases import ReturnedLine
from tests import builders
from tests.unit.loyalty import programmes
from tests.unit.loyalty.books import Ledger
from tests.unit.loyalty.sales import (
    GRACE,
    KEPT,
    ROLLING,
    STEP,
    TIERS,
    VISITS,
    YEARS,
    ZONE,
    Sold,
    day,
)

POLICIES = [
    YEARS,
    GRACE,
    STEP,
    KEPT,
    ROLLING,
    VISITS,
    TierPolicy(rolling_months=1),
    TierPolicy(rolling_months=12, grace_days=366, downgrade="one_step"),
    TierPolicy(rolling_months=3, grace_days=45, downgrade="none"),
    TierPolicy(grace_days=366),
    TierPolicy(measure="visits", rolling_months=2, grace_days=5, notice_days=30),
    TierPolicy(measure="points"),
    TierPolicy(measure="points", rolling_months=3, grace_days=45),
]
EPOCH = day("2025-01-01")
SPAN_DAYS = 900


@st.composite
def sold(draw: st.DrawFn) -> Sold:
    on = draw(st.integers(0, SPAN_DAYS))
    left = amount = draw(st.integers(1, 250))
    back: list[tuple[str, int]] = []
    for after in draw(st.lists(st.integers(0, 400), max_size=3)):
        part = draw(st.integers(0, left))
        left -= part
        back.append((f"{EPOCH + timedelta(days=on + after):%Y-%m-%d}", part))
    return Sold(f"{EPOCH + timedelta(days=on):%Y-%m-%d}", amount, tuple(back))


def carried(ladder: Ladder, facts: Sequence[ReceiptState], at: datetime) -> int:
    """Return what is carried at one time, from every window that ever was."""
    sums: dict[int, int] = {}
    for one in facts:
        assert one.occurred_at is not None
        if one.occurred_at > at:
            continue
        later = [back for back in one.returns if back.at > at]
        left = one.qualifying_minor + sum(back.minor for back in later)
        if ladder.by_points:
            left = one.base_worth + sum(back.points for back in later)
        sums[one.year] = sums.get(one.year, 0) + (min(1, left) if ladder.by_visits else left)
    now, best = ladder.period_at(at), 0
    for end in range(min(sums, default=now), now + 1):
        total = sum(amount for period, amount in sums.items() if end - ladder.width < period <= end)
        over = now - end - ladder.kept
        steps = 0
        if over > 0 and ladder.policy.downgrade == "rederive":
            continue
        if over > 0 and ladder.policy.downgrade == "one_step":
            steps = (over + ladder.cycle - 1) // ladder.cycle
        best = max(best, sum(tier.threshold <= total for tier in ladder.tiers) - steps)
    return best


SMALL = (Tier("Silver", 2), Tier("Gold", 4))
"""In visits, so that a few do."""


BY_POINTS = (Tier("Silver", 1_000), Tier("Gold", 3_000))
CAPS = (Cap("monthly", "At most 900 points a month", "month", 900),)
"""Which keep points from a member, and count all the same."""


@given(st.lists(sold(), max_size=12), st.sampled_from(POLICIES), st.integers(0, SPAN_DAYS + 800))
def test_a_tier_is_what_was_carried_at_any_time_within_the_grace(
    sales: list[Sold], policy: TierPolicy, days: int
) -> None:
    ladder = Ladder(SMALL if policy.measure == "visits" else TIERS, policy, ZONE)
    facts = [one.state(ladder) for one in sales]
    times = {day(one.on) for one in sales} | {back.at for one in facts for back in one.returns}
    as_of = max([EPOCH + timedelta(days=days), *times])
    began = ladder.later(as_of, -policy.grace_days)

    found = tiers.standing(ladder, facts, as_of)

    periods = range(ladder.period_at(began), ladder.period_at(as_of) + 1)
    times |= {ladder.starts(one) for one in periods}
    inside = [began, as_of, *(at for at in times if began < at <= as_of)]
    assert found.carried == carried(ladder, facts, as_of)
    assert found.level == max(carried(ladder, facts, at) for at in inside)


ANN, BEN = UUID(int=1), UUID(int=2)


def events(sales: Sequence[Sold], movers: frozenset[int]) -> list[list[Any]]:
    """Return the events of each receipt: the sale, its returns, perhaps another member."""
    histories: list[list[Any]] = []
    for number, one in enumerate(sales):
        line = builders.line(category="BREAD", amount_minor=one.amount * 100, quantity_milli=0)
        event: Any = builders.purchase_recorded(
            receipt_no=str(number), member_id=ANN, occurred_at=day(one.on), lines=[line]
        )
        history = [event]
        for on, amount in one.back:
            part = ReturnedLine(line_no=1, quantity_milli=0, amount_minor=amount * 100)
            event = builders.purchase_returned(event.data, [part], time=day(on))
            history.append(event)
        if number in movers:
            history.append(builders.purchase_attributed(event.data, BEN))
        histories.append(history)
    return histories


@given(
    st.lists(sold(), min_size=1, max_size=8),
    st.frozensets(st.integers(0, 7), max_size=2),
    st.sampled_from(POLICIES),
    st.integers(0, SPAN_DAYS + 500),
    st.randoms(use_true_random=False),
)
def test_any_order_duplication_and_batching_gives_the_same_standing(
    sales: list[Sold],
    movers: frozenset[int],
    policy: TierPolicy,
    days: int,
    chance: random.Random,
) -> None:
    programme = programmes.small(programmes.version(since=EPOCH - timedelta(days=9)), policy=policy)
    if policy.measure == "visits":
        programme = replace(programme, tiers=SMALL)
    if policy.measure == "points":
        capped = programmes.version(since=EPOCH - timedelta(days=9), caps=CAPS)
        programme = programmes.small(capped, policy=policy, tiers=BY_POINTS)
    histories = events(sales, movers)
    flat = [event for history in histories for event in history]
    shuffled = flat + chance.choices(flat, k=3)
    chance.shuffle(shuffled)
    heard = [max(event.time, event.data.received_at) for event in flat]
    as_of = max(EPOCH + timedelta(days=days), *heard)
    in_order, any_order = Ledger(programme, now=as_of), Ledger(programme, now=as_of)

    in_order.apply_all([event] for event in flat)
    while shuffled:
        size = chance.randint(1, 5)
        any_order.apply(shuffled[:size])
        del shuffled[:size]

    for member_id in (ANN, BEN):
        if member_id not in in_order.members:
            continue
        own = [one for one in in_order.receipts.values() if one.member_id == member_id]
        expected = tiers.standing(programme.ladder, own, as_of)
        for ledger in (in_order, any_order):
            if member_id not in ledger.members:
                assert not own  # whoever it was moved to was heard of first
                continue
            found, member = ledger.standing(member_id), ledger.members[member_id]
            assert _without_since(found) == _without_since(expected)
            # What was announced, and when to look again, have kept up with it.
            assert member.tier == programme.ladder.name(expected.level)
            assert member.tier_review_at == expected.looked_at_again


def _without_since(found: Standing) -> tuple[Any, ...]:
    return (found.level, found.carried, found.falls_at, found.falls_to, found.looked_at_again)


def test_two_months_together_reach_what_neither_reaches_alone() -> None:
    programme = programmes.small(programmes.version(since=EPOCH), policy=ROLLING)
    ledger = Ledger(programme, now=day("2026-03-01"))

    for history in events([Sold("2026-01-10", 60), Sold("2026-02-10", 60)], frozenset()):
        ledger.apply(history)

    assert ledger.members[ANN].tier == "Silver"
