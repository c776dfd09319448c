"""Tiers: worked cases, any order of arrival, and a plain definition to hold the walk to."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import hypothesis.strategies as st
import pytest
from hypothesis import given

from services.loyalty.domain import tier_reviews, tiers
from services.loyalty.domain.fold import ReceiptState
from services.loyalty.domain.ladder import Ladder, Tier, TierPolicy, merged
from services.loyalty.domain.tiers import Standing
from shared.contracts.purchases import ReturnedLine
from tests import builders
from tests.unit.loyalty import programmes
from tests.unit.loyalty.books import Ledger

ZONE = programmes.small().time_zone
TIERS = (Tier("Silver", 100), Tier("Gold", 300), Tier("Platinum", 600))

YEARS = TierPolicy()
GRACE = TierPolicy(grace_days=31, notice_days=14)
STEP = TierPolicy(downgrade="one_step", grace_days=31)
KEPT = TierPolicy(downgrade="none", grace_days=31)
ROLLING = TierPolicy(rolling_months=6, grace_days=10)
VISITS = TierPolicy(measure="visits", grace_days=31)


def day(text: str) -> datetime:
    """Return noon of a day, as ``2026-03-05``; midnight in New York with a trailing ``^``."""
    if text.endswith("^"):
        return datetime.fromisoformat(text[:-1]).replace(tzinfo=ZONE).astimezone(UTC)
    return datetime.fromisoformat(f"{text}T12:00:00+00:00")


@dataclass(frozen=True)
class Sold:
    """A sale of so much, and what came back of it: when and how much."""

    on: str
    amount: int
    back: tuple[tuple[str, int], ...] = ()

    def state(self, ladder: Ladder) -> ReceiptState:
        returns = merged((day(on), amount) for on, amount in self.back)
        return ReceiptState(
            qualifying_minor=self.amount - sum(amount for _, amount in returns),
            year=ladder.period_at(day(self.on)),
            occurred_at=day(self.on),
            returns=returns,
        )


def stands(policy: TierPolicy, sales: Iterable[Sold], as_of: str) -> tuple[Ladder, Standing]:
    ladder = Ladder(TIERS, policy, ZONE)
    return ladder, tiers.standing(ladder, [one.state(ladder) for one in sales], day(as_of))


GOLD_2026 = Sold("2026-06-01", 350)
BACK = (("2026-09-01", 300),)
VISITED = [Sold(f"2026-03-{number:02}", 5) for number in range(1, 32)] * 4


@pytest.mark.parametrize(
    ("policy", "sales", "as_of", "tier", "falls"),
    [
        pytest.param(YEARS, [], "2026-07-01", None, None, id="nothing bought"),
        pytest.param(YEARS, [Sold("2026-06-01", 99)], "2026-07-01", None, None, id="one short"),
        pytest.param(
            YEARS, [GOLD_2026], "2026-06-01", "Gold", ("2028-01-01^", None), id="upgrade at once"
        ),
        pytest.param(
            YEARS, [GOLD_2026], "2027-12-31", "Gold", ("2028-01-01^", None), id="to next year's end"
        ),
        pytest.param(YEARS, [GOLD_2026], "2028-01-01", None, None, id="and not a day longer"),
        pytest.param(
            YEARS,
            [Sold("2025-06-01", 60), Sold("2026-06-01", 60)],
            "2026-07-01",
            None,
            None,
            id="years are not added up",
        ),
        pytest.param(
            YEARS,
            [GOLD_2026, Sold("2027-03-01", 120)],
            "2028-02-01",
            "Silver",
            ("2029-01-01^", None),
            id="re-derived from the year after",
        ),
        pytest.param(
            YEARS,
            [Sold("2026-06-01", 350, BACK)],
            "2026-09-01",
            None,
            None,
            id="without grace a return takes it at once",
        ),
        pytest.param(
            GRACE,
            [Sold("2026-06-01", 350, BACK)],
            "2026-09-15",
            "Gold",
            ("2026-10-02", None),
            id="return: the grace runs from its time",
        ),
        pytest.param(
            GRACE,
            [Sold("2026-06-01", 350, BACK)],
            "2026-10-02",
            None,
            None,
            id="return: and ends to the minute",
        ),
        pytest.param(
            GRACE,
            [Sold("2026-06-01", 350, BACK), Sold("2026-09-20", 250)],
            "2026-10-30",
            "Gold",
            ("2028-02-01^", None),
            id="re-earned in grace, it never fell",
        ),
        pytest.param(
            GRACE,
            [Sold("2026-06-01", 350, BACK), Sold("2026-10-20", 250)],
            "2026-10-30",
            "Gold",
            ("2028-02-01^", None),
            id="re-earned after grace, it is new",
        ),
        pytest.param(
            GRACE,
            [Sold("2026-06-01", 350, BACK), Sold("2026-09-20", 50)],
            "2026-10-30",
            "Silver",
            ("2028-02-01^", None),
            id="re-earned in part, it falls to that",
        ),
        pytest.param(
            GRACE,
            [Sold("2026-06-01", 350, BACK), Sold("2026-05-01", 300)],
            "2026-10-30",
            "Gold",
            ("2028-02-01^", None),
            id="a late sale from before the return carries it on",
        ),
        pytest.param(
            GRACE,
            [Sold("2026-06-01", 350, (("2026-09-01", 100), ("2026-09-20", 200)))],
            "2026-10-05",
            "Silver",
            ("2026-10-21", None),
            id="each tier has a grace of its own",
        ),
        pytest.param(
            GRACE,
            [Sold("2026-06-01", 350, (("2026-06-01", 350),))],
            "2026-06-02",
            None,
            None,
            id="voided at once, it never counted",
        ),
        pytest.param(
            GRACE, [GOLD_2026], "2028-01-15", "Gold", ("2028-02-01^", None), id="New Year in grace"
        ),
        pytest.param(
            GRACE,
            [GOLD_2026, Sold("2028-01-20", 310)],
            "2028-03-01",
            "Gold",
            ("2030-02-01^", None),
            id="New Year's grace saves it",
        ),
        pytest.param(
            STEP, [GOLD_2026], "2028-02-01", "Silver", ("2029-02-01^", None), id="one step a year"
        ),
        pytest.param(STEP, [GOLD_2026], "2029-02-01", None, None, id="and another"),
        pytest.param(KEPT, [GOLD_2026], "2040-01-01", "Gold", None, id="kept for ever"),
        pytest.param(
            KEPT,
            [Sold("2026-06-01", 350, (("2029-05-01", 100),))],
            "2029-05-20",
            "Gold",
            ("2029-06-01", "Silver"),
            id="kept, until what carried it comes back",
        ),
        pytest.param(
            ROLLING,
            [Sold("2026-01-15", 150), Sold("2026-04-10", 150)],
            "2026-07-15",
            "Gold",
            ("2026-08-11^", "Silver"),
            id="rolling: each sale counts to the end of the sixth month after",
        ),
        pytest.param(
            ROLLING,
            [Sold("2026-01-15", 150), Sold("2026-04-10", 150)],
            "2026-08-05",
            "Gold",
            ("2026-08-11^", "Silver"),
            id="rolling: in grace",
        ),
        pytest.param(
            ROLLING,
            [Sold("2026-01-15", 150), Sold("2026-04-10", 150)],
            "2026-11-10",
            "Silver",
            ("2026-11-11^", None),
            id="rolling: the rest of the window goes later",
        ),
        pytest.param(
            TierPolicy(rolling_months=6, downgrade="one_step"),
            [Sold("2026-01-15", 300)],
            "2026-09-01",
            "Silver",
            ("2027-02-01^", None),
            id="rolling: one step a window",
        ),
        pytest.param(
            VISITS, VISITED[:100], "2026-04-01", "Silver", ("2028-02-01^", None), id="visits"
        ),
        pytest.param(
            VISITS,
            [*VISITED[1:100], Sold("2026-03-01", 5, (("2026-03-02", 4),))],
            "2026-06-01",
            "Silver",
            ("2028-02-01^", None),
            id="visits: as long as anything is kept",
        ),
        pytest.param(
            VISITS,
            [*VISITED[1:100], Sold("2026-03-01", 5, (("2026-03-02", 4), ("2026-04-20", 1)))],
            "2026-05-01",
            "Silver",
            ("2026-05-21", None),
            id="visits: until nothing is",
        ),
    ],
)
def test_tiers_are_reached_and_lost_as_the_programme_says(
    policy: TierPolicy,
    sales: Sequence[Sold],
    as_of: str,
    tier: str | None,
    falls: tuple[str, str | None] | None,
) -> None:
    ladder, found = stands(policy, sales, as_of)

    assert ladder.name(found.level) == tier
    expected = (day(falls[0]), falls[1]) if falls else (None, None)
    assert (found.falls_at, ladder.name(found.falls_to) if falls else None) == expected


@pytest.mark.parametrize(
    ("sales", "as_of", "since"),
    [
        pytest.param([GOLD_2026], "2027-05-01", "2026-06-01", id="the sale that reached it"),
        pytest.param(
            [GOLD_2026, Sold("2027-06-01", 350)], "2028-05-01", "2026-06-01", id="kept on since"
        ),
        pytest.param(
            [Sold("2026-06-01", 350, BACK), Sold("2026-09-20", 250)],
            "2026-10-30",
            "2026-06-01",
            id="a grace that ended well",
        ),
        pytest.param(
            [Sold("2026-06-01", 350, BACK), Sold("2026-10-20", 250)],
            "2026-10-30",
            "2026-10-20",
            id="one that did not",
        ),
        pytest.param([GOLD_2026], "2028-02-02", "2028-02-01^", id="no tier since it fell"),
    ],
)
def test_since_is_when_the_member_got_the_tier(
    sales: Sequence[Sold], as_of: str, since: str
) -> None:
    assert stands(GRACE, sales, as_of)[1].since == day(since)


def test_the_notice_is_due_so_long_before_the_fall_and_the_fall_is_looked_at_in_turn() -> None:
    sales = [Sold("2026-06-01", 350, BACK)]

    before, after = stands(GRACE, sales, "2026-09-02")[1], stands(GRACE, sales, "2026-09-20")[1]

    assert before.notice_at == before.looked_at_again == day("2026-09-18")
    assert (after.notice_at, after.looked_at_again) == (day("2026-09-18"), day("2026-10-02"))


@pytest.mark.parametrize(
    ("policy", "sales", "as_of", "missing", "last_day"),
    [
        pytest.param(YEARS, [GOLD_2026], "2026-07-01", 0, "2026-12-31", id="this year carries it"),
        pytest.param(
            YEARS, [GOLD_2026, Sold("2027-02-01", 90)], "2027-07-01", 210, "2027-12-31", id="next"
        ),
        pytest.param(
            GRACE, [Sold("2026-06-01", 350, BACK)], "2026-09-15", 250, "2026-10-02", id="in grace"
        ),
        pytest.param(
            ROLLING,
            [Sold("2026-01-15", 150), Sold("2026-04-10", 150)],
            "2026-05-01",
            150,
            "2026-07-31",
            id="before a sale leaves the window",
        ),
    ],
)
def test_what_keeps_a_tier_has_an_amount_and_a_last_day(
    policy: TierPolicy, sales: Sequence[Sold], as_of: str, missing: int, last_day: str
) -> None:
    ladder, found = stands(policy, sales, as_of)
    sums: dict[int, int] = {}
    for one in (sale.state(ladder) for sale in sales):
        sums[one.year] = sums.get(one.year, 0) + one.qualifying_minor

    stay = tier_reviews.to_stay(ladder, sums, found, day(as_of))

    assert stay is not None
    assert (stay.missing, stay.last_day.isoformat()) == (missing, last_day)


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
        left = one.qualifying_minor + sum(amount for when, amount in one.returns if when > at)
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


@given(st.lists(sold(), max_size=12), st.sampled_from(POLICIES), st.integers(0, SPAN_DAYS + 800))
def test_a_tier_is_what_was_carried_at_any_time_within_the_grace(
    sales: list[Sold], policy: TierPolicy, days: int
) -> None:
    ladder = Ladder(SMALL if policy.measure == "visits" else TIERS, policy, ZONE)
    facts = [one.state(ladder) for one in sales]
    times = {day(one.on) for one in sales} | {at for one in facts for at, _ in one.returns}
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
