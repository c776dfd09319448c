"""One contender in a process of its own: ``python -m bench.contender NAME`` prints JSON.

``ours`` is loyalty's consumer as it ships; the others are in ``peer`` and ``limit``. All read the
same records of the same topic into a fresh database. The clock starts when the first events are
committed, so that nobody is charged for joining a group, and ends with the last.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, process_time

import uvloop

from bench import limit, peer
from bench.progress import Progress
from services.loyalty.app import service as loyalty
from shared import log, service
from shared.kafka.consumer import Consumer
from shared.processes import open_context, tune_garbage_collection

POLL_S = 0.01


@dataclass(frozen=True)
class Measured:
    """What one contender did, from its first commit to its last."""

    events: int
    seconds: float
    cpu_seconds: float
    peak_rss_mb: float
    half_rss_mb: float
    """When half of the events were committed; not a number for those who do not say."""
    end_rss_mb: float

    @property
    def per_second(self) -> float:
        """Events committed in a second."""
        return self.events / self.seconds

    @property
    def cpu_us(self) -> float:
        """CPU time of the process for an event."""
        return self.cpu_seconds / self.events * 1e6


async def ours(events: int, progress: Progress) -> None:
    """Run loyalty's own consumer until the topic is applied."""
    made = loyalty()
    only = service.Service(
        name=made.name,
        settings=made.settings,
        open_context=made.open_context,
        migrations=made.migrations,
        handlers={"purchases": made.handlers["purchases"]},
    )
    async with AsyncExitStack() as stack:
        context = await open_context(only, "consumer", stack)
        tune_garbage_collection()
        stop = asyncio.Event()
        consumer = Consumer(only, context)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(consumer.run(stop))
            # The loop that ships has no bell to ring, so it is looked at.
            while consumer.applied < events and not running.done():
                progress.at(consumer.applied)
                if consumer.applied >= events // 2 and progress.half_rss_mb is None:
                    progress.half_rss_mb = _rss_mb("VmRSS")
                await asyncio.sleep(POLL_S)
            progress.at(consumer.applied)
            stop.set()


async def measure(work: Callable[[int, Progress], Awaitable[None]], events: int) -> Measured:
    """Run ``work`` and say what it took, this process alone."""
    progress = Progress(clock=perf_counter, cpu=process_time)
    await work(events, progress)
    return Measured(
        events=progress.counted,
        seconds=progress.seconds,
        cpu_seconds=progress.cpu_seconds,
        peak_rss_mb=_rss_mb("VmHWM"),
        half_rss_mb=float("nan") if progress.half_rss_mb is None else progress.half_rss_mb,
        end_rss_mb=_rss_mb("VmRSS"),
    )


def _rss_mb(kind: str) -> float:
    """Return what this process has in memory; ``getrusage`` would give its parent's peak."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{kind}:"):
            return int(line.split()[1]) / 1_024
    return float("nan")


CONTENDERS: dict[str, Callable[[int, Progress], Awaitable[None]]] = {
    "ours": ours,
    "peer": peer.run,
    "limit": limit.run,
    "marks": limit.run_marks,
}

if __name__ == "__main__":
    log.configure("bench", sys.argv[1], "WARNING")
    measured = uvloop.run(measure(CONTENDERS[sys.argv[1]], int(sys.argv[2])))
    print(json.dumps(asdict(measured)))
