"""What the tests of imports share: files sent over HTTP, applied by the job, and their reports."""

import json
from collections.abc import Sequence
from typing import Any

import httpx
import sqlalchemy as sa

from services.ingest.api.imports import KINDS
from services.ingest.context import IngestContext
from shared.db import Database
from shared.imports import working
from tests.service.ingest.conftest import ADMIN, bearer, purchase_body

CSV, NDJSON = "text/csv", "application/x-ndjson"


async def send(
    client: httpx.AsyncClient, kind: str, text: str, *, media_type: str = CSV, dry_run: bool = False
) -> dict[str, Any]:
    answer = await client.post(
        f"/v1/imports/{kind}",
        params={"dry_run": dry_run},
        headers=bearer(ADMIN) | {"Content-Type": media_type},
        content=text.encode(),
    )
    assert answer.status_code == 202, answer.text
    return answer.json()


async def apply(context: IngestContext) -> None:
    await working.work(context, {kind.name: kind for kind in KINDS}, for_s=120)


async def report(client: httpx.AsyncClient, begun: dict[str, Any]) -> dict[str, Any]:
    answer = await client.get(f"/v1/imports/{begun['import_id']}", headers=bearer(ADMIN))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def problems(client: httpx.AsyncClient, begun: dict[str, Any]) -> list[tuple[int, str, str]]:
    answer = await client.get(begun["problems_url"], headers=bearer(ADMIN))
    assert answer.status_code == 200, answer.text
    return [(one["row"], one["field"], one["code"]) for one in answer.json()["data"]]


async def imported(
    client: httpx.AsyncClient, context: IngestContext, kind: str, text: str, **options: Any
) -> dict[str, Any]:
    """Send a file, apply it, and return the report."""
    begun = await send(client, kind, text, **options)
    await apply(context)
    return await report(client, begun)


async def count(db: Database, table: sa.Table) -> int:
    async with db.transaction() as tx:
        return await tx.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def counts(of: dict[str, Any]) -> tuple[int, ...]:
    names = ("rows_read", "rows_valid", "rows_invalid", "rows_applied", "rows_unchanged")
    return tuple(of[name] for name in (*names, "rows_left"))


def receipts_ndjson(numbers: Sequence[int], **changes: Any) -> str:
    lines = [
        json.dumps(purchase_body(f"{number:06}", occurred_at="2025-12-01T10:00:00Z", **changes))
        for number in numbers
    ]
    return "\n".join(lines) + "\n"
