"""Queries of imports."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shared.db import Tx, bulk
from shared.imports.problems import RowProblem
from shared.imports.tables import import_problem, import_row, import_run

PROBLEMS_MAX = 10_000
"""Most problems kept of one file; what is beyond is counted as invalid rows alone."""
OPEN = ("waiting", "applying")


@dataclass(frozen=True, slots=True)
class Run:
    """One uploaded file and how far it has come; the fields are the columns, in order."""

    import_id: UUID
    kind: str
    dry_run: bool
    state: str
    created_by: str
    created_at: datetime
    touched_at: datetime
    ended_at: datetime | None
    through_row: int
    bytes_read: int
    rows_read: int
    rows_invalid: int
    rows_applied: int
    rows_unchanged: int
    problems: int


async def insert_run(tx: Tx, run: Run) -> None:
    """Begin a run; the same one again changes nothing."""
    values = {name: getattr(run, name) for name in run.__slots__}
    await tx.execute(insert(import_run).values(values).on_conflict_do_nothing())


async def load_run(tx: Tx, import_id: UUID) -> Run | None:
    """Return a run."""
    row = (
        await tx.execute(sa.select(import_run).where(import_run.c.import_id == import_id))
    ).one_or_none()
    return Run(*row) if row else None


async def lock_run(tx: Tx, import_id: UUID) -> Run | None:
    """Return a run, locked for change."""
    row = (
        await tx.execute(
            sa.select(import_run).where(import_run.c.import_id == import_id).with_for_update()
        )
    ).one_or_none()
    return Run(*row) if row else None


async def any_open(tx: Tx) -> bool:
    """Whether a run has work left; locks nothing."""
    waiting = import_run.c.ended_at.is_(None) & import_run.c.state.in_(OPEN)
    return bool(await tx.scalar(sa.select(sa.exists().where(waiting))))


async def lock_next(tx: Tx, kinds: Collection[str]) -> Run | None:
    """Return the oldest run that has work left, locked for change."""
    row = (
        await tx.execute(
            sa.select(import_run)
            .where(
                import_run.c.ended_at.is_(None),
                import_run.c.state.in_(OPEN),
                import_run.c.kind.in_(kinds),
            )
            .order_by(import_run.c.created_at, import_run.c.import_id)
            .limit(1)
            .with_for_update()
        )
    ).one_or_none()
    return Run(*row) if row else None


async def list_runs(tx: Tx, *, before: UUID | None, limit: int) -> list[Run]:
    """Return runs, newest first; their ids are ordered by time."""
    query = sa.select(import_run).order_by(import_run.c.import_id.desc()).limit(limit)
    if before is not None:
        query = query.where(import_run.c.import_id < before)
    return [Run(*row) for row in await tx.execute(query)]


async def update_run(tx: Tx, import_id: UUID, **changes: Any) -> None:  # noqa: ANN401  of columns
    """Set columns of a run."""
    await tx.execute(import_run.update().values(changes).where(import_run.c.import_id == import_id))


async def append_rows(tx: Tx, import_id: UUID, rows: Sequence[tuple[int, bytes]]) -> None:
    """Stage ``(row_no, body)``; those that are staged already stay as they are."""
    new = bulk.unnest(
        "new",
        {
            "row_no": (sa.BigInteger(), [row_no for row_no, _ in rows]),
            "body": (sa.LargeBinary(), [body for _, body in rows]),
        },
    )
    statement = insert(import_row).from_select(
        ["import_id", "row_no", "body"],
        sa.select(sa.literal(import_id, sa.Uuid), new.c.row_no, new.c.body),
    )
    await tx.execute(statement.on_conflict_do_nothing())


async def list_rows(tx: Tx, run: Run, *, limit: int) -> list[tuple[int, bytes]]:
    """Return the next rows to apply, in the order of the file."""
    rows = await tx.execute(
        sa.select(import_row.c.row_no, import_row.c.body)
        # The bound spares a walk over all that was deleted and is not vacuumed yet.
        .where(import_row.c.import_id == run.import_id, import_row.c.row_no > run.through_row)
        .order_by(import_row.c.row_no)
        .limit(limit)
    )
    return [(row.row_no, row.body) for row in rows]


async def delete_rows(tx: Tx, run: Run, *, through: int) -> None:
    """Delete staged rows up to ``through``, which are done."""
    await tx.execute(
        import_row.delete().where(
            import_row.c.import_id == run.import_id,
            import_row.c.row_no > run.through_row,
            import_row.c.row_no <= through,
        )
    )


async def append_problems(
    tx: Tx, import_id: UUID, problems: Sequence[RowProblem], *, kept: int
) -> int:
    """Keep problems while there is room beside the ``kept``; return how many are kept then."""
    fitting = problems[: max(0, PROBLEMS_MAX - kept)]
    if not fitting:
        return kept
    new = bulk.unnest(
        "new",
        {
            "row_no": (sa.BigInteger(), [one.row_no for one in fitting]),
            "ordinal": (sa.Integer(), [one.ordinal for one in fitting]),
            "field": (sa.Text(), [one.field for one in fitting]),
            "code": (sa.Text(), [one.code for one in fitting]),
            "message": (sa.Text(), [one.message for one in fitting]),
        },
    )
    names = ["import_id", *(column.name for column in new.c)]
    source = sa.select(sa.literal(import_id, sa.Uuid), *new.c)
    statement = insert(import_problem).from_select(names, source)
    await tx.execute(statement.on_conflict_do_nothing())
    return kept + len(fitting)


async def list_problems(
    tx: Tx, import_id: UUID, *, after: tuple[int, int] = (0, -1), limit: int
) -> list[RowProblem]:
    """Return problems in the order of the file, from behind ``after`` (row_no, ordinal)."""
    place = sa.tuple_(import_problem.c.row_no, import_problem.c.ordinal)
    rows = await tx.execute(
        sa.select(
            import_problem.c.row_no,
            import_problem.c.ordinal,
            import_problem.c.field,
            import_problem.c.code,
            import_problem.c.message,
        )
        .where(import_problem.c.import_id == import_id, place > sa.tuple_(*after))
        .order_by(import_problem.c.row_no, import_problem.c.ordinal)
        .limit(limit)
    )
    return [RowProblem(*row) for row in rows]


async def close_abandoned(tx: Tx, *, silent_since: datetime, at: datetime) -> None:
    """Give up uploads of which nothing has come since ``silent_since``."""
    await tx.execute(
        import_run.update()
        .values(state="incomplete", ended_at=at)
        .where(import_run.c.state == "receiving", import_run.c.touched_at < silent_since)
    )


async def purge_rows(tx: Tx, *, limit: int) -> None:
    """Delete staged rows of a run that ended without applying them."""
    left = sa.exists().where(import_row.c.import_id == import_run.c.import_id)
    import_id: UUID | None = await tx.scalar(
        sa.select(import_run.c.import_id)
        .where(import_run.c.state.in_(("cancelled", "incomplete")), left)
        .limit(1)
    )
    if import_id is None:
        return
    stale = sa.select(import_row.c.row_no).where(import_row.c.import_id == import_id).limit(limit)
    await tx.execute(
        import_row.delete().where(
            import_row.c.import_id == import_id, import_row.c.row_no.in_(stale)
        )
    )


async def purge_runs(tx: Tx, *, ended_before: datetime, limit: int) -> None:
    """Forget runs and their problems that ended long ago, once their rows are gone."""
    old = (
        sa.select(import_run.c.import_id)
        .where(
            import_run.c.ended_at < ended_before,
            ~sa.exists().where(import_row.c.import_id == import_run.c.import_id),
        )
        .limit(limit)
    )
    await tx.execute(import_run.delete().where(import_run.c.import_id.in_(old)))
