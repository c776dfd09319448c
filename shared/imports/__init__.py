"""Files that an operator brings from elsewhere: staged as they arrive, applied by a job.

An upload is read as a stream, checked row by row and staged in the service's own Postgres. A job
then takes the staged rows in order, a chunk in each transaction: the chunk's effect, its problems
and its progress commit together, and its rows are deleted with them. So a process may die
anywhere, and the next one goes on exactly there. A dry run goes the same way, except that each
chunk's effect is rolled back before the report is written.

A service says what it imports by a ``Kind`` each, and includes ``routes`` and ``job``.
"""

from typing import TYPE_CHECKING

from shared.imports.kinds import Kind, Outcome
from shared.imports.working import job

if TYPE_CHECKING:
    from shared.imports.api import BYTES_MAX, path, routes

__all__ = ["BYTES_MAX", "Kind", "Outcome", "job", "path", "routes"]


def __getattr__(name: str) -> object:
    """Import the routes when they are first asked for: the job needs no FastAPI."""
    if name not in {"BYTES_MAX", "path", "routes"}:
        raise AttributeError(name)
    from shared.imports import api  # noqa: PLC0415

    return getattr(api, name)
