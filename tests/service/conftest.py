"""A service test runs one service: the others are away, whatever else runs on this machine."""

from collections.abc import Iterator

import pytest

NOBODY = "http://127.0.0.1:9"
"""The port of the discard protocol, on which nobody listens any more."""


@pytest.fixture(autouse=True, scope="module")
def _peers_are_away() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("INGEST_LOYALTY_URL", "LOYALTY_OFFERS_URL", "LOYALTY_NOTIFY_URL"):
            patch.setenv(name, NOBODY)
        yield
