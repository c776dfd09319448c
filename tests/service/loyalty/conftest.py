"""A desk: loyalty's handlers and routes on a real database, with a clock that stands still."""

import pytest_asyncio

from tests.conftest import MakeDatabase
from tests.service.loyalty.desk import Desk


@pytest_asyncio.fixture(name="desk")
async def open_desk(make_database: MakeDatabase) -> Desk:
    """Open an empty ledger."""
    return Desk(await make_database("loyalty"))
