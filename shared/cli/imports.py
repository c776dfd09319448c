"""``import <kind> <file>``: upload a file over HTTP and watch it being applied."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from shared.cli.terminal import complete, show_rows
from shared.errors import Refused, Unavailable

MEDIA_TYPES = {
    ".csv": "text/csv",
    ".ndjson": "application/x-ndjson",
    ".jsonl": "application/x-ndjson",
}
PART_BYTES = 64 * 1024
POLL_S = 0.5
SILENT_MAX_S = 60.0
"""How long the service may be away while an import is watched: it goes on when it is back."""
SHOWN_MAX = 20
"""Problems printed; ``--problems`` writes them all."""
_OVER = ("done", "cancelled", "incomplete")

KindName = Annotated[str, typer.Argument(help="stores, products, members, lots or receipts.")]
File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="*.csv or *.ndjson")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Write nothing but the report.")]
Url = Annotated[str, typer.Option(envvar="INGEST_URL", help="Where the service is.")]
Key = Annotated[str, typer.Option(envvar="ADMIN_KEY", help="An admin's API key.")]
Problems = Annotated[Path | None, typer.Option(help="Write every problem to this CSV file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, and no progress.")]


def upload(  # noqa: PLR0913  the options of a command line
    kind: KindName,
    file: File,
    *,
    key: Key,
    url: Url = "http://127.0.0.1:8001",
    dry_run: DryRun = False,
    problems: Problems = None,
    as_json: AsJson = False,
) -> None:
    """Import a file; it is safe to send it again. Exits with 1 where a row was not acceptable."""
    media_type = MEDIA_TYPES.get(file.suffix.lower())
    if media_type is None:
        message = f"the name must end in {', '.join(MEDIA_TYPES)}"
        raise typer.BadParameter(message)

    sent = _Sent(kind, file, file.stat().st_size, media_type, dry_run)

    async def work() -> dict[str, Any]:
        async with AsyncExitStack() as stack:
            desk = _Desk(
                await stack.enter_async_context(_client(url, key)),
                stack.enter_context(_progress(quiet=as_json)),
            )
            begun = await desk.send(sent)
            report = await desk.watch(begun)
            if problems is not None:
                problems.write_bytes(await desk.problems_csv(report))
            return report | {"first_problems": await desk.first_problems(report)}

    report = complete(work())
    _show(report, as_json=as_json)
    if report["state"] != "done" or report["rows_invalid"]:
        raise typer.Exit(1)


def _client(url: str, key: str) -> httpx.AsyncClient:
    timeout = httpx.Timeout(60.0, connect=5.0)
    return httpx.AsyncClient(
        base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=timeout
    )


def _progress(*, quiet: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[unit]}"),
        console=Console(stderr=True),
        disable=quiet,
    )


@dataclass(frozen=True, slots=True)
class _Sent:
    """A file, and what is asked for."""

    kind: str
    file: Path
    size: int
    media_type: str
    dry_run: bool


class _Desk:
    """One import, over HTTP."""

    def __init__(self, client: httpx.AsyncClient, progress: Progress) -> None:
        self._client = client
        self._progress = progress

    async def send(self, sent: _Sent) -> dict[str, Any]:
        task = self._progress.add_task(f"sending {sent.file.name}", total=sent.size, unit="")

        async def parts() -> AsyncIterator[bytes]:
            with sent.file.open("rb") as opened:
                while part := opened.read(PART_BYTES):
                    yield part
                    self._progress.advance(task, len(part))

        return await self._call(
            "POST",
            f"/v1/imports/{sent.kind}",
            params={"dry_run": str(sent.dry_run).lower()},
            headers={"Content-Type": sent.media_type},
            content=parts(),
        )

    async def watch(self, report: dict[str, Any]) -> dict[str, Any]:
        """Poll until the import is over; a service that is away for a moment is waited for."""
        loop = asyncio.get_running_loop()
        task = self._progress.add_task("applying", total=report["rows_read"] or 1, unit="")
        heard_at = loop.time()
        while report["state"] not in _OVER:
            await asyncio.sleep(POLL_S)
            try:
                report = await self._call("GET", f"/v1/imports/{report['import_id']}")
                heard_at = loop.time()
            except Unavailable:
                if loop.time() - heard_at > SILENT_MAX_S:
                    raise
            done = report["rows_read"] - report["rows_left"]
            self._progress.update(
                task, completed=done, unit=f"{done} of {report['rows_read']} rows"
            )
        return report

    async def first_problems(self, report: dict[str, Any]) -> list[dict[str, Any]]:
        page = await self._call("GET", report["problems_url"], params={"limit": SHOWN_MAX})
        found: list[dict[str, Any]] = page["data"]
        return found

    async def problems_csv(self, report: dict[str, Any]) -> bytes:
        answer = await self._answer("GET", report["problems_url"], params={"format": "csv"})
        return answer.content

    async def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:  # noqa: ANN401  httpx's
        answer = await self._answer(method, path, **options)
        found: dict[str, Any] = answer.json()
        return found

    async def _answer(self, method: str, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401  httpx's
        try:
            answer = await self._client.request(method, path, **options)
        except httpx.TransportError as error:
            detail = f"{self._client.base_url} does not answer."
            raise Unavailable("unavailable", detail) from error
        if answer.is_success:
            return answer
        told = _problem(answer)
        if answer.status_code >= 500:
            raise Unavailable(told["code"], told["detail"])
        named = "; ".join(f"{one['field']}: {one['message']}" for one in told.get("errors", ()))
        detail = f"{told['detail']} {named}".strip()
        raise Refused(told["code"], detail, status=answer.status_code)


def _problem(answer: httpx.Response) -> dict[str, Any]:
    try:
        return {"code": "unavailable", "detail": answer.reason_phrase} | answer.json()
    except ValueError:
        return {"code": "unavailable", "detail": f"{answer.status_code} {answer.reason_phrase}"}


def _show(report: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        Console().out(json.dumps(report, indent=2), highlight=False)
        return
    counts = ("rows_read", "rows_valid", "rows_invalid", "rows_applied", "rows_unchanged")
    names = ("kind", "state", "dry_run", *counts)
    show_rows([{name: report[name] for name in names}], as_json=False)
    if report["first_problems"]:
        show_rows(report["first_problems"], as_json=False)
