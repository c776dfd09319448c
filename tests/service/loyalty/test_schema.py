"""The migration makes the tables that the code describes."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from services.loyalty.store.tables import METADATA
from tests.service.loyalty.desk import Desk

Columns = set[tuple[str, bool]]


def made(connection: Connection) -> dict[str, Columns]:
    inspector = sa.inspect(connection)
    return {
        table: {(one["name"], bool(one["nullable"])) for one in inspector.get_columns(table)}
        for table in METADATA.tables
    }


async def test_tables_have_the_columns_that_the_code_describes(desk: Desk) -> None:
    described = {
        name: {(column.name, bool(column.nullable)) for column in table.columns}
        for name, table in METADATA.tables.items()
    }

    async with desk.db.transaction() as tx:
        assert await tx.run_sync(made) == described
