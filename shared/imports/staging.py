"""Take an upload in: read it as it comes, check each row, stage what is good."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import UUID

from pydantic import ValidationError

from shared import ids
from shared.db import Tx, run_unit
from shared.errors import Malformed, Refused
from shared.imports import problems, reading, store
from shared.imports.kinds import Kind
from shared.imports.problems import RowProblem
from shared.imports.store import Run
from shared.service import Context

ROWS_MAX = 2_000_000
"""Of one file."""
CHUNK_ROWS = 1_000
CHUNK_BYTES = 1024 * 1024
"""A transaction stages at most so much: what of a file is in memory at once."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for, and by whom (the id of their key)."""

    dry_run: bool
    created_by: str
    media_type: str


async def receive(
    context: Context, kind: Kind, stream: AsyncIterator[bytes], request: Request
) -> Run:
    """Stage an upload and return its run, which waits for the job.

    Raises ``Malformed`` where the file as a whole can not be read: nothing of it is applied then,
    nor where the upload breaks off.
    """
    upload = _Upload(context, kind, ids.new_id())
    await upload.begin(request)
    try:
        async for row in reading.rows(kind, upload.counted(stream), request.media_type):
            await upload.take(row)
        return await upload.end()
    except Exception:
        # If even this can not be written, the job gives the upload up once it is silent.
        with contextlib.suppress(Exception):
            await upload.give_up()
        raise


@dataclass(slots=True)
class _Upload:
    """What of a file is read and not yet staged, and the sums so far."""

    context: Context
    kind: Kind
    import_id: UUID
    rows: list[tuple[int, bytes]] = field(default_factory=list[tuple[int, bytes]])
    found: list[RowProblem] = field(default_factory=list[RowProblem])
    size: int = 0
    kept: int = 0
    bytes_read: int = 0
    rows_read: int = 0
    rows_invalid: int = 0

    async def begin(self, request: Request) -> None:
        now = self.context.clock.now()
        run = Run(
            import_id=self.import_id,
            kind=self.kind.name,
            dry_run=request.dry_run,
            state="receiving",
            created_by=request.created_by,
            created_at=now,
            touched_at=now,
            ended_at=None,
            through_row=0,
            bytes_read=0,
            rows_read=0,
            rows_invalid=0,
            rows_applied=0,
            rows_unchanged=0,
            problems=0,
        )
        await run_unit(self.context.db, lambda tx: store.insert_run(tx, run))

    async def counted(self, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for part in stream:
            self.bytes_read += len(part)
            yield part

    async def take(self, row: reading.Row) -> None:
        """Check one row; ``row.body`` has passed when it is staged, and is kept as it was sent."""
        self.rows_read += 1
        if self.rows_read > ROWS_MAX:
            raise Malformed("import_format", f"A file has at most {ROWS_MAX} rows; divide it.")
        wrong = self._wrong(row)
        if wrong:
            self.rows_invalid += 1
            if self.kept + len(self.found) < store.PROBLEMS_MAX:
                self.found += wrong
        else:
            self.rows.append((row.row_no, row.body))
            self.size += len(row.body)
        if len(self.rows) >= CHUNK_ROWS or self.size >= CHUNK_BYTES:
            await self._flush("receiving")

    def _wrong(self, row: reading.Row) -> list[RowProblem]:
        if row.malformed is not None:
            return problems.of_error(row.row_no, row.malformed)
        try:
            self.kind.row.model_validate_json(row.body)
        except ValidationError as error:
            return problems.of_validation(row.row_no, error)
        return []

    async def end(self) -> Run:
        await self._flush("waiting")
        async with self.context.db.transaction() as tx:
            run = await store.load_run(tx, self.import_id)
        assert run is not None  # begin wrote it
        return run

    async def give_up(self) -> None:
        async def unit(tx: Tx) -> None:
            run = await store.lock_run(tx, self.import_id)
            if run is not None and run.state == "receiving":
                ended_at = self.context.clock.now()
                await store.update_run(tx, run.import_id, state="incomplete", ended_at=ended_at)

        await run_unit(self.context.db, unit)

    async def _flush(self, state: str) -> None:
        async def unit(tx: Tx) -> int:
            run = await store.lock_run(tx, self.import_id)
            if run is None or run.state in {"cancelled", "incomplete"}:
                detail = "The import was ended before its upload was."
                raise Refused("import_ended", detail, status=409)
            if run.state != "receiving":
                return run.problems  # The last commit's answer was lost; the job is at work.
            if self.rows:
                await store.append_rows(tx, self.import_id, self.rows)
            kept = await store.append_problems(tx, self.import_id, self.found, kept=self.kept)
            # The sums are set, not added: this may run again as well.
            await store.update_run(
                tx,
                self.import_id,
                state=state,
                touched_at=self.context.clock.now(),
                bytes_read=self.bytes_read,
                rows_read=self.rows_read,
                rows_invalid=self.rows_invalid,
                problems=kept,
            )
            return kept

        self.kept = await run_unit(self.context.db, unit)
        self.rows, self.found, self.size = [], [], 0
