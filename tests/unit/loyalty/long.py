"""The properties of the ledger with many examples, one after the other.

``python -m tests.unit.loyalty.long 10000`` tries that many of each, and says how long each took;
words after the number choose those whose names have one of them.
"""

import sys
import time
from collections.abc import Callable, Iterator
from types import ModuleType

from hypothesis import HealthCheck, settings

from tests.unit.loyalty import (
    test_approvals,
    test_caps,
    test_challenges,
    test_fold,
    test_held,
    test_inactivity,
    test_left,
    test_lots,
    test_merges,
    test_tier_orders,
    test_what_stays,
)

MODULES = (
    test_fold,
    test_caps,
    test_lots,
    test_left,
    test_challenges,
    test_tier_orders,
    test_held,
    test_what_stays,
    test_approvals,
    test_merges,
    test_inactivity,
)


def properties(module: ModuleType) -> Iterator[tuple[str, Callable[[], None]]]:
    """Find what a module holds for any example."""
    for name, found in vars(module).items():
        if name.startswith("test_") and getattr(found, "is_hypothesis_test", False):
            yield f"{module.__name__.rpartition('.')[2]}::{name}", found


def main(examples: int, words: list[str]) -> int:
    """Return how many properties failed."""
    many = settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
    )
    failed = 0
    for name, holds in (one for module in MODULES for one in properties(module)):
        if words and not any(word in name for word in words):
            continue
        began = time.monotonic()
        try:
            many(holds)()
        except Exception as error:  # noqa: BLE001 (the others are to run as well)
            failed += 1
            sys.excepthook(type(error), error, error.__traceback__)
            verdict = "FAILED"
        else:
            verdict = "holds"
        took_s = time.monotonic() - began
        sys.stdout.write(f"{name}: {verdict}, {examples} examples, {took_s:.0f} s\n")
        sys.stdout.flush()
    return failed


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
