"""Which database errors pass by themselves, and repeating a whole unit of work on them."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shared.db.engine import Database, Tx
from shared.errors import Unavailable

T = TypeVar("T")

ATTEMPTS = 4
FIRST_PAUSE_S = 0.05

_TRANSIENT = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    # DDL of another process; SQLAlchemy clears its cache but cannot repeat the statement.
    asyncpg.InvalidCachedStatementError,
    asyncpg.PostgresConnectionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.IdleSessionTimeoutError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InterfaceError,
    OSError,  # refused and reset connections, time-outs, names that do not resolve
    PoolTimeoutError,
    Unavailable,  # a store that lost a race says so itself
)

_OF_FILES = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError)
"""OSErrors that no waiting mends."""

_UNSUITABLE = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
)


def _causes(error: BaseException) -> list[BaseException]:
    """Return the error and what it wraps: SQLAlchemy's, its driver's, and asyncpg's own."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        current = getattr(current, "orig", None) or current.__cause__
    return chain


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed later: server away, deadlock, timeout, lost race."""
    return any(
        (isinstance(cause, _TRANSIENT) and not isinstance(cause, _OF_FILES))
        or (isinstance(cause, DBAPIError) and cause.connection_invalidated)
        or _was_hung_up(cause)
        for cause in _causes(error)
    )


def _was_hung_up(error: BaseException) -> bool:
    """Whether the server has ended a connection that the driver has not yet seen closed.

    It says so in no other way; what else it calls an internal error would be one again.
    """
    return isinstance(error, asyncpg.InternalClientError) and "cannot switch to state" in str(error)


def is_data_error(error: BaseException) -> bool:
    """Whether Postgres refused the values themselves: the same row would be refused again."""
    return not is_transient(error) and any(
        isinstance(cause, _UNSUITABLE) for cause in _causes(error)
    )


async def run_unit(
    db: Database, unit: Callable[[Tx], Awaitable[T]], *, attempts: int = ATTEMPTS
) -> T:
    """Run ``unit`` in a transaction of its own, and all of it again on a transient error.

    ``unit`` may run several times and must keep its effects inside ``tx``. A lost connection
    leaves open whether the commit happened, so ``unit`` must be idempotent as well.
    Raises ``Unavailable`` when the last attempt fails.
    """
    for attempt in range(1, attempts + 1):
        try:
            async with db.transaction() as tx:
                return await unit(tx)
        except Exception as error:
            if not is_transient(error):
                raise
            if attempt == attempts:
                if isinstance(error, Unavailable):
                    raise  # it has said why
                code, detail = "database_unavailable", "The database does not answer; try again."
                raise Unavailable(code, detail) from error
        # Full jitter keeps colliding workers from colliding again.
        await asyncio.sleep(random.uniform(0, FIRST_PAUSE_S * 2**attempt))  # noqa: S311
    raise AssertionError
