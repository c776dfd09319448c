"""The golden corpus of conditions, and the basket that they speak of."""

from pathlib import Path
from typing import Any

import yaml

FACTS = {
    "total_minor": 6_000,
    "spend_minor": 2_000,
    "line_count": 3,
    "store_id": "0042",
    "sales_channel": "pos",
    "identified_by": "card",
    "weekday": 7,
    "hour": 10,
    "tier": "Gold",
    "day": 22,
    "month": 11,
    "categories": ["WINE", "FRUIT", "FUEL"],
    "skus": ["w-1", "f-1", "x-1"],
    "category_minor": {"WINE": 1_500, "FRUIT": 500, "FUEL": 4_000},
    "sku_milli": {"w-1": 1_000, "f-1": 1_250, "x-1": 30_000},
}


def load() -> list[dict[str, Any]]:
    """Read the corpus."""
    rows: list[dict[str, Any]] = yaml.safe_load(
        Path(__file__).with_name("conditions.yaml").read_text("utf-8")
    )
    return rows
