"""The example programmes load, and a few baskets earn what a shopkeeper would expect."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest

from services.loyalty.domain import settle
from services.loyalty.domain.considered import NOBODY, Who
from services.loyalty.settings import programme
from tests import builders
from tests.unit.loyalty import programmes
from tests.unit.loyalty.books import Ledger

FOLDER = programmes.DEMO_FILE.parent


class Bought(NamedTuple):
    """A line: what, of which category, for how much, how many."""

    sku: str
    category: str
    cents: int
    pieces: int = 1


def earned(
    name: str, at: str, bought: list[Bought], *, who: Who = NOBODY, **receipt: Any
) -> tuple[int, set[str]]:
    """Return the points and the rules that gave something; ``at`` is local time."""
    known = programme.load(FOLDER / f"{name}.yaml")
    lines = [
        builders.line(
            number,
            sku=one.sku,
            category=one.category,
            amount_minor=one.cents,
            quantity_milli=one.pieces * 1_000,
        )
        for number, one in enumerate(bought, start=1)
    ]
    moment = datetime.fromisoformat(at).replace(tzinfo=known.time_zone)
    sale = builders.receipt(lines=lines, currency=known.currency, occurred_at=moment, **receipt)
    settled = settle.settle(sale, known, who.birthday).at(known.ladder.level_of(who.tier))
    assert settled.version is not None
    masks = settled.lines[2 :: settle.FIELDS_PER_LINE]
    chosen = [rule for mask in masks for rule in settled.version.lookups.chosen(mask)]
    return settled.points, {one.rule for one in chosen}


FRUIT = [Bought(f"F-{number}", "FRUIT", 100) for number in range(5)]
MASSAGE = Bought("T1", "MASSAGE", 9_000)


@pytest.mark.parametrize(
    ("name", "at", "bought", "receipt", "points", "rules"),
    [
        pytest.param(
            "grocery",
            "2026-11-20T12:00",
            [Bought("x", "SNACKS", 250), Bought("HL-BREAD", "BREAD", 300)],
            {},
            25 + 45,
            {"own-brand"},
            id="grocery: a snack and our own bread",
        ),
        pytest.param(
            "grocery",
            "2026-11-20T12:00",
            [*FRUIT, Bought("g", "FUEL", 4_000)],
            {},
            5 * 20 + 50,
            {"fresh", "five-a-day"},
            id="grocery: five fruits, and fuel that earns nothing",
        ),
        pytest.param(
            "grocery",
            "2026-11-21T09:59",
            [Bought("x", "SNACKS", 1_000)],
            {"sales_channel": "app"},
            150,
            {"early-bird"},
            id="grocery: early on Saturday, which is better than the app",
        ),
        pytest.param(
            "grocery",
            "2026-11-21T10:00",
            [Bought("x", "SNACKS", 10_000)],
            {"sales_channel": "app"},
            1_400 + 200,
            {"app-order", "weekly-shop"},
            id="grocery: a weekly shop in the app",
        ),
        pytest.param(
            "grocery",
            "2026-11-20T12:00",
            [Bought("x", "SNACKS", 1_000), Bought("b", "FRUIT", 500)],
            {"who": Who("Gold")},
            150 + 125,
            {"gold", "fresh"},
            id="grocery: a snack and a fruit with Gold",
        ),
        pytest.param(
            "cafe",
            "2026-11-20T09:00",
            [Bought("t", "TEA", 400)],
            {"who": Who(birthday=3)},
            4 + 5 + 20,
            {"visit", "birthday"},
            id="cafe: tea on one's birthday",
        ),
        pytest.param(
            "cafe",
            "2026-11-20T09:00",
            [Bought("c", "COFFEE", 350), Bought("OWN-CUP", "EXTRAS", 1)],
            {},
            3 + 0 + 5 + 3,
            {"visit", "own-cup"},
            id="cafe: a coffee in one's own cup",
        ),
        pytest.param(
            "cafe",
            "2026-11-20T16:59",
            [Bought("c", "COFFEE", 1_050, 3), Bought("k", "CAKE", 450)],
            {},
            10 + 13 + 5 + 10,
            {"visit", "happy-hour", "round"},
            id="cafe: coffee for three with a cake",
        ),
        pytest.param(
            "cafe",
            "2026-11-22T01:30",
            [Bought("t", "TEA", 400)],
            {},
            12 + 5,
            {"visit", "night-owl"},
            id="cafe: tea long past midnight",
        ),
        pytest.param(
            "cafe",
            "2026-11-22T12:00",
            [Bought("t", "TEA", 199), Bought("d", "DEPOSIT", 100)],
            {},
            1,
            set(),
            id="cafe: too little for a visit, and a deposit",
        ),
        pytest.param(
            "spa",
            "2026-11-20T11:00",
            [MASSAGE, Bought("o", "PRODUCTS", 3_000), Bought("tip", "TIP", 1_500)],
            {},
            405 + 150,
            {"treatments", "care-at-home"},
            id="spa: a massage on Friday, and oil for home",
        ),
        pytest.param(
            "spa",
            "2026-11-19T11:00",
            [MASSAGE, Bought("T2", "FACIAL", 5_000)],
            {"sales_channel": "app", "identified_by": "app_id"},
            540 + 300 + 100 + 25,
            {"quiet-hours", "day-out", "booked-in-the-app"},
            id="spa: a quiet Thursday, booked in the app",
        ),
        pytest.param(
            "spa",
            "2026-11-19T11:00",
            [Bought("o", "PRODUCTS", 3_000)],
            {},
            90,
            set(),
            id="spa: products alone",
        ),
    ],
)
def test_a_basket_earns_what_the_example_says(
    name: str, at: str, bought: list[Bought], receipt: dict[str, Any], points: int, rules: set[str]
) -> None:
    assert earned(name, at, bought, **receipt) == (points, rules)


def test_every_example_is_in_the_table() -> None:
    names = {path.stem for path in FOLDER.glob("*.yaml")}

    assert names == {"demo", "grocery", "cafe", "spa"}


@pytest.mark.parametrize("name", ["demo", "grocery", "cafe", "spa"])
def test_a_reward_in_money_costs_what_the_points_are_worth(name: str) -> None:
    known = programme.load(FOLDER / f"{name}.yaml")
    (version,) = known.versions
    money = [one for one in version.rewards if one.amount_minor is not None]

    assert len(version.rewards) == 3
    for one in money:
        assert one.amount_minor == known.value_minor(one.points), one.reward_id


def test_the_bench_settles_by_a_dozen_rules_of_every_kind() -> None:
    (version,) = programme.load(FOLDER.parents[1] / "bench" / "programme.yaml").versions

    assert len(version.bonuses) == 12
    assert sum(one.when is not None for one in version.bonuses) == 2
    assert {one.stacking for one in version.bonuses} == {"add", "best_of", "exclusive"}


def test_the_spa_looks_at_large_receipts_first() -> None:
    ledger = Ledger(programme.load(FOLDER / "spa.yaml"))
    for number, cents in enumerate([60_000, 70_000]):
        at = datetime(2026, 1, 9 + number, 20, tzinfo=UTC)
        line = builders.line(category="MASSAGE", amount_minor=cents)
        ledger.apply([
            builders.purchase_recorded(
                receipt_no=str(number), currency="USD", occurred_at=at, received_at=at, lines=[line]
            )
        ])  # fmt: skip

    found = sorted(ledger.receipts.values(), key=lambda one: one.desired)
    assert [(one.desired, one.approval) for one in found] == [(2_700, None), (3_150, "waiting")]


def test_the_spa_rewards_three_visits_in_each_of_two_quarters() -> None:
    ledger = Ledger(programme.load(FOLDER / "spa.yaml"))
    for month in (1, 4):
        for day in (10, 20, 30):
            at = datetime(2026, month, day, 20, tzinfo=UTC)
            ledger.apply([
                builders.purchase_recorded(
                    receipt_no=f"{month}-{day}", currency="USD", occurred_at=at, received_at=at,
                    lines=[builders.line(category="MASSAGE", amount_minor=9_000)],
                )
            ])  # fmt: skip

    assert sorted(one.rule for one in ledger.awards.values()) == ["regular", "welcome"]
