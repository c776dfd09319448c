"""Drive the tills through a plan, in time order, with live rates."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from demo import plan
from demo.tills import AT_ONCE, Record, Till

Enrol = Callable[[int], Awaitable[None]]


@dataclass
class Replay:
    """One run of a plan. Each till sends in its own order; the shops go side by side."""

    tills: Mapping[str, Till]
    enrol: Enrol
    record: Record
    at_once: int = AT_ONCE
    _lines: dict[str, asyncio.Queue[plan.Call | plan.Upload]] = field(
        default_factory=dict[str, "asyncio.Queue[plan.Call | plan.Upload]"]
    )

    async def run(self, steps: tuple[plan.Step, ...], done: Callable[[plan.Step], None]) -> None:
        """Take the steps in time order, at most ``at_once`` on their way at a time.

        ``done`` hears of each step as it ends. The first refusal ends the run.
        """
        room = asyncio.Semaphore(self.at_once)

        def ended(step: plan.Step) -> None:
            room.release()
            done(step)

        async with asyncio.TaskGroup() as group:
            shops: list[asyncio.Task[None]] = []
            for store_id, till in self.tills.items():
                line: asyncio.Queue[plan.Call | plan.Upload] = asyncio.Queue()
                self._lines[store_id] = line
                shops.append(group.create_task(_serve(till, line, ended)))
            for step in steps:
                await room.acquire()
                if isinstance(step, plan.Enrolment):
                    group.create_task(_join(self.enrol, step, ended))
                else:
                    self._lines[step.store_id].put_nowait(step)
            for _ in range(self.at_once):
                await room.acquire()
            for shop in shops:
                shop.cancel()


async def _serve(
    till: Till,
    line: "asyncio.Queue[plan.Call | plan.Upload]",
    ended: Callable[[plan.Step], None],
) -> None:
    while True:
        step = await line.get()
        if isinstance(step, plan.Upload):
            await till.upload(step.calls)
        else:
            await till.send(step)
        ended(step)


async def _join(enrol: Enrol, step: plan.Enrolment, ended: Callable[[plan.Step], None]) -> None:
    await enrol(step.household)
    ended(step)


async def with_progress(replay: Replay, wanted: plan.Plan, console: Console) -> float:
    """Run ``wanted`` under a progress bar; return how many seconds it took."""
    progress = Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        console=console,
        refresh_per_second=4,
    )
    loop = asyncio.get_running_loop()
    started = loop.time()
    with progress:
        bar = progress.add_task("Replaying", total=wanted.receipts + wanted.returns, rate="")

        def done(step: plan.Step) -> None:
            if isinstance(step, plan.Enrolment):
                return
            size = len(step.calls) if isinstance(step, plan.Upload) else 1
            answered = len(replay.record.accepted)
            per_s = answered / max(loop.time() - started, 0.001)
            rate = f"{per_s:,.0f}/s · {replay.record.counts['replayed']:,} repeats"
            progress.update(bar, advance=size, description=f"{step.at:%a %d %b}", rate=rate)

        await replay.run(wanted.steps, done)
        progress.update(bar, description="Replayed")
    return loop.time() - started
