"""Timed work: each job runs in one process at a time, under an advisory lock of its name."""

import asyncio
import random
import zlib
from time import perf_counter

import sqlalchemy as sa

from shared import log, metrics
from shared.db.housekeeping import PURGE
from shared.db.retry import is_transient
from shared.errors import Unavailable
from shared.service import Context, Job, Service

JOB_LOCKS = 0x6A6F6273
LONGEST_FIRST_WAIT_S = 5.0

logger = log.get_logger(__name__)


async def run_once(service: Service, job: Job, context: Context) -> bool:
    """Run ``job`` now unless another process is at it; return whether it ran.

    The lock is the session's, so that the job may use as many transactions as it likes; if this
    process dies, Postgres frees it.
    """
    name = zlib.crc32(f"{service.name}:{job.name}".encode()) - 2**31
    async with context.db.engine.connect() as raw:
        connection = await raw.execution_options(isolation_level="AUTOCOMMIT")
        lock = sa.func.pg_try_advisory_lock(sa.cast(JOB_LOCKS, sa.Integer), name)
        if not await connection.scalar(sa.select(lock)):
            return False
        started = perf_counter()
        try:
            await job.run(context)
            await connection.execute(
                sa.select(sa.func.pg_advisory_unlock(sa.cast(JOB_LOCKS, sa.Integer), name))
            )
        except BaseException:
            # Closing the session frees the lock, whatever state the connection is in.
            await connection.invalidate()
            raise
        finally:
            metrics.job_seconds.labels(service.name, job.name).observe(perf_counter() - started)
    return True


async def run_all(service: Service, context: Context, stop: asyncio.Event) -> None:
    """Run every job at its interval until ``stop``; a failed run is logged and tried again.

    Purging what is past its retention is a job of every service.
    """
    async with asyncio.TaskGroup() as group:
        for job in (*service.jobs, PURGE):
            group.create_task(_repeat(service, job, context, stop))


async def _repeat(service: Service, job: Job, context: Context, stop: asyncio.Event) -> None:
    # Processes that start together must not run together for ever.
    wait_s = random.uniform(0, min(job.every_s, LONGEST_FIRST_WAIT_S))  # noqa: S311
    while True:
        try:
            async with asyncio.timeout(wait_s):
                await stop.wait()
                return
        except TimeoutError:
            pass
        try:
            await run_once(service, job, context)
        except Exception as error:
            metrics.job_failures_total.labels(service.name, job.name).inc()
            if not isinstance(error, Unavailable) and not is_transient(error):
                raise
            logger.warning("job_waits", job=job.name, error=repr(error))
        wait_s = job.every_s
