"""Caps: what a period hands out step by step is what it would hand out from the beginning."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.loyalty.domain.caps import Cap, Claim, Grant, Period
from tests.unit.loyalty import programmes

MIDNIGHT = datetime(2026, 11, 1, tzinfo=UTC)
CAPS = (
    Cap("each", "At most 40 a receipt", "receipt", 40),
    Cap("daily", "At most 60 a day", "day", 60),
    Cap("monthly", "At most 150 a month", "month", 150),
)


def claim(number: int, hours: int, desired: int, caps: tuple[Cap, ...] = CAPS) -> Claim:
    at = MIDNIGHT + timedelta(hours=hours)
    return Claim(at, UUID(int=number), at.date(), desired, caps)


def from_the_beginning(claims: list[Claim]) -> dict[UUID, int]:
    """Serve all claims in order: the definition, without any memory of before."""
    in_day: dict[date, int] = {}
    in_month = 0
    granted: dict[UUID, int] = {}
    for one in sorted(claims, key=lambda one: one.place):
        points = one.desired
        for cap in one.caps:
            used = {"receipt": 0, "day": in_day.get(one.day, 0), "month": in_month}[cap.per]
            points = min(points, max(0, cap.points - used))
        granted[one.receipt_id] = points
        in_day[one.day] = in_day.get(one.day, 0) + points
        in_month += points
    return granted


# A receipt happens when it happens: its number says the hour. Two versions of the rules meet.
steps = st.tuples(st.integers(0, 23), st.one_of(st.none(), st.integers(0, 100)), st.booleans())


@given(st.lists(steps, max_size=40))
def test_changes_one_by_one_end_where_all_at_once_do(
    changes: list[tuple[int, int | None, bool]],
) -> None:
    period = Period()
    current: dict[UUID, Claim] = {}
    granted: dict[UUID, Grant] = {}
    for number, desired, newer_rules in changes:
        one = claim(number, 3 * (number // 2), desired or 0, CAPS if newer_rules else CAPS[1:2])
        if desired is None:
            granted |= period.remove(one)
            current.pop(one.receipt_id, None)
            granted.pop(one.receipt_id, None)
        else:
            granted |= period.put(one)
            current[one.receipt_id] = one
        assert {key: grant.points for key, grant in granted.items()} == from_the_beginning(
            list(current.values())
        )
        for key, one in current.items():
            assert (granted[key].cap is None) == (granted[key].points == one.desired)


def test_a_grant_names_the_cap_that_was_the_narrowest() -> None:
    period = Period()

    first = period.put(claim(1, 9, 100))
    second = period.put(claim(2, 10, 100))

    assert first[UUID(int=1)] == Grant(40, CAPS[0])
    assert second[UUID(int=2)] == Grant(20, CAPS[1])
    assert period.put(claim(3, 30, 30))[UUID(int=3)] == Grant(30, None)


def test_a_cap_that_came_down_in_mid_period_takes_nothing_and_caps_nothing_that_is_worthless() -> (
    None
):
    period = Period()
    lower = (Cap("daily", "At most 20 a day", "day", 20),)
    period.put(claim(1, 9, 60, CAPS[1:2]))

    assert period.put(claim(2, 10, 30, lower))[UUID(int=2)] == Grant(0, lower[0])
    assert period.put(claim(3, 11, 0, lower)) == {UUID(int=3): Grant(0, None)}


def test_periods_begin_and_end_where_the_programme_lives() -> None:
    day = date(2026, 11, 1)  # clocks go back in New York: 25 hours
    daily = programmes.small(programmes.version(caps=CAPS[:2]))
    monthly = programmes.small(programmes.version(caps=CAPS))

    assert daily.period(day) == (
        datetime(2026, 11, 1, 4, tzinfo=UTC),
        datetime(2026, 11, 2, 5, tzinfo=UTC),
    )
    assert monthly.period(day) == (
        datetime(2026, 11, 1, 4, tzinfo=UTC),
        datetime(2026, 12, 1, 5, tzinfo=UTC),
    )
    assert programmes.small(programmes.version(caps=CAPS[:1])).period(day) is None
