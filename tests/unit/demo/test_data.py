"""The data set's quirks, each on rows made for it, and the real year where it is installed."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

import polars as pl
import pytest

from demo import data, plan

TODAY = date(2026, 11, 22)  # a Sunday; the data set's last day, 2017-12-31, is one too
MIDDAY = datetime(2017, 12, 31, 17, 0)  # noqa: DTZ001  the data set has UTC without saying so
BREAD = {
    "product_id": 1,
    "department": "PASTRY",
    "brand": "Private",
    "product_category": "BREAD",
    "product_type": "BREAD:ITALIAN/FRENCH",
    "package_size": "20 OZ",
}
FUEL = BREAD | {
    "product_id": 2,
    "product_category": "COUPON/MISC ITEMS",
    "product_type": "GASOLINE-REG UNLEADED",
    "package_size": None,
}
NAMELESS = BREAD | {
    "product_id": 3,
    "product_category": None,
    "product_type": None,
    "package_size": None,
}


def _row(**given: object) -> dict[str, object]:
    row: dict[str, object] = {
        "household_id": 900,
        "store_id": 330,
        "basket_id": 31198570044,
        "product_id": 1,
        "quantity": 1,
        "sales_value": 1.0,
        "retail_disc": 0.0,
        "coupon_disc": 0.0,
        "coupon_match_disc": 0.0,
        "transaction_timestamp": MIDDAY,
    }
    return row | given


def _sample(*rows: Mapping[str, object], weeks: int = 4) -> data.Sample:
    # A household counts from its second basket on: the filler is one of a quiet Saturday.
    filler = _row(basket_id=1, transaction_timestamp=MIDDAY - timedelta(days=1))
    sold = pl.LazyFrame([filler, *rows], infer_schema_length=None)
    known = pl.LazyFrame([BREAD, FUEL, NAMELESS], infer_schema_length=None)
    return data.prepare(sold, known, households=10, weeks=weeks, today=TODAY)


def _last(*rows: Mapping[str, object]) -> data.Basket:
    return _sample(*rows).baskets[-1]


def test_times_are_the_shops_own() -> None:
    basket = _last(_row(transaction_timestamp=MIDDAY))

    assert basket.occurred_at.isoformat().endswith("T12:00:00-05:00")


def test_a_sale_after_midnight_utc_belongs_to_the_day_before() -> None:
    late = datetime(2018, 1, 1, 4, 1)  # noqa: DTZ001

    assert _sample(_row(transaction_timestamp=late)).baskets[-1].occurred_at.hour == 23


def test_the_year_moves_by_whole_weeks_to_end_yesterday() -> None:
    sample = _sample(_row())

    assert sample.last_day.weekday() == date(2017, 12, 31).weekday()
    assert timedelta(0) <= (TODAY - timedelta(days=1)) - sample.last_day < timedelta(days=7)
    assert sample.baskets[-1].occurred_at.date() == sample.last_day


@pytest.mark.parametrize("days_ago", range(14))
def test_no_receipt_is_ever_of_today_or_later(days_ago: int) -> None:
    yesterday = TODAY - timedelta(days=days_ago)

    moved = date(2017, 12, 31) + data.whole_weeks(date(2017, 12, 31), yesterday)

    assert yesterday - timedelta(days=6) <= moved <= yesterday


def test_a_window_of_four_weeks_is_28_days() -> None:
    old = _row(basket_id=2, transaction_timestamp=MIDDAY - timedelta(days=28))
    young = _row(basket_id=3, transaction_timestamp=MIDDAY - timedelta(days=27))

    sample = _sample(old, young, _row())

    assert sample.baskets[0].occurred_at.date() == sample.first_day
    assert (sample.last_day - sample.first_day).days == 27
    assert [basket.receipt_no for basket in sample.baskets] == ["3", "1", "31198570044"]


def test_money_is_exact_cents() -> None:
    # 0.1 + 0.2 and 8.15 have no exact float; 8.15 * 100 is 815.0000000000001.
    basket = _last(
        _row(product_id=1, sales_value=0.1),
        _row(product_id=2, sales_value=0.2),
        _row(product_id=3, sales_value=8.15, retail_disc=0.29, coupon_match_disc=0.01),
    )

    assert [line.amount_minor for line in basket.lines] == [10, 20, 815]
    assert basket.lines[2].discount_minor == 30
    assert basket.total_minor == 845


def test_the_unit_price_is_the_shelf_price() -> None:
    line = _last(_row(quantity=3, sales_value=2.0, retail_disc=0.49)).lines[0]

    assert (line.quantity_milli, line.unit_price_minor) == (3_000, 83)


def test_coupons_are_a_tender_and_never_more_than_the_total() -> None:
    basket = _last(_row(sales_value=1.0, coupon_disc=2.5))

    assert basket.total_minor == 100
    assert basket.coupon_minor == 100


def test_gasoline_is_counted_in_thousandths_of_a_gallon() -> None:
    line = _last(_row(product_id=2, quantity=12_510, sales_value=31.26)).lines[0]

    assert plan.quantity(line.quantity_milli) == "12.51"
    assert line.unit_price_minor == 250
    assert line.category == "COUPON/MISC ITEMS"


def test_prepaid_gasoline_is_one_fill() -> None:
    line = _last(_row(product_id=2, quantity=1, sales_value=15.0)).lines[0]

    assert (line.quantity_milli, line.unit_price_minor) == (1_000, 1_500)


def test_quantity_zero_and_value_zero_stay_lines() -> None:
    basket = _last(
        _row(product_id=1, quantity=0, sales_value=0.0),
        _row(product_id=2, quantity=0, sales_value=0.5),
        _row(product_id=3, quantity=2, sales_value=0.0, retail_disc=1.0),
    )

    assert [line.quantity_milli for line in basket.lines] == [0, 0, 2_000]
    assert [line.amount_minor for line in basket.lines] == [0, 50, 0]
    assert [line.unit_price_minor for line in basket.lines] == [0, 0, 50]


def test_a_product_that_nobody_describes_is_sold_and_not_registered() -> None:
    sample = _sample(_row(product_id=77), _row(product_id=3))

    named = {line.sku: (line.category, line.description) for line in sample.baskets[-1].lines}
    assert named == {"77": (None, None), "3": (None, None)}
    assert {product.sku: product.name for product in sample.products}["3"] == "Article 3"
    assert "77" not in {product.sku for product in sample.products}


def test_a_household_with_one_basket_is_left_out() -> None:
    sample = _sample(_row(), _row(household_id=5, basket_id=9))

    assert sample.households == (900,)


@pytest.fixture(scope="module")
def small() -> data.Sample:
    """Load a small sample of the real year."""
    return data.load(households=40, weeks=3, today=TODAY)


def test_the_real_year_has_no_float_money_and_no_line_twice(small: data.Sample) -> None:
    for basket in small.baskets:
        amounts = [
            (line.amount_minor, line.discount_minor, line.unit_price_minor) for line in basket.lines
        ]
        assert all(type(value) is int and value >= 0 for row in amounts for value in row)
        assert len({line.sku for line in basket.lines}) == len(basket.lines)
        assert 0 <= basket.coupon_minor <= basket.total_minor


def test_the_real_year_comes_in_time_order_within_the_window(small: data.Sample) -> None:
    times = [basket.occurred_at for basket in small.baskets]

    assert times == sorted(times)
    assert small.first_day <= times[0].date() <= times[-1].date() <= small.last_day


def test_a_larger_sample_holds_the_smaller_one(small: data.Sample) -> None:
    larger = data.load(households=60, weeks=3, today=TODAY)

    assert set(small.baskets) <= set(larger.baskets)
