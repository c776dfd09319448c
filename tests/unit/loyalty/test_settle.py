"""What a receipt is worth."""

from datetime import UTC, datetime, timedelta

import pytest

from services.loyalty.domain import settle
from tests import builders
from tests.unit.loyalty import programmes

ZONE = programmes.small().time_zone


@pytest.mark.parametrize(
    ("category", "amount_minor", "points", "qualifying"),
    [
        pytest.param("BREAD", 100, 10, 100, id="one dollar at the base rate"),
        pytest.param("BREAD", 199, 19, 199, id="19.9 points are rounded down"),
        pytest.param("BREAD", 9, 0, 9, id="less than a point is nothing, but it qualifies"),
        pytest.param("BREAD", 0, 0, 0, id="free goods"),
        pytest.param(None, 150, 15, 150, id="no category earns the base rate"),
        pytest.param("BANANAS", 199, 39, 199, id="bonus and base are rounded once, together"),
        pytest.param("FUEL", 5_000, 0, 0, id="excluded earns nothing and does not qualify"),
        pytest.param("BREAD", 2**53 // 1000, 2**53 // 10_000, 2**53 // 1000, id="very large"),
    ],
)
def test_a_line_earns_by_its_category_rounded_down(
    category: str | None, amount_minor: int, points: int, qualifying: int
) -> None:
    bought = builders.line(category=category, amount_minor=amount_minor)

    settled = settle.settle(builders.receipt(lines=[bought]), programmes.small())

    assert (settled.points, settled.qualifying_minor) == (points, qualifying)


def test_each_line_is_rounded_by_itself() -> None:
    lines = [builders.line(no, category="BREAD", amount_minor=19) for no in (1, 2, 3)]

    assert settle.settle(builders.receipt(lines=lines), programmes.small()).points == 3


def test_quantity_zero_with_an_amount_still_counts_what_was_paid() -> None:
    line = builders.line(category="BREAD", quantity_milli=0, amount_minor=100)

    assert settle.settle(builders.receipt(lines=[line]), programmes.small()).points == 10


def test_the_explanation_adds_up_to_the_points() -> None:
    lines = [
        builders.line(1, category="BREAD", amount_minor=250),
        builders.line(2, category="BANANAS", amount_minor=199),
        builders.line(3, category="FUEL", amount_minor=4_000),
        builders.line(4, amount_minor=0),
    ]

    settled = settle.settle(builders.receipt(lines=lines), programmes.small())

    assert settled.lines == [1, 250, 0, 25, 2, 199, 1, 39, 3, 4_000, 2, 0]
    assert sum(settled.lines[3 :: settle.FIELDS_PER_LINE]) == settled.points


def test_another_currency_earns_nothing() -> None:
    settled = settle.settle(builders.receipt(currency="EUR"), programmes.small())

    assert (settled.points, settled.qualifying_minor, settled.version) == (0, 0, None)


def test_a_receipt_from_before_the_programme_earns_nothing() -> None:
    before = programmes.BEGAN - timedelta(seconds=1)

    settled = settle.settle(builders.receipt(occurred_at=before), programmes.small())

    assert settled.version is None


def test_a_receipt_is_settled_by_the_version_of_its_day() -> None:
    new_rules = datetime(2026, 6, 1, tzinfo=UTC)
    programme = programmes.small(
        programmes.version("v1", base=10), programmes.version("v2", since=new_rules, base=5)
    )
    lines = [builders.line(category="BREAD", amount_minor=100)]

    def points_at(at: datetime) -> int:
        return settle.settle(builders.receipt(lines=lines, occurred_at=at), programme).points

    assert points_at(new_rules - timedelta(seconds=1)) == 10
    assert points_at(new_rules) == 5
