"""Tiers: worked cases of how they are reached, kept and lost."""

from collections.abc import Iterable, Sequence

import pytest

from services.loyalty.domain import tier_reviews, tiers
from services.loyalty.domain.ladder import Ladder, TierPolicy
from services.loyalty.domain.tiers import Standing
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
