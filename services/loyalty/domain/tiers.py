"""Tiers: a pure function of the net spend of each calendar year."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.loyalty.domain.programme import Tier


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a member stands, what the next tier asks, and what keeps this one."""

    tier: str | None
    next_tier: str | None
    to_next_minor: int | None
    to_stay_minor: int | None
    """Still to spend this year to keep the tier next year; None without a tier."""
    this_year_minor: int
    previous_year_minor: int


def tier_of(tiers: Sequence[Tier], spend: Mapping[int, int], year: int) -> str | None:
    """Return the tier in ``year``: the best that this or the previous year's net spend carries.

    A tier reached in one year thus lasts to the end of the next, and nothing but the spend
    decides: the order in which purchases arrived cannot.
    """
    best = max(spend.get(year, 0), spend.get(year - 1, 0))
    name = None
    for tier in tiers:
        if best < tier.threshold_minor:
            break
        name = tier.name
    return name


def standing(tiers: Sequence[Tier], spend: Mapping[int, int], year: int) -> Standing:
    """Return the tier in ``year`` with what is missing to the next, and to stay."""
    this_year, previous = spend.get(year, 0), spend.get(year - 1, 0)
    current = tier_of(tiers, spend, year)
    best = max(this_year, previous)
    above = next((tier for tier in tiers if tier.threshold_minor > best), None)
    held = next((tier for tier in tiers if tier.name == current), None)
    return Standing(
        tier=current,
        next_tier=above.name if above else None,
        # Only this year's spend can still grow, so the distance is counted from it.
        to_next_minor=above.threshold_minor - this_year if above else None,
        to_stay_minor=max(0, held.threshold_minor - this_year) if held else None,
        this_year_minor=this_year,
        previous_year_minor=previous,
    )
