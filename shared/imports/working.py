"""The job that applies what is staged, a chunk in each transaction."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from shared import log
from shared.db import Tx, run_unit
from shared.db.retry import is_data_error
from shared.errors import Malformed, PerennialError, Unavailable
from shared.imports import problems, store
from shared.imports.kinds import Kind, Outcome
from shared.imports.problems import RowProblem
from shared.imports.store import Run
from shared.service import Context, Job

EVERY_S = 0.5
TURN_S = 5.0
"""Longest turn of the job: a process that is asked to end waits for it."""
CHUNK_ROWS = 500
PURGE_ROWS = 5_000
SILENT_MAX = timedelta(minutes=15)
"""An upload of which nothing came for so long has broken off."""
KEPT = timedelta(days=90)
"""How long the report of an import can be read."""

logger = log.get_logger(__name__)


def job(kinds: Callable[[], Sequence[Kind]]) -> Job:
    """Return the job that works through the imports of ``kinds``, oldest first.

    ``kinds`` is called once there is something to import: it may import what nothing else needs.
    """

    async def run(context: Context) -> None:
        await _tidy(context)
        async with context.db.transaction() as tx:
            waiting = await store.any_open(tx)
        if waiting:
            await work(context, {kind.name: kind for kind in kinds()}, for_s=TURN_S)

    return Job("imports", every_s=EVERY_S, run=run)


async def work(context: Context, kinds: Mapping[str, Kind], *, for_s: float) -> None:
    """Apply staged rows until there are none, or for about ``for_s`` seconds.

    A chunk that fails for a reason of its data is done again in parts, until the row that is to
    blame stands alone and is set aside with its problem.
    """
    size = CHUNK_ROWS
    ends_at = time.monotonic() + for_s
    while time.monotonic() < ends_at:
        chunk = _Chunk(context, kinds, size)
        try:
            if not await run_unit(context.db, chunk.apply):
                return
        except Unavailable:
            raise
        except Exception as error:
            if size > 1:
                size = max(1, size // 8)
                continue
            logger.warning("import_row_failed", error=type(error).__name__, exc_info=True)
            blame = _blame(error)
            await run_unit(context.db, lambda tx: chunk.set_aside(tx, blame))  # noqa: B023  awaited here
        size = min(CHUNK_ROWS, size * 2)


class _Chunk:
    """The next rows of the oldest run that has any."""

    def __init__(self, context: Context, kinds: Mapping[str, Kind], size: int) -> None:
        self._context = context
        self._kinds = kinds
        self._size = size
        self._tried: tuple[UUID, int] | None = None
        """The first row of the last attempt."""

    async def apply(self, tx: Tx) -> bool:
        """Apply the rows and settle them; return whether there was anything to do."""
        run = await store.lock_next(tx, self._kinds)
        if run is None:
            return False
        rows = await store.list_rows(tx, run, limit=self._size)
        self._tried = (run.import_id, rows[0][0]) if rows else None
        outcomes: Sequence[Outcome] = ()
        if rows:
            outcomes = await self._outcomes(tx, run, [body for _, body in rows])
        await self._settle(tx, run, [row_no for row_no, _ in rows], outcomes)
        return True

    async def set_aside(self, tx: Tx, blame: PerennialError) -> None:
        """Settle the one row that can not be applied, unless its import was ended meanwhile."""
        run = await store.lock_next(tx, self._kinds)
        rows = await store.list_rows(tx, run, limit=1) if run else []
        if run is not None and rows and (run.import_id, rows[0][0]) == self._tried:
            await self._settle(tx, run, [rows[0][0]], [blame])

    async def _outcomes(self, tx: Tx, run: Run, bodies: Sequence[bytes]) -> Sequence[Outcome]:
        kind = self._kinds[run.kind]
        rows = [kind.row.model_validate_json(body) for body in bodies]
        if not run.dry_run:
            return await kind.apply(tx, rows, self._context)
        # The rehearsal is the performance, up to its end: so it can not say anything else.
        savepoint = await tx.begin_nested()
        try:
            return await kind.apply(tx, rows, self._context)
        finally:
            await savepoint.rollback()

    async def _settle(
        self, tx: Tx, run: Run, row_nos: Sequence[int], outcomes: Sequence[Outcome]
    ) -> None:
        now = self._context.clock.now()
        wrong: list[RowProblem] = []
        for row_no, outcome in zip(row_nos, outcomes, strict=True):
            if isinstance(outcome, PerennialError):
                wrong += problems.of_error(row_no, outcome)
        refused = len(outcomes) - outcomes.count("applied") - outcomes.count("unchanged")
        kept = await store.append_problems(tx, run.import_id, wrong, kept=run.problems)
        through = row_nos[-1] if row_nos else run.through_row
        await store.delete_rows(tx, run, through=through)
        ended = len(row_nos) < self._size
        await store.update_run(
            tx,
            run.import_id,
            state="done" if ended else "applying",
            touched_at=now,
            ended_at=now if ended else None,
            through_row=through,
            rows_invalid=run.rows_invalid + refused,
            rows_applied=run.rows_applied + outcomes.count("applied"),
            rows_unchanged=run.rows_unchanged + outcomes.count("unchanged"),
            problems=kept,
        )


def _blame(error: Exception) -> PerennialError:
    if isinstance(error, PerennialError):
        return error
    if is_data_error(error):
        return Malformed("unstorable", "A value of this row can not be stored.")
    return Malformed("internal_error", "This row met a fault of ours, which has been logged.")


async def _tidy(context: Context) -> None:
    now = context.clock.now()

    async def unit(tx: Tx) -> None:
        await store.close_abandoned(tx, silent_since=now - SILENT_MAX, at=now)
        await store.purge_runs(tx, ended_before=now - KEPT, limit=100)
        await store.purge_rows(tx, limit=PURGE_ROWS)

    await run_unit(context.db, unit)
