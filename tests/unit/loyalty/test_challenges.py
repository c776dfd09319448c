"""Challenges: reached by what counts in each period, and undone by what comes back."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.loyalty.domain import challenges, periods
from services.loyalty.domain.challenges import Challenge, Counter
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.terms import Expiry, Pending
from shared.contracts.purchases import ReturnedLine
from tests import builders
from tests.builders import MEMBER, NOW
from tests.unit.loyalty import programmes
from tests.unit.loyalty.books import Ledger

REGULAR = Challenge(
    "regular", "Three visits in each of two quarters", 500, "visits", 3, "quarter", periods=2
)
FIRST = Challenge("first", "Your first purchase", 100, "visits", 1, "ever", once=True)
BAKER = Challenge(
    "baker",
    "Bread for 20 dollars a month",
    50,
    "spend_minor",
    2_000,
    "month",
    categories=frozenset({"BREAD"}),
)
IDLE = Expiry(inactive_months=2)


def under(*known: Challenge, pending: Pending | None = None) -> Programme:
    return programmes.small(replace(programmes.version(pending=pending), challenges=known))


def sale(day: date, cents: int = 1_000, number: int = 0, **fields: Any) -> Any:
    at = datetime(day.year, day.month, day.day, 15, tzinfo=UTC)
    return builders.purchase_recorded(
        receipt_no=f"{day}/{number}",
        occurred_at=at,
        received_at=at,
        lines=[builders.line(category="BREAD", amount_minor=cents)],
        **fields,
    )


def void(of: Any) -> Any:
    return builders.purchase_voided(of.data)


def days(month: int, *numbers: int) -> list[Any]:
    return [sale(date(2026, month, number)) for number in numbers]


def awarded(ledger: Ledger) -> dict[str, list[int]]:
    """Return what is given by each rule, in the order of when it was earned."""
    found: dict[str, list[int]] = {}
    for one in sorted(ledger.awards.values(), key=lambda one: one.earned_at):
        if one.points:
            found.setdefault(one.rule, []).append(one.points)
    return found


def test_three_visits_in_each_of_two_quarters() -> None:
    ledger = Ledger(under(REGULAR))

    ledger.apply(days(2, 3, 10, 17) + days(4, 7, 14))
    assert awarded(ledger) == {}
    ledger.apply(days(6, 30))

    (award,) = ledger.awards.values()
    assert (award.points, award.programme_version) == (500, "v1")
    assert award.earned_at == datetime(2026, 6, 30, 15, tzinfo=UTC)
    assert ledger.members[MEMBER].available == 6 * 100 + 500


def test_a_quarter_in_between_breaks_the_run() -> None:
    ledger = Ledger(under(REGULAR))

    ledger.apply(days(2, 3, 10, 17) + days(7, 3, 10, 17))

    assert awarded(ledger) == {}


def test_runs_do_not_overlap_and_one_of_once_is_the_first() -> None:
    counters = {period: Counter(3, NOW, NOW) for period in (1, 2, 3, 4, 6, 7)}

    assert challenges.runs(REGULAR, counters) == [2, 4, 7]
    assert challenges.runs(replace(REGULAR, once=True), counters) == [2]
    assert challenges.streak(REGULAR, counters, 8) == 0
    assert challenges.streak(REGULAR, counters, 4) == 2
    assert challenges.streak(replace(REGULAR, periods=3), counters, 8) == 2
    assert challenges.streak(replace(REGULAR, periods=3), counters, 9) == 0


def test_two_receipts_of_one_day_are_one_visit() -> None:
    ledger = Ledger(under(replace(REGULAR, periods=1)))

    ledger.apply([sale(date(2026, 2, 3), number=number) for number in range(3)])

    assert awarded(ledger) == {}


def test_what_comes_back_takes_the_award_back_and_a_debt_remains() -> None:
    ledger = Ledger(under(BAKER))
    first, second = days(2, 3, 4)
    ledger.apply([first, second])
    assert ledger.members[MEMBER].available == 250

    back = ReturnedLine(line_no=1, quantity_milli=0, amount_minor=1)
    ledger.apply([builders.purchase_returned(second.data, [back])])

    assert awarded(ledger) == {}
    assert ledger.members[MEMBER].available == 199
    taken = ledger.entries[-1]
    assert taken.points == -50


def test_a_late_sale_brings_the_award_forward() -> None:
    ledger = Ledger(under(BAKER))
    ledger.apply(days(2, 3, 20))
    ledger.apply(days(2, 10))

    (award,) = ledger.awards.values()
    assert award.earned_at == datetime(2026, 2, 10, 15, tzinfo=UTC)


def test_the_first_purchase_is_the_first_that_is_kept() -> None:
    ledger = Ledger(under(FIRST))
    first, second = days(2, 3, 10)

    ledger.apply_all([[first, second], [void(first)]])

    (award,) = ledger.awards.values()
    assert award.earned_at == second.time
    assert awarded(ledger) == {"first": [100]}


def test_points_begin_when_those_of_the_sale_do() -> None:
    ledger = Ledger(under(FIRST, pending=Pending(days=14)))

    ledger.apply([sale(NOW.date())])

    assert ledger.members[MEMBER].pending == 100 + 100
    ledger.sweep(NOW + timedelta(days=15))
    assert ledger.members[MEMBER].available == 100 + 100


def test_a_suspect_clock_counts_for_nothing() -> None:
    ledger = Ledger(under(FIRST))

    ledger.apply([sale(date(2026, 2, 3), clock_suspect=True)])

    assert awarded(ledger) == {}


def test_points_are_those_of_the_rules_at_the_sale_that_reached_it() -> None:
    july = datetime(2026, 7, 1, tzinfo=UTC)
    doubled = replace(BAKER, points=100)
    ledger = Ledger(
        programmes.small(
            replace(programmes.version(), challenges=(BAKER,)),
            replace(programmes.version("v2", since=july), challenges=(doubled,)),
        )
    )

    ledger.apply(days(2, 3, 4) + days(7, 3, 4))

    assert awarded(ledger) == {"baker": [50, 100]}


@pytest.mark.parametrize("per", ["day", "week", "month", "quarter", "year"])
def test_periods_follow_one_another_without_a_gap(per: periods.Per) -> None:
    day, last = date(2023, 12, 20), None
    for _ in range(800):
        number = periods.number(per, day)
        assert periods.first_day(per, number) <= day <= periods.last_day(per, number)
        assert last is None or number in {last, last + 1}
        day, last = day + timedelta(days=1), number


facts = st.lists(
    st.tuples(st.integers(0, 364), st.integers(1, 30), st.sampled_from(["keep", "back", "void"])),
    min_size=1,
    max_size=14,
)


@given(facts, st.data())
def test_any_order_and_batching_gives_the_same_awards(
    given_facts: list[tuple[int, int, str]], data: st.DataObject
) -> None:
    events: list[Any] = []
    for number, (day, dollars, fate) in enumerate(given_facts):
        sold = sale(
            date(2026, 1, 1) + timedelta(days=day),
            dollars * 100,
            number,
            member_id=UUID(int=1 + number % 2),
        )
        events.append(sold)
        back = ReturnedLine(line_no=1, quantity_milli=0, amount_minor=dollars * 50)
        if fate != "keep":
            events.append(
                void(sold) if fate == "void" else builders.purchase_returned(sold.data, [back])
            )
    known = replace(REGULAR, goal=2), FIRST, BAKER
    idle = programmes.version("v2", since=datetime(2026, 5, 20, tzinfo=UTC), expiry=IDLE)
    programme = programmes.small(
        replace(programmes.version(), challenges=known), replace(idle, challenges=known)
    )
    in_order = Ledger(programme)
    in_order.apply(sorted(events, key=lambda event: event.time))

    shuffled = Ledger(programme)
    left = data.draw(st.permutations(events + events[:3]))
    while left:
        size = data.draw(st.integers(1, len(left)))
        shuffled.apply(left[:size])
        left = left[size:]
    for ledger in (in_order, shuffled):
        ledger.sweep(NOW + timedelta(days=60))

    assert shuffled.outcome() == in_order.outcome()
    assert {key: one for key, one in shuffled.progress.items() if one.value} == {
        key: one for key, one in in_order.progress.items() if one.value
    }
