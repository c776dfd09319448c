"""One stack for all fault tests: each leaves it whole, or the next one says so."""

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from demo.stack import Clients
from tests.rig import Rig, connected


@pytest.fixture(scope="module")
def rig(scratch: Path) -> Iterator[Rig]:
    made = Rig(scratch / "faults")
    made.command("deploy.local", "up")
    yield made
    made.command("deploy.local", "clean")


@pytest_asyncio.fixture
async def clients(rig: Rig) -> AsyncGenerator[Clients, None]:
    async with connected(rig) as made:
        yield made
