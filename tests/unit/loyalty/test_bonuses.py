"""Bonus rules: when each applies, which add up, and why one gave nothing."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.loyalty.domain import considered, settle
from services.loyalty.domain.bonuses import Bonus, Hours
from services.loyalty.domain.caps import Grant
from services.loyalty.domain.conditions import Condition, EvaluationFailed, compile_condition
from services.loyalty.domain.considered import Considered, Who
from services.loyalty.domain.facts import Facts
from services.loyalty.domain.programme import Programme, Version
from services.loyalty.domain.settle import FAILED, RECEIPT, Settlement
from shared.contracts.purchases import Receipt
from tests import builders
from tests.builders import NOW
from tests.unit.loyalty import programmes

ZONE = programmes.small().time_zone
BREAD, FRUIT, FUEL = (
    builders.line(1, sku="b", category="BREAD", amount_minor=1_000),
    builders.line(2, sku="f", category="FRUIT", amount_minor=500, quantity_milli=1_500),
    builders.line(3, sku="x", category="FUEL", amount_minor=4_000),
)
BASKET = builders.receipt(lines=(BREAD, FRUIT, FUEL))
"""Friday, 20 November 2026, at seven in the morning of New York; 15 dollars that earn."""
TEN_MORE = Bonus("ten", "Ten more", points_per_unit=10)


def settled(*bonuses: Bonus, receipt: Any = BASKET) -> Settlement:
    programme = programmes.small(programmes.version(bonuses=bonuses))
    return settle.settle(receipt, programme)


def look(*bonuses: Bonus, receipt: Any = BASKET) -> list[Considered]:
    """Return what is said of ``bonuses``, in their order."""
    result = settled(*bonuses, receipt=receipt)
    found = considered.consider(result, Grant(result.points, None), receipt, ZONE)
    return [one for one in found if one.kind == "bonus"][1:]


# 15 dollars earn 150 at the base rate; ten more on all of it makes 300.
APPLIES = [
    pytest.param({}, 300, None, id="everywhere"),
    pytest.param({"categories": frozenset({"FRUIT"})}, 200, None, id="category"),
    pytest.param({"skus": frozenset({"b"})}, 250, None, id="sku"),
    pytest.param(
        {"skus": frozenset({"b"}), "categories": frozenset({"FRUIT"})}, 300, None, id="either"
    ),
    pytest.param({"categories": frozenset({"WINE"})}, 150, "no_line", id="no such line"),
    pytest.param({"categories": frozenset({"FUEL"})}, 150, "excluded", id="excluded"),
    pytest.param({"stores": frozenset({builders.STORE})}, 300, None, id="this store"),
    pytest.param({"stores": frozenset({"9999"})}, 150, "store", id="another store"),
    pytest.param({"sales_channels": frozenset({"app"})}, 150, "sales_channel", id="channel"),
    pytest.param({"identified_by": frozenset({"card", "app_id"})}, 300, None, id="by card"),
    pytest.param({"identified_by": frozenset({"app_id"})}, 150, "identified_by", id="not by app"),
    pytest.param({"tiers": frozenset({"Gold"})}, 150, "tier", id="another tier"),
    pytest.param({"birthday": "month"}, 150, "birthday", id="no birthday"),
    pytest.param({"when": compile_condition("tier == ''")}, 300, None, id="no tier"),
    pytest.param({"weekdays": frozenset({5})}, 300, None, id="on Friday"),
    pytest.param({"weekdays": frozenset({1, 6})}, 150, "weekday", id="not on Friday"),
    pytest.param({"hours": Hours(420, 600)}, 300, None, id="from seven"),
    pytest.param({"hours": Hours(300, 420)}, 150, "hours", id="until seven"),
    pytest.param({"hours": Hours(1_320, 421)}, 300, None, id="past midnight"),
    pytest.param({"minimum_spend_minor": 1_500}, 300, None, id="enough spent"),
    pytest.param({"minimum_spend_minor": 1_501}, 150, "minimum_spend", id="fuel is not spend"),
    pytest.param(
        {"minimum_quantity_milli": 1_500, "categories": frozenset({"FRUIT"})},
        200,
        None,
        id="enough of it",
    ),
    pytest.param(
        {"minimum_quantity_milli": 1_501, "categories": frozenset({"FRUIT"})},
        150,
        "minimum_quantity",
        id="not enough of it",
    ),
    pytest.param({"when": compile_condition("hour == 7")}, 300, None, id="condition"),
    pytest.param({"when": compile_condition("hour == 8")}, 150, "condition", id="false condition"),
    pytest.param(
        {"when": compile_condition("1 / (hour - 7) > 0")}, 150, "condition_failed", id="no answer"
    ),
]


@pytest.mark.parametrize(("predicates", "points", "reason"), APPLIES)
def test_a_rule_applies_where_all_that_it_asks_holds(
    predicates: dict[str, Any], points: int, reason: str | None
) -> None:
    bonus = replace(TEN_MORE, **predicates)

    assert settled(bonus).points == points
    (said,) = look(bonus)
    assert [one.code for one in said.reasons] == ([reason] if reason else [])
    assert said.applied == (reason is None)


@pytest.mark.parametrize(
    "predicates",
    [
        {"weekdays": frozenset({5})},
        {"hours": Hours(420, 600)},
        {"when": compile_condition("month > 0")},
    ],
)
def test_a_clock_that_is_not_trusted_wins_nothing_that_has_its_time(
    predicates: dict[str, Any],
) -> None:
    suspect = BASKET.model_copy(update={"clock_suspect": True})
    bonus = replace(TEN_MORE, **predicates)

    assert settled(bonus, receipt=suspect).points == 150
    assert "clock_suspect" in [one.code for one in look(bonus, receipt=suspect)[0].reasons]
    assert settled(TEN_MORE, receipt=suspect).points == 300


def test_each_condition_is_looked_at_where_a_line_counts_for_it_and_once() -> None:
    asked: list[str] = []
    bread, fruit, fuel, wine = (
        replace(TEN_MORE, rule=name, categories=frozenset({name.upper()}), when=noted(asked, name))
        for name in ("bread", "fruit", "fuel", "wine")
    )
    fuel = replace(fuel, skus=frozenset({FUEL.sku}))
    twice = builders.receipt(lines=(BREAD, FRUIT, FUEL, BREAD.model_copy(update={"line_no": 4})))

    # Bread is allowed, fruit is not.
    assert settled(bread, fruit, fuel, wine, receipt=twice).points == 2 * 200 + 50
    assert asked == ["bread", "fruit"]


def noted(asked: list[str], name: str) -> Condition:
    """Return a condition that notes when it is asked, and holds for bread alone."""

    class Program:
        def __init__(self) -> None:
            self.real = compile_condition("true" if name == "bread" else "false")

        def eval(self, *, data: Any) -> Any:
            asked.append(name)
            return self.real._program.eval(data=data)

        def return_type(self) -> Any:
            return self.real._program.return_type()

    return Condition(name, frozenset(), Program())


def test_effects_are_rounded_once_with_the_base() -> None:
    line = builders.line(category="BREAD", amount_minor=199)
    half_more = Bonus("half", "Half as much again", multiplier_percent=150)

    # 1.99 × 15 = 29.85, not 19 and 9.
    assert settled(half_more, receipt=builders.receipt(lines=[line])).points == 29


def test_points_for_a_receipt_come_once_and_go_with_what_they_were_for() -> None:
    fixed = Bonus("f", "Fruit", points_per_receipt=50, categories=frozenset({"FRUIT"}))
    kept = builders.receipt(lines=(BREAD, FRUIT.model_copy(update={"amount_minor": 0})))

    result = settled(fixed)
    assert result.points == 200
    assert result.lines[-4:] == [RECEIPT, 0, 0b10, 50]
    assert settled(fixed, receipt=kept).points == 100


def test_what_gave_no_answer_is_kept_with_the_settlement() -> None:
    broken = replace(TEN_MORE, when=compile_condition("1 / 0 > 1"))

    result = settled(broken)

    assert result.points == 150
    assert result.lines[-4:] == [RECEIPT, FAILED, 0b10, 0]


@pytest.mark.parametrize(
    ("bonuses", "points", "lost"),
    [
        pytest.param([{}, {"points_per_unit": 20}], 600, {}, id="adding"),
        pytest.param(
            [{"stacking": "best_of"}, {"stacking": "best_of", "points_per_unit": 20}, {}],
            600,
            {0: "Rule 1"},
            id="the best of two, and one that adds",
        ),
        pytest.param(
            [{"stacking": "best_of"}, {"stacking": "best_of"}], 300, {1: "Rule 0"}, id="as good"
        ),
        pytest.param(
            [{"stacking": "best_of"}, {"stacking": "best_of", "priority": 1}],
            300,
            {0: "Rule 1"},
            id="as good, of higher priority",
        ),
        pytest.param(
            [
                {"points_per_unit": 50},
                {"stacking": "exclusive"},
                {"stacking": "exclusive", "points_per_unit": 20, "priority": -1},
            ],
            300,
            {0: "Rule 1", 2: "Rule 1"},
            id="exclusive, however little",
        ),
        pytest.param(
            [
                {"points_per_unit": 0, "points_per_receipt": 5},
                {"points_per_unit": 0, "points_per_receipt": 9, "stacking": "exclusive"},
                {},
            ],
            309,
            {0: "Rule 1"},
            id="the receipt's own do not touch the lines'",
        ),
    ],
)
def test_stacking(bonuses: list[dict[str, Any]], points: int, lost: dict[int, str]) -> None:
    rules = [
        replace(TEN_MORE, rule=f"r{place}", title=f"Rule {place}", **changes)
        for place, changes in enumerate(bonuses)
    ]

    assert settled(*rules).points == points
    said = {place: one.reasons[0].seen for place, one in enumerate(look(*rules)) if one.reasons}
    assert said == lost


# --- against the definition ------------------------------------------------------------------

CONDITIONS = [
    compile_condition(text)
    for text in (
        "spend_minor > 900",
        "'BREAD' in categories && hour < 12",
        "100 / (weekday - 5) > 0",
        "skus.exists(s, s == 'b')",
        "tier != 'Gold'",
    )
]


def some(values: Sequence[Any]) -> st.SearchStrategy[frozenset[Any]]:
    return st.one_of(st.just(frozenset()), st.frozensets(st.sampled_from(values), min_size=1))


@st.composite
def bonuses(draw: st.DrawFn, place: int) -> Bonus:
    effect = draw(
        st.sampled_from(
            [{"points_per_unit": 7}, {"multiplier_percent": 150}, {"points_per_receipt": 11}]
        )
    )
    rule = Bonus(
        rule=f"r{place}",
        title=f"Rule {place}",
        skus=draw(some("abx")),
        categories=draw(some(["BREAD", "FRUIT"])),
        stores=draw(some(["1", "2"])),
        weekdays=draw(some(range(1, 8))),
        hours=draw(st.sampled_from([None, Hours(60, 700), Hours(700, 60)])),
        sales_channels=draw(some(["pos", "app"])),
        identified_by=draw(some(["card", "phone"])),
        minimum_spend_minor=draw(st.sampled_from([0, 0, 800])),
        minimum_quantity_milli=draw(st.sampled_from([0, 0, 2_000])),
        when=draw(st.sampled_from([None, None, *CONDITIONS])),
        stacking=draw(st.sampled_from(["add", "best_of", "exclusive"])),
        priority=draw(st.integers(0, 1)),
        tiers=draw(some(["Silver", "Gold"])),
        birthday=draw(st.sampled_from([None, None, "day", "month"])),
    )
    return replace(rule, **effect)


versions = st.tuples(*(bonuses(place) for place in range(4))).map(
    lambda rules: programmes.version(bonuses=rules)
)
lines = st.lists(
    st.tuples(
        st.sampled_from("abxy"),
        st.sampled_from(["BREAD", "FRUIT", "FUEL", "BANANAS", None]),
        st.integers(0, 1_000),
        st.integers(0, 3_000),
    ),
    min_size=1,
    max_size=6,
)


@st.composite
def receipts(draw: st.DrawFn) -> Receipt:
    bought = [
        builders.line(no, sku=sku, category=category, amount_minor=amount, quantity_milli=milli)
        for no, (sku, category, amount, milli) in enumerate(draw(lines), start=1)
    ]
    return builders.receipt(
        lines=bought,
        store_id=draw(st.sampled_from("12")),
        sales_channel=draw(st.sampled_from(["pos", "app"])),
        identified_by=draw(st.sampled_from(["card", "phone", None])),
        clock_suspect=draw(st.booleans()),
        occurred_at=NOW + timedelta(hours=draw(st.integers(0, 200))),
    )


people = st.builds(Who, st.sampled_from(["", "Silver", "Gold"]), st.sampled_from([0, 2, 3]))


def settled_for(who: Who, receipt: Receipt, programme: Programme) -> Settlement:
    level = programme.ladder.level_of(who.tier)
    return settle.settle(receipt, programme, who.birthday).at(level)


def applies(bonus: Bonus, receipt: Receipt, facts: Facts, who: Who) -> bool:
    """Say of the receipt what the document says, without any look-up."""
    at = receipt.occurred_at.astimezone(ZONE)
    earning = [one for one in receipt.lines if one.amount_minor and one.category != "FUEL"]
    counting = [one for one in earning if bonus.names(one.sku, one.category)]
    asked = (
        not (bonus.timed and receipt.clock_suspect),
        not bonus.stores or receipt.store_id in bonus.stores,
        not bonus.sales_channels or receipt.sales_channel in bonus.sales_channels,
        not bonus.identified_by or receipt.identified_by in bonus.identified_by,
        not bonus.tiers or who.tier in bonus.tiers,
        not bonus.birthday or who.birthday >= {"day": 3, "month": 2}[bonus.birthday],
        not bonus.weekdays or at.isoweekday() in bonus.weekdays,
        not bonus.hours or bonus.hours.contains(at.hour * 60 + at.minute),
        sum(one.amount_minor for one in earning) >= bonus.minimum_spend_minor,
        sum(one.quantity_milli for one in counting) >= bonus.minimum_quantity_milli,
    )
    try:
        return all(asked) and (bonus.when is None or bonus.when.holds(facts))
    except EvaluationFailed:
        return False


def winners(rivals: list[Bonus], worth: Any) -> list[Bonus]:
    """Apply the stacking of rules that apply to one thing."""
    exclusive = sorted(
        (one for one in rivals if one.stacking == "exclusive"), key=lambda one: -one.priority
    )
    if exclusive:
        return exclusive[:1]
    best = sorted(
        (one for one in rivals if one.stacking == "best_of"),
        key=lambda one: (-worth(one), -one.priority),
    )
    return [one for one in rivals if one.stacking == "add"] + best[:1]


def by_the_definition(version: Version, receipt: Receipt, who: Who) -> int:
    facts = Facts(receipt, version.lookups, ZONE, tier=who.tier)
    holding = [one for one in version.bonuses if applies(one, receipt, facts, who)]
    total, of_receipt = 0, []
    for line in receipt.lines:
        if not line.amount_minor or line.category == "FUEL":
            continue
        here = [one for one in holding if one.names(line.sku, line.category)]
        of_receipt += [one for one in here if one.of_receipt and one not in of_receipt]
        given = winners([one for one in here if not one.of_receipt], lambda one: one.adds(10))
        total += line.amount_minor * (1_000 + sum(one.adds(10) for one in given)) // 10_000
    order = [one for one in version.bonuses if one in of_receipt]
    return total + sum(
        one.points_per_receipt for one in winners(order, lambda one: one.points_per_receipt)
    )


@settings(max_examples=60)
@given(versions, receipts(), people)
def test_look_ups_say_what_the_document_says(version: Version, receipt: Receipt, who: Who) -> None:
    programme = programmes.small(version)

    result = settled_for(who, receipt, programme)

    assert result.points == by_the_definition(version, receipt, who)
    assert sum(result.lines[3 :: settle.FIELDS_PER_LINE]) == result.points


@settings(max_examples=40)
@given(versions, receipts(), people)
def test_whatever_gave_nothing_says_why(version: Version, receipt: Receipt, who: Who) -> None:
    result = settled_for(who, receipt, programmes.small(version))
    given_somewhere = 0
    for at in range(0, len(result.lines), settle.FIELDS_PER_LINE):
        number, _, mask, points = result.lines[at : at + settle.FIELDS_PER_LINE]
        given_somewhere |= mask if number != RECEIPT or points else 0

    said = considered.consider(result, Grant(result.points, None), receipt, ZONE, who=who)

    by_rule = {one.rule: one for one in said}
    for place, bonus in enumerate(version.bonuses):
        one = by_rule[bonus.rule]
        assert one.applied == bool(given_somewhere >> place & 1)
        lost_only = all(reason.code == "lost" for reason in one.reasons)
        assert lost_only if one.applied else one.reasons
