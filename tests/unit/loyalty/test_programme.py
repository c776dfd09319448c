"""The programme's document is checked before anything earns by it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from services.loyalty.domain import settle
from services.loyalty.domain.ladder import Tier, TierPolicy
from services.loyalty.settings import programme
from shared.errors import Malformed
from tests import builders
from tests.unit.loyalty import programmes


def changed(tmp_path: Path, **changes: Any) -> Path:
    document = yaml.safe_load(programmes.DEMO_FILE.read_text("utf-8")) | changes
    path = tmp_path / "programme.yaml"
    path.write_text(yaml.safe_dump(document), "utf-8")
    return path


def _with_caps(*caps: dict[str, Any]) -> dict[str, Any]:
    document = yaml.safe_load(programmes.DEMO_FILE.read_text("utf-8"))
    some = {"rule": "cap", "title": "A cap", "per": "day", "points": 10}
    return document["versions"][0] | {"caps": [some | cap for cap in caps]}


def test_the_demo_programme_rewards_groceries_and_not_fuel() -> None:
    lines = [
        builders.line(1, category="SOFT DRINKS", amount_minor=199),
        builders.line(2, category="TROPICAL FRUIT", amount_minor=199),
        builders.line(3, category="COUPON/MISC ITEMS", amount_minor=3_000),
        builders.line(4, category=None, amount_minor=100),
    ]

    settled = settle.settle(builders.receipt(lines=lines), programmes.demo())

    assert settled.points == 19 + 39 + 0 + 10
    assert settled.qualifying_minor == 199 + 199 + 100


def test_points_are_worth_whole_cents() -> None:
    assert programmes.demo().value_minor(1_999) == 199


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        pytest.param({"time_zone": "Mars/Olympus"}, "no such time zone", id="unknown zone"),
        pytest.param({"currency": "dollar"}, "currency", id="no currency code"),
        pytest.param({"surprise": 1}, "surprise", id="unknown field"),
        pytest.param({"versions": []}, "versions", id="no version"),
        pytest.param(
            {"versions": [_with_caps({"per": "day"}, {"per": "day"})]},
            "two caps of the same period",
            id="two caps a day",
        ),
        pytest.param({"versions": [_with_caps({"per": "week"})]}, "per", id="cap of a week"),
        pytest.param({"versions": [_with_caps({"points": 0})]}, "points", id="cap of nothing"),
        pytest.param(
            {
                "tiers": [
                    {"name": "Gold", "threshold_minor": 2},
                    {"name": "Silver", "threshold_minor": 1},
                ]
            },
            "must rise",
            id="tiers out of order",
        ),
        pytest.param(
            {"tiers": [{"name": "Gold", "threshold": 2}]},
            "tiers by spend have a threshold_minor",
            id="visits where spend is measured",
        ),
        pytest.param(
            {"tier_policy": {"measure": "visits"}},
            "tiers by visits have a threshold",
            id="spend where visits are measured",
        ),
        pytest.param(
            {"tier_policy": {"window": {"rolling_months": 0}}}, "rolling_months", id="no window"
        ),
        pytest.param({"tier_policy": {"grace_days": 367}}, "grace_days", id="grace too long"),
    ],
)
def test_a_wrong_document_names_what_is_wrong(
    tmp_path: Path, changes: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(Malformed, match=complaint):
        programme.load(changed(tmp_path, **changes))


def test_a_tier_policy_may_be_left_out_in_part_or_whole(tmp_path: Path) -> None:
    window = {"rolling_months": 12}
    rolling = programme.load(changed(tmp_path, tier_policy={"window": window, "grace_days": 30}))

    assert rolling.tier_policy == TierPolicy(rolling_months=12, grace_days=30)
    assert programmes.demo().tier_policy == TierPolicy()


def test_tiers_by_points_have_a_threshold_in_points(tmp_path: Path) -> None:
    tiers = [{"name": "Silver", "threshold": 5_000}, {"name": "Gold", "threshold": 9_000}]
    known = programme.load(changed(tmp_path, tier_policy={"measure": "points"}, tiers=tiers))

    assert known.tiers == (Tier("Silver", 5_000), Tier("Gold", 9_000))
    assert known.ladder.counted_by == "points by year"


def test_a_category_cannot_have_a_bonus_and_be_excluded(tmp_path: Path) -> None:
    versions = yaml.safe_load(programmes.DEMO_FILE.read_text("utf-8"))["versions"]
    versions[0]["excluded"]["categories"].append("APPLES")

    with pytest.raises(Malformed, match="APPLES"):
        programme.load(changed(tmp_path, versions=versions))


RULE = {"rule": "r", "title": "R", "points_per_unit": 1}


@pytest.mark.parametrize(
    ("rules", "complaint"),
    [
        pytest.param([RULE | {"points_per_unit": None}], "must have one of", id="no effect"),
        pytest.param([RULE | {"points_per_receipt": 5}], "must have one of", id="two effects"),
        pytest.param([RULE, RULE], "two rules have the name r", id="one name twice"),
        pytest.param([RULE | {"rule": "base"}], "the name base", id="the name of the base"),
        pytest.param(
            [RULE | {"when": "totl > 1"}],
            r"bonuses.0.when: undeclared reference to 'totl' \(line 1, column 1\)",
            id="a condition that is wrong",
        ),
        pytest.param([RULE | {"weekdays": ["friday"]}], "weekdays", id="unknown weekday"),
        pytest.param(
            [RULE | {"hours": {"from": "08:00", "until": "08:00"}}], "the same", id="no window"
        ),
        pytest.param(
            [RULE | {"hours": {"from": "8:00", "until": "25:00"}}], "hours.until", id="no time"
        ),
        pytest.param([RULE | {"skus": ["a"], "colours": ["r"]}], "colours", id="unknown predicate"),
        pytest.param(
            [RULE | {"tiers": ["Gold", "Tin"]}],
            "bonuses.0.tiers: .* no tier Tin",
            id="unknown tier",
        ),
        pytest.param([RULE | {"birthday": "week"}], "birthday", id="unknown span"),
        pytest.param(
            [RULE | {"rule": f"r{number}"} for number in range(51)], "at most 50", id="too many"
        ),
    ],
)
def test_a_wrong_rule_names_what_is_wrong(
    tmp_path: Path, rules: list[dict[str, Any]], complaint: str
) -> None:
    versions = yaml.safe_load(programmes.DEMO_FILE.read_text("utf-8"))["versions"]

    with pytest.raises(Malformed, match=complaint):
        programme.load(changed(tmp_path, versions=[versions[0] | {"bonuses": rules}]))


def test_what_is_not_yaml_is_said_to_be_so(tmp_path: Path) -> None:
    path = tmp_path / "programme.yaml"
    path.write_text("name: [", "utf-8")

    with pytest.raises(Malformed, match="is not YAML"):
        programme.load(path)
