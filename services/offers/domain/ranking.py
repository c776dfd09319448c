"""The next basket: personal recency-weighted frequency, blended with popularity."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from services.offers.domain import habits
from services.offers.domain.habits import Habit

POPULARITY_SHARE = 0.2
"""How much of the score is what everybody buys; chosen on real baskets, see docs/adr/0031."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A product that could be recommended to a member.

    ``popularity`` is the recency-weighted share of all members' visits with it, 0 to 1.
    ``usual_spend_minor`` is the member's own where they bought it, else everybody's.
    ``unit_price_minor`` is what a sales unit cost at last count; None when it is not known.
    """

    sku: str
    name: str
    category: str | None
    habit: Habit | None
    popularity: float
    usual_spend_minor: int
    unit_price_minor: int | None = None
    cost_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate and its score: an estimate of the share of visits with it."""

    candidate: Candidate
    score: float


def score(candidate: Candidate, *, visits_weight: float) -> float:
    """Return the blended share of visits with the candidate, 0 to 1.

    ``visits_weight`` is the member's stored sum of weights over visits. Both stored sums are seen
    from the same epoch, so their ratio needs no ``now``.
    """
    habit = candidate.habit
    personal = share_of_visits(habit, visits_weight) if habit is not None else 0.0
    return (1 - POPULARITY_SHARE) * personal + POPULARITY_SHARE * candidate.popularity


def share_of_visits(habit: Habit, visits_weight: float) -> float:
    """Return the recency-weighted share of a member's visits with this thing, 0 to 1."""
    return min(1.0, habit.weight / visits_weight) if visits_weight > 0 else 0.0


def rank(
    candidates: Iterable[Candidate], *, visits_weight: float, k: int | None = None
) -> list[Ranked]:
    """Return the ``k`` best candidates, or all. Equal scores go by SKU, so it is repeatable."""
    scored = [
        (-score(candidate, visits_weight=visits_weight), candidate.sku, candidate)
        for candidate in candidates
    ]
    scored.sort(key=lambda entry: entry[:2])
    return [Ranked(candidate, -negative) for negative, _, candidate in scored[:k] if negative < 0]


def in_words(name: str) -> str:
    """Return a product's name as it reads inside a sentence: tills shout, people do not."""
    return name.lower() if name.isupper() else name


def count_of_days(days: float) -> str:
    """Return a number of days in words, rounded."""
    whole = round(days)
    return "1 day" if whole == 1 else f"{whole} days"


def reason(candidate: Candidate, now: datetime) -> str:
    """Return the sentence that tells the member why."""
    name, habit = in_words(candidate.name), candidate.habit
    if habit is None:
        return f"Many members buy {name}; it would be new to you."
    interval, ago = habit.interval_days, _ago(habit, now)
    if interval is not None:
        return f"You buy {name} about every {count_of_days(interval)}; last bought {ago}."
    times = "once" if habit.purchases == 1 else f"{habit.purchases} times"
    return f"You bought {name} {times}; last bought {ago}."


def _ago(habit: Habit, now: datetime) -> str:
    days = habit.days_since(now)
    return "today" if days < 1 else f"{count_of_days(days)} ago"


def visit_rate_per_day(visits_weight: float, now: datetime) -> float:
    """Return visits a day, recency-weighted.

    A steady rate r has a decayed sum of r · half-life / ln 2, which is solved for r here.
    """
    half_life_days = habits.HALF_LIFE.total_seconds() / 86_400
    return habits.weight_now(visits_weight, now) * math.log(2) / half_life_days


def purchase_probability(share: float, visits: float) -> float:
    """Return the chance of at least one purchase within ``visits`` expected visits.

    ``share`` of visits have the product; visits are taken as independent of one another.
    """
    return 1.0 - (1.0 - min(1.0, max(0.0, share))) ** max(0.0, visits)
