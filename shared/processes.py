"""The processes a service runs as: api, consumer, relay, jobs, or all in one."""

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from typing import Any

from shared import auth, jobs, log, telemetry
from shared.db import open_database
from shared.errors import Unavailable
from shared.http import health, server
from shared.kafka import relay
from shared.kafka.consumer import Consumer, HandlerBug
from shared.kafka.offsets import Stopped
from shared.kafka.watchdog import Stalled
from shared.service import Context, Service

EXIT_BUG = 70
EXIT_UNAVAILABLE = 75
EXIT_STOPPED = 78
GC_THRESHOLD = 200_000
BATCH_STATEMENT_TIMEOUT_MS = 15_000
"""A batch may take longer than a request."""

logger = log.get_logger(__name__)

Process = Callable[[Service, Context, asyncio.Event], Coroutine[Any, Any, None]]


async def open_context(service: Service, process: str, stack: AsyncExitStack) -> Context:
    """Open settings, database and the service's own resources; they close in reverse."""
    settings = service.settings()
    timeout_ms = settings.db_statement_timeout_ms
    db = open_database(
        settings.database_url,
        application_name=f"{service.name}-{process}",
        pool_size=settings.db_pool_size,
        statement_timeout_ms=(
            timeout_ms if process == "api" else max(timeout_ms, BATCH_STATEMENT_TIMEOUT_MS)
        ),
    )
    stack.push_async_callback(db.close)
    return await service.open_context(settings, db, stack)


async def _api(service: Service, context: Context, stop: asyncio.Event) -> None:
    from shared.http import app as http_app  # noqa: PLC0415  the only process that needs it

    settings = context.settings
    api = http_app.create_api(service, context)
    telling = asyncio.create_task(
        auth.keep_telling(api.state.keyring.notes, service.name, context, stop)
    )
    telling.add_done_callback(lambda _: stop.set())
    try:
        await server.serve(api, settings.host, settings.port, stop=stop)
    finally:
        stop.set()
        await telling


async def _consumer(service: Service, context: Context, stop: asyncio.Event) -> None:
    consumer = Consumer(service, context)
    await _with_health(context, lambda: consumer.ready, consumer.run(stop), stop)


async def _relay(service: Service, context: Context, stop: asyncio.Event) -> None:
    publisher = relay.Relay(service, context)
    await _with_health(context, lambda: publisher.ready, publisher.run(stop), stop)


async def _jobs(service: Service, context: Context, stop: asyncio.Event) -> None:
    await _with_health(context, lambda: True, jobs.run_all(service, context, stop), stop)


async def _with_health(
    context: Context, ready: Callable[[], bool], work: Awaitable[None], stop: asyncio.Event
) -> None:
    """Run ``work`` beside the health port, if that is switched on."""
    settings = context.settings
    if not settings.health_port:
        await work
        return
    app = health.alone(context.db, ready)
    serving = asyncio.create_task(server.serve(app, settings.host, settings.health_port, stop=stop))
    # A port that is taken ends the process: unseen, nobody would know whether it works.
    serving.add_done_callback(lambda _: stop.set())
    try:
        await work
    finally:
        stop.set()
        await serving


async def _all(service: Service, context: Context, stop: asyncio.Event) -> None:
    """Everything in one process, for small installs; the first error ends it."""
    parts = [_api, _relay_alone, _jobs_alone]
    if service.handlers:
        parts.append(_consumer_alone)
    tasks = [asyncio.create_task(part(service, context, stop)) for part in parts]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


async def _consumer_alone(service: Service, context: Context, stop: asyncio.Event) -> None:
    await Consumer(service, context).run(stop)


async def _relay_alone(service: Service, context: Context, stop: asyncio.Event) -> None:
    await relay.Relay(service, context).run(stop)


async def _jobs_alone(service: Service, context: Context, stop: asyncio.Event) -> None:
    await jobs.run_all(service, context, stop)


PROCESSES: Mapping[str, tuple[Process, str]] = {
    "api": (_api, "Answer HTTP requests."),
    "consumer": (_consumer, "Consume events and apply them."),
    "relay": (_relay, "Publish the outbox."),
    "jobs": (_jobs, "Do the timed work."),
    "all": (_all, "Run api, consumer, relay and jobs in one process."),
}


def tune_garbage_collection() -> None:
    """Leave what lives for ever out of collections, and collect less often.

    Parsing a batch makes thousands of objects that reference counting frees by itself; the default
    threshold of 700 looks for cycles among them several times a batch and finds none. This one is
    above what all batches at work keep alive together.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 50)


async def run_process(service: Service, name: str) -> int:
    """Run one process until SIGTERM or SIGINT; return its exit code.

    0 asked to stop · 70 a bug, restart me · 75 something is away, restart me · 78 stopped on
    purpose: a person has to look first.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    telemetry.configure(service.name, name)
    try:
        async with AsyncExitStack() as stack:
            context = await open_context(service, name, stack)
            tune_garbage_collection()
            logger.info("started")
            await PROCESSES[name][0](service, context, stop)
    except Stopped as error:
        logger.critical("stopped", detail=str(error))
        return EXIT_STOPPED
    except (HandlerBug, Stalled):
        logger.exception("exits_to_be_restarted")
        return EXIT_BUG
    except Unavailable as error:
        # Known and named, so the sentence says more than a traceback.
        logger.error("unavailable", code=error.code, detail=error.detail)  # noqa: TRY400
        return EXIT_UNAVAILABLE
    except Exception:
        logger.exception("exits_by_a_bug")
        return EXIT_BUG
    logger.info("ended")
    return 0
