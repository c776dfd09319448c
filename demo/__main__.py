"""``python -m demo``: HOUSEHOLDS (300) · WEEKS (16) · SMALL=1 (25 households, 4 weeks)."""

import asyncio
import os
import sys
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path

from rich.console import Console

from demo import data, members, page, plan, stack
from demo.run import Run
from demo.stack import Stack
from demo.tills import Record

WEEKS_MAX = 52
LOG_WIDTH = 110


def main() -> int:
    """Run the demo; return 0 only if the audit passes."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=LOG_WIDTH)
    households, weeks = _size(os.environ)
    running = stack.bring_up()
    with console.status("Reading the year of baskets"):
        sample = data.load(households=households, weeks=weeks, today=_today(running.folder))
    console.print(
        f"{len(sample.households)} households, {len(sample.baskets):,} baskets, "
        f"{len(sample.stores)} shops, {sample.first_day:%d %b %Y} to {sample.last_day:%d %b %Y} "
        "[dim](The Complete Journey, 2017, moved by whole weeks; shop time)[/dim]"
    )
    report = asyncio.run(_go(console, running, sample))
    page.show(console, report)
    console.print(_farewell(running, report), soft_wrap=True, highlight=False, markup=False)
    return 0 if all(finding.holds for finding in report.findings) else 1


def _size(environ: Mapping[str, str]) -> tuple[int, int]:
    small = environ.get("SMALL", "") not in {"", "0"}
    households = int(environ.get("HOUSEHOLDS") or (25 if small else 300))
    weeks = int(environ.get("WEEKS") or (4 if small else 16))
    if households < 1 or not 1 <= weeks <= WEEKS_MAX:
        message = f"HOUSEHOLDS must be at least 1, WEEKS from 1 to {WEEKS_MAX}"
        raise SystemExit(message)
    return households, weeks


def _today(folder: Path) -> date:
    """Return the day that this stack's demo counts from: that of its first run.

    Next week the year would be moved a week further, and the same baskets would be new receipts.
    """
    kept = folder / "first-day"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        kept.write_text(datetime.now(data.ZONE).date().isoformat())
    return date.fromisoformat(kept.read_text().strip())


async def _go(console: Console, running: Stack, sample: data.Sample) -> page.Report:
    async with stack.connect(running) as clients:
        run = Run(
            console=console,
            stack=running,
            clients=clients,
            sample=sample,
            wanted=plan.make(sample),
            record=Record(running.folder / "driver.jsonl"),
            joined=members.Members(clients.http["loyalty"], running.key("app")),
        )
        return await run.go()


def _farewell(running: Stack, report: page.Report) -> str:
    urls = "\n".join(f"  {name:<8} {running.url(name)}/docs" for name in stack.SERVICES)
    text = f"\nThe stack stays up (`make down` stops it):\n{urls}"
    if report.people:
        member_id = report.people[0].member_id
        text += (
            "\nTry:\n"
            f'  . {running.env_file}; curl -s -H "Authorization: Bearer $APP_KEY"'
            f' "$LOYALTY_URL/v1/members/{member_id}/balance"'
        )
    return text


if __name__ == "__main__":
    sys.exit(main())
