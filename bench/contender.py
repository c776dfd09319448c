"""One contender in a process of its own: ``python -m bench.contender NAME`` prints JSON.

``ours`` is loyalty's consumer as it ships; ``peer`` and ``limit`` are in their own files. All read
the same records of the same topic into a fresh database. The clock starts when the process is
ready to consume and ends when the last event is committed.
"""

import asyncio
import json
import resource
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from time import perf_counter, process_time

import uvloop

from bench import limit, peer
from shared import log, service
from shared.contracts.topics import TOPICS
from shared.kafka.consumer import Consumer
from shared.processes import open_context

POLL_S = 0.02


@dataclass(frozen=True)
class Measured:
    """What one contender did."""

    events: int
    seconds: float
    cpu_seconds: float
    rss_mb: float

    @property
    def per_second(self) -> float:
        """Events committed in a second."""
        return self.events / self.seconds


async def ours(events: int) -> None:
    """Run loyalty's own consumer until the topic is applied."""
    from services.loyalty.app import service as loyalty

    made = loyalty()
    only = service.Service(
        name=made.name,
        settings=made.settings,
        open_context=made.open_context,
        migrations=made.migrations,
        handlers={"purchases": made.handlers["purchases"]},
    )
    assert set(only.handlers) <= set(TOPICS)
    async with AsyncExitStack() as stack:
        context = await open_context(only, "consumer", stack)
        stop = asyncio.Event()
        consumer = Consumer(only, context)
        async with asyncio.TaskGroup() as group:
            group.create_task(consumer.run(stop))
            while consumer.applied < events:
                await asyncio.sleep(POLL_S)
            stop.set()


async def measure(work: Callable[[int], Awaitable[None]], events: int) -> Measured:
    """Run ``work`` and say what it took, this process alone."""
    started, cpu = perf_counter(), process_time()
    await work(events)
    return Measured(
        events=events,
        seconds=perf_counter() - started,
        cpu_seconds=process_time() - cpu,
        rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024,
    )


CONTENDERS: dict[str, Callable[[int], Awaitable[None]]] = {
    "ours": ours,
    "peer": peer.run,
    "limit": limit.run,
}

if __name__ == "__main__":
    log.configure("bench", sys.argv[1], "WARNING")
    measured = uvloop.run(measure(CONTENDERS[sys.argv[1]], int(sys.argv[2])))
    print(json.dumps(asdict(measured)))
