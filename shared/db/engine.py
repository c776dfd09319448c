"""The engine, and transactions opened in plain sight."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast

import asyncpg
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

Tx = AsyncConnection
"""A connection inside a transaction; the first argument of every handler and store function."""

PING_TIMEOUT_S = 2.0
CONNECT_TIMEOUT_S = 3.0
POOL_TIMEOUT_S = 4.0
CLOSE_TIMEOUT_S = 5.0
LOCK_TIMEOUT_MS = 1_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 5_000


class Database:
    """One service's Postgres."""

    def __init__(self, engine: AsyncEngine, pool_size: int) -> None:
        """Wrap ``engine``; use ``open_database``."""
        self.engine = engine
        # In the order of coming: the pool's own queue lets newcomers pass those who wait in it.
        self._turns = asyncio.Semaphore(pool_size)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Tx, None]:
        """Open a transaction; it commits where the block ends, and rolls back on any error.

        Who rolls it back inside the block goes on in a new one.
        """
        async with asyncio.timeout(POOL_TIMEOUT_S):
            await self._turns.acquire()
        try:
            async with self.engine.connect() as tx:
                yield tx
                await tx.commit()
        finally:
            self._turns.release()

    async def ping(self) -> None:
        """Raise unless Postgres answers within two seconds."""
        async with asyncio.timeout(PING_TIMEOUT_S), self.engine.connect() as connection:
            await connection.execute(sa.text("SELECT 1"))

    async def close(self) -> None:
        """Close every connection; give up on a server that does not answer."""
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self.engine.dispose()
        except TimeoutError:
            # The sockets die with the process; a hung server must not keep it alive.
            return


def open_database(
    url: str, *, application_name: str, pool_size: int = 10, statement_timeout_ms: int = 5_000
) -> Database:
    """Make the engine; no connection is opened yet.

    The timeouts are the server's: they end the transaction of a process that was frozen, so that
    its successor can go on. A timeout of the client could not, since the client is frozen too.
    """
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
        # An error's text goes to logs; the values of its statement must not.
        hide_parameters=True,
        connect_args={
            "timeout": CONNECT_TIMEOUT_S,
            "server_settings": {
                "application_name": application_name,
                "jit": "off",
                "lock_timeout": str(LOCK_TIMEOUT_MS),
                "statement_timeout": str(statement_timeout_ms),
                "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
            },
        },
    )
    event.listen(engine.sync_engine, "checkout", _refuse_if_cut)
    return Database(engine, pool_size)


def _refuse_if_cut(connection: DBAPIConnection, *_: object) -> None:
    """Let the pool replace a connection that the server has closed (by a restart, say).

    The driver notices by itself, so this costs nothing; ``pool_pre_ping`` makes three journeys to
    the server for each transaction. Who is cut off at just that moment gets a transient error.
    """
    if cast("asyncpg.Connection", connection.driver_connection).is_closed():
        raise DisconnectionError
