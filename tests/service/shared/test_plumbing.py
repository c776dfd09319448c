"""Units of work, timed jobs and housekeeping, on real Postgres."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from shared import jobs
from shared.clock import FixedClock
from shared.db import Database, Tx, bulk, housekeeping, run_unit
from shared.db.plumbing import idempotency, inbox, outbox
from shared.db.retry import is_data_error, is_transient
from shared.errors import Unavailable
from shared.service import Context, Job
from tests.service.shared import guestbook

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def context(db: Database) -> Context:
    return replace(guestbook.context(db), clock=FixedClock(NOW))


async def rows(db: Database, table: sa.Table) -> int:
    async with db.transaction() as tx:
        return await tx.scalar(sa.select(sa.func.count()).select_from(table)) or 0


async def take_in(tx: Tx, **values: object) -> None:
    await tx.execute(inbox.insert().values(event_id=uuid4(), **values))


async def test_a_unit_that_meets_a_deadlock_is_done_again_as_a_whole(db: Database) -> None:
    ids = [uuid4(), uuid4()]
    async with db.transaction() as tx:
        await tx.execute(inbox.insert(), [{"event_id": one} for one in ids])
    both_hold_one = asyncio.Barrier(2)
    attempts = 0

    async def touch(order: list[UUID]) -> None:
        first = True

        async def unit(tx: Tx) -> None:
            nonlocal attempts, first
            attempts += 1
            await tx.execute(
                inbox.update().where(inbox.c.event_id == order[0]).values(state="parked")
            )
            if first:
                first = False
                await both_hold_one.wait()
            await tx.execute(
                inbox.update().where(inbox.c.event_id == order[1]).values(state="parked")
            )

        await run_unit(db, unit)

    await asyncio.gather(touch(ids), touch(ids[::-1]))
    assert attempts > 2


async def test_a_connection_that_the_server_cut_is_replaced_before_it_is_used(db: Database) -> None:
    async with db.transaction() as one, db.transaction() as other:
        connections = [await bulk.driver(tx) for tx in (one, other)]
        pids = [await tx.scalar(sa.text("SELECT pg_backend_pid()")) for tx in (one, other)]
    killer = await asyncpg.connect(
        db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    )
    await killer.fetch("SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid", pids)
    await killer.close()
    for cut in connections:
        async with asyncio.timeout(5):
            while not cut.is_closed():
                await asyncio.sleep(0)
    async with db.transaction() as one, db.transaction() as other:
        assert [await tx.scalar(sa.select(1)) for tx in (one, other)] == [1, 1]


async def test_a_database_that_stays_away_is_unavailable(db: Database) -> None:
    attempts = 0

    async def unit(tx: Tx) -> None:
        nonlocal attempts
        attempts += 1
        await tx.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(Unavailable):
        await run_unit(db, unit, attempts=3)
    assert attempts == 3


async def test_refused_values_are_the_datas_fault_and_not_tried_again(db: Database) -> None:
    attempts = 0

    async def unit(tx: Tx) -> None:
        nonlocal attempts
        attempts += 1
        await take_in(tx, state="nonsense")

    with pytest.raises(IntegrityError) as refused:
        await run_unit(db, unit)
    assert attempts == 1
    assert is_data_error(refused.value)
    assert not is_transient(refused.value)


async def test_a_failed_copy_leaves_nothing_and_a_good_one_commits_with_the_block(
    db: Database,
) -> None:
    one = uuid4()

    async def twice() -> None:
        async with db.transaction() as tx:
            # The first statement of a transaction: it must begin one, not commit by itself.
            await bulk.copy_rows(tx, inbox, ["event_id"], [(one,)])
            await bulk.copy_rows(tx, inbox, ["event_id"], [(one,)])

    with pytest.raises(asyncpg.UniqueViolationError):
        await twice()
    assert await rows(db, inbox) == 0
    async with db.transaction() as tx:
        await bulk.copy_rows(tx, inbox, ["event_id"], [(one,), (uuid4(),)])
    assert await rows(db, inbox) == 2


TAKEN_IN = bulk.Rows("new", {"event_id": sa.Uuid(), "state": sa.Text()})
TAKE_IN = inbox.insert().from_select(["event_id", "state"], sa.select(TAKEN_IN.source))


async def test_a_statement_that_is_built_once_takes_any_number_of_rows(db: Database) -> None:
    for count in (1, 3, 0):
        columns = {"event_id": [uuid4() for _ in range(count)], "state": ["applied"] * count}
        async with db.transaction() as tx:
            await tx.execute(TAKE_IN, TAKEN_IN.values(columns))
    assert await rows(db, inbox) == 4


@pytest.mark.parametrize("columns", [{"event_id": []}, {"event_id": [uuid4()], "state": []}])
def test_rows_whose_columns_do_not_match_are_refused(columns: dict[str, list[UUID]]) -> None:
    with pytest.raises(ValueError, match="columns of new"):
        TAKEN_IN.values(columns)


def test_a_missing_file_is_not_waited_for() -> None:
    assert is_transient(ConnectionRefusedError())
    assert not is_transient(FileNotFoundError())


def test_a_connection_that_the_server_has_just_ended_is_worth_another_try() -> None:
    heard = asyncpg.InternalClientError(
        "cannot switch to state 15; another operation (2) is in progress"
    )

    assert is_transient(heard)
    assert not is_transient(asyncpg.InternalClientError("unexpected number of attributes"))


async def test_a_job_runs_in_one_place_at_a_time_and_again_after_a_failure(
    context: Context,
) -> None:
    inside, leave = asyncio.Event(), asyncio.Event()
    runs = 0

    async def work(_: Context) -> None:
        nonlocal runs
        runs += 1
        inside.set()
        await leave.wait()
        if runs == 1:
            raise Unavailable("away", "not now")

    job = Job("slow", every_s=1, run=work)
    first = asyncio.ensure_future(jobs.run_once(guestbook.service(), job, context))
    await inside.wait()
    assert await jobs.run_once(guestbook.service(), job, context) is False
    leave.set()
    with pytest.raises(Unavailable):
        await first
    assert await jobs.run_once(guestbook.service(), job, context) is True
    assert runs == 2


async def test_housekeeping_forgets_what_is_past_its_time_and_nothing_else(
    db: Database, context: Context
) -> None:
    old, young = NOW - timedelta(days=60), NOW - timedelta(days=1)
    async with db.transaction() as tx:
        await take_in(tx, received_at=old)
        await take_in(tx, received_at=old, state="parked")
        await take_in(tx, received_at=young)
        for published_at in (old, young, None):
            await tx.execute(
                outbox.insert().values(topic="t", created_at=old, published_at=published_at)
            )
        for key, at in (("old", old), ("young", young)):
            await tx.execute(
                idempotency.insert().values(
                    scope="s", key=key, body_sha256=b"", state="done", created_at=at
                )
            )
    assert await housekeeping.purge(context) == 3
    assert [await rows(db, table) for table in (inbox, outbox, idempotency)] == [2, 2, 1]
    assert await housekeeping.purge(context) == 0


async def test_the_jobs_of_a_service_that_names_none_keep_house(
    db: Database, context: Context
) -> None:
    async with db.transaction() as tx:
        await take_in(tx, received_at=NOW - timedelta(days=60))
    stop = asyncio.Event()
    running = asyncio.create_task(jobs.run_all(guestbook.service(), context, stop))
    async with asyncio.timeout(20):
        while await rows(db, inbox):
            await asyncio.sleep(0.05)
    stop.set()
    await running
