"""The rules, in the order of the day."""

import importlib

from perennial_client.check.kit import RULES, Rule

DAY = (
    "sales",
    "line",
    "returns",
    "voids",
    "amendments",
    "claims",
    "batches",
    "bodies",
    "numbers",
    "access",
    "events",
    "problems",
)


def all_rules() -> list[Rule]:
    """Return every rule."""
    for module in DAY:
        importlib.import_module(f"{__name__}.{module}")
    return list(RULES.values())
