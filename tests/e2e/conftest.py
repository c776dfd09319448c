"""One whole stack for the tests of a worker: what a document says holds beside other members."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig import Rig


@pytest.fixture(scope="session")
def rig(scratch: Path) -> Iterator[Rig]:
    """Bring the stack up as a person would; it is gone afterwards."""
    made = Rig(scratch / "e2e")
    made.command("deploy.local", "up")
    yield made
    made.command("deploy.local", "clean")
