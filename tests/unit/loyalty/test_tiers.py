"""Tiers follow the net spend of this and the previous year, and nothing else."""

import pytest

from services.loyalty.domain import tiers
from tests.unit.loyalty import programmes

TIERS = programmes.small().tiers


@pytest.mark.parametrize(
    ("spend", "expected"),
    [
        pytest.param({}, None, id="nothing spent"),
        pytest.param({2026: 9_999}, None, id="one cent short"),
        pytest.param({2026: 10_000}, "Silver", id="exactly the threshold"),
        pytest.param({2026: 30_000}, "Gold", id="the highest that is carried"),
        pytest.param({2025: 30_000}, "Gold", id="last year's tier lasts this year"),
        pytest.param({2024: 30_000}, None, id="and not a year longer"),
        pytest.param({2025: 6_000, 2026: 6_000}, None, id="years are not added up"),
        pytest.param({2025: 30_000, 2026: 10_000}, "Gold", id="the better year counts"),
        pytest.param({2027: 30_000}, None, id="a year that has not come does not count"),
    ],
)
def test_tier_is_the_best_that_two_years_carry(spend: dict[int, int], expected: str | None) -> None:
    assert tiers.tier_of(TIERS, spend, 2026) == expected


@pytest.mark.parametrize(
    ("spend", "to_next", "to_stay"),
    [
        pytest.param({}, ("Silver", 10_000), None, id="no tier yet"),
        pytest.param({2026: 12_000}, ("Gold", 18_000), 0, id="stays already"),
        pytest.param({2025: 12_000, 2026: 4_000}, ("Gold", 26_000), 6_000, id="has to earn it"),
        pytest.param({2025: 40_000}, (None, None), 30_000, id="nothing above"),
    ],
)
def test_standing_says_what_is_missing(
    spend: dict[int, int], to_next: tuple[str | None, int | None], to_stay: int | None
) -> None:
    found = tiers.standing(TIERS, spend, 2026)

    assert (found.next_tier, found.to_next_minor) == to_next
    assert found.to_stay_minor == to_stay
