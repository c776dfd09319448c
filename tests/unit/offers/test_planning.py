"""Which offers a campaign gives to whom, inside its budget."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.offers.domain import habits, planning, ranking
from services.offers.domain.habits import Habit
from services.offers.domain.planning import CampaignTerms, Draft, Shopper
from services.offers.domain.ranking import Candidate

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CAMPAIGN = CampaignTerms(
    code="weekly",
    title="{percent} % off {name}",
    currency="USD",
    k=4,
    depth_percent={"due": 15, "habit": 10, "discovery": 25},
    validity=timedelta(days=14),
    margin_floor_percent=None,
    exclude_skus=frozenset(),
    exclude_categories=frozenset({"FUEL"}),
    include_categories=frozenset(),
)
VISITS = 20 * habits.weight_of(NOW)


def bought(
    sku: str, *, times: int, last: float, every: float = 10, category: str | None = None
) -> Candidate:
    """Make a product bought ``times``, ``every`` so many days, ``last`` days ago."""
    last_at = NOW - timedelta(days=last)
    habit = Habit(
        key=sku,
        purchases=times,
        weight=times * habits.weight_of(NOW),
        lines=times,
        discounted_lines=0,
        quantity_milli=1000 * times,
        spend_minor=200 * times,
        first_at=last_at - timedelta(days=every * (times - 1)),
        last_at=last_at,
    )
    return Candidate(sku, sku.upper(), category or f"OF {sku}", habit, 0.01, 200, 200)


def popular(sku: str, share: float, *, category: str | None = None) -> Candidate:
    return Candidate(sku, sku.upper(), category or f"OF {sku}", None, share, 300, 300)


SHELF = (
    bought("milk", times=9, last=11),
    bought("bread", times=8, last=2),
    bought("tea", times=5, last=12),
    bought("soap", times=4, last=10),
    bought("ham", times=3, last=2),
    popular("figs", 0.3),
    popular("nuts", 0.2),
)


def shopper(*candidates: Candidate, number: int = 1) -> Shopper:
    return Shopper(UUID(int=number), VISITS, candidates)


def picked(drafts: list[Draft]) -> list[tuple[str, str]]:
    return [(draft.kind, draft.candidate.sku) for draft in drafts]


@pytest.mark.parametrize(
    ("k", "expected"),
    [
        (1, [("due", "milk")]),
        (2, [("due", "milk"), ("discovery", "figs")]),
        (3, [("due", "milk"), ("habit", "bread"), ("discovery", "figs")]),
        (4, [("due", "milk"), ("due", "tea"), ("habit", "bread"), ("discovery", "figs")]),
    ],
)
def test_a_plan_mixes_due_habit_and_one_discovery(k: int, expected: list[tuple[str, str]]) -> None:
    assert picked(planning.plan(replace(CAMPAIGN, k=k), shopper(*SHELF), NOW)) == expected


def test_a_plan_does_not_depend_on_the_order_of_candidates() -> None:
    there = planning.plan(CAMPAIGN, shopper(*SHELF), NOW)
    assert planning.plan(CAMPAIGN, shopper(*reversed(SHELF)), NOW) == there


def test_one_product_per_category() -> None:
    found = planning.plan(
        CAMPAIGN,
        shopper(
            bought("whole milk", times=9, last=2, category="MILK"),
            bought("skimmed milk", times=8, last=2, category="MILK"),
            popular("oat milk", 0.5, category="MILK"),
        ),
        NOW,
    )
    assert picked(found) == [("habit", "whole milk")]


@pytest.mark.parametrize(
    ("campaign", "skus"),
    [
        (replace(CAMPAIGN, exclude_categories=frozenset({"OF milk"})), {"bread"}),
        (replace(CAMPAIGN, exclude_skus=frozenset({"milk"})), {"bread"}),
        (replace(CAMPAIGN, include_categories=frozenset({"OF milk"})), {"milk"}),
    ],
)
def test_the_pool_limits_what_is_offered(campaign: CampaignTerms, skus: set[str]) -> None:
    found = planning.plan(campaign, shopper(*SHELF[:2]), NOW)
    assert {draft.candidate.sku for draft in found} == skus


@pytest.mark.parametrize(
    ("cost", "floor", "percent"), [(100, 10, 10), (170, 10, 5), (190, 10, None), (190, None, 10)]
)
def test_the_margin_floor_makes_discounts_shallower_or_none(
    cost: int, floor: int | None, percent: int | None
) -> None:
    product = replace(bought("milk", times=9, last=2), cost_minor=cost)
    found = planning.plan(replace(CAMPAIGN, margin_floor_percent=floor), shopper(product), NOW)
    assert [draft.percent for draft in found] == ([] if percent is None else [percent])


def test_a_member_is_told_why() -> None:
    found = planning.plan(replace(CAMPAIGN, k=3), shopper(*SHELF), NOW)
    assert [draft.reason for draft in found] == [
        "You buy milk about every 10 days; last bought 11 days ago.",
        "You buy bread about every 10 days; last bought 2 days ago.",
        "Many members buy figs; it would be new to you.",
    ]
    assert planning.title(CAMPAIGN, found[0]) == "15 % off milk"


def test_a_wording_cannot_reach_into_objects() -> None:
    found = planning.plan(CAMPAIGN, shopper(SHELF[0]), NOW)
    wording = replace(CAMPAIGN, title="{name.__class__} {percent:>99}")
    assert planning.title(wording, found[0]) == wording.title


@pytest.mark.parametrize(
    ("share", "visits", "spend", "percent", "cost"),
    [
        (1.0, 1.0, 200, 10, 20),
        (0.5, 1.0, 200, 10, 10),
        (0.5, 2.0, 200, 10, 15),
        (0.0, 9.0, 200, 10, 1),
        (0.5, 1.0, 0, 10, 1),
        (0.3, 1.0, 111, 10, 4),
    ],
)
def test_expected_cost(share: float, visits: float, spend: int, percent: int, cost: int) -> None:
    assert (
        planning.expected_cost_minor(share=share, visits=visits, spend_minor=spend, percent=percent)
        == cost
    )


def draft(member: int, slot: int, cost: int) -> Draft:
    return Draft(UUID(int=member), slot, "habit", SHELF[0], 10, cost, "")


plans = st.lists(st.lists(st.integers(1, 500), max_size=5), max_size=12).map(
    lambda costs: [
        [draft(member, slot, cost) for slot, cost in enumerate(row)]
        for member, row in enumerate(costs)
    ]
)


@given(plans, st.integers(0, 3000))
def test_the_budget_is_never_exceeded_and_never_left_lying(
    made: list[list[Draft]], allowance: int
) -> None:
    chosen = planning.allocate(made, allowance)
    spent = sum(one.expected_cost_minor for one in chosen)
    assert spent <= allowance
    for plan in made:
        for one in plan:
            assert one in chosen or one.expected_cost_minor > allowance - spent
    assert planning.allocate(list(reversed(made)), allowance) == chosen


def test_everybody_s_first_offer_comes_before_anybody_s_second() -> None:
    made = [[draft(1, 0, 10), draft(1, 1, 10)], [draft(2, 0, 10), draft(2, 1, 10)]]
    chosen = planning.allocate(made, 30)
    assert [(one.member_id.int, one.slot) for one in chosen] == [(1, 0), (2, 0), (1, 1)]


@pytest.mark.parametrize(
    ("period", "zone", "key"),
    [
        ("day", "UTC", "2026-11-22"),
        ("day", "Pacific/Auckland", "2026-11-23"),
        ("week", "UTC", "2026-W47"),
        ("week", "Pacific/Auckland", "2026-W48"),
        ("month", "UTC", "2026-11"),
    ],
)
def test_periods_are_local(period: planning.Period, zone: str, key: str) -> None:
    assert planning.period_key(NOW, period, ZoneInfo(zone)) == key


def test_a_week_belongs_to_its_iso_year() -> None:
    new_year = datetime(2027, 1, 1, tzinfo=UTC)
    assert planning.period_key(new_year, "week", ZoneInfo("UTC")) == "2026-W53"


def test_ranking_is_by_share_of_visits_blended_with_popularity() -> None:
    ranked = ranking.rank(SHELF, visits_weight=VISITS, k=10)
    assert [one.candidate.sku for one in ranked][:3] == ["milk", "bread", "tea"]
    assert ranked[0].score == pytest.approx(0.8 * 9 / 20 + 0.2 * 0.01)
    assert ranked[-1].score == pytest.approx(0.2 * 0.2)


def test_equal_scores_go_by_sku() -> None:
    twins = [popular("b", 0.2), popular("a", 0.2)]
    assert [one.candidate.sku for one in ranking.rank(twins, visits_weight=0, k=2)] == [
        "a",
        "b",
    ]


def test_what_nobody_buys_is_not_recommended() -> None:
    assert ranking.rank([popular("x", 0.0)], visits_weight=0, k=5) == []


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (bought("tea", times=1, last=0), "You bought tea once; last bought today."),
        (bought("tea", times=2, last=1), "You bought tea 2 times; last bought 1 day ago."),
        (
            bought("tea", times=3, last=12, every=1),
            "You buy tea about every 1 day; last bought 12 days ago.",
        ),
    ],
)
def test_reasons(candidate: Candidate, reason: str) -> None:
    assert ranking.reason(candidate, NOW) == reason


def test_visit_rate_is_solved_from_the_decayed_sum() -> None:
    every_other_day = sum(habits.weight_of(NOW - timedelta(days=2 * n)) for n in range(2_000))
    rate = ranking.visit_rate_per_day(every_other_day, NOW)
    assert rate == pytest.approx(0.5, rel=0.02)
