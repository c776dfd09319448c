"""The tables in the code are the tables that migrations make."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import Connection

from services.offers.store.tables import METADATA
from shared.db.plumbing import FOLLOWERS, PLUMBING
from tests.service.offers.shop import Shop


async def test_migrations_make_the_tables_that_the_code_knows(shop: Shop) -> None:
    known = {*PLUMBING.tables, *FOLLOWERS.tables, "alembic_version"}

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_name": lambda name, kind, _: kind != "table" or name not in known,
            },
        )
        return compare_metadata(context, METADATA)

    async with shop.db.transaction() as tx:
        assert await tx.run_sync(differences) == []
