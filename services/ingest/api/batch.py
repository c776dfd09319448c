"""``POST /v1/purchases:batch``: a till's backlog, with an outcome per row."""

from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

import pydantic_core
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel

from services.ingest import domain
from services.ingest.api import answers, regions, rows
from services.ingest.api.depends import Ingest, Till
from services.ingest.context import IngestContext
from shared.auth import Caller
from shared.errors import PerennialError
from shared.http import problem

PATH = "/v1/purchases:batch"
BATCH_BYTES_MAX = 32 * 1024 * 1024


class RowResult(BaseModel):
    """What became of one row."""

    index: int
    """Counted from 0, as sent."""
    outcome: Literal["accepted", "replayed", "conflict", "invalid"]
    event_id: UUID | None = None
    claim_token: str | None = None
    problem: dict[str, Any] | None = None
    """``code``, ``detail`` and what else a problem document has, for conflict and invalid."""


class BatchResult(BaseModel):
    """An outcome per row, in the order of the rows."""

    results: list[RowResult]


_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "array",
                    "maxItems": rows.ROWS_MAX,
                    "items": {"$ref": "#/components/schemas/Purchase"},
                }
            },
            "application/x-ndjson": {
                "schema": {"type": "string", "description": "A purchase per line."}
            },
        },
    }
}

router = APIRouter(prefix="/v1", tags=["purchases"])


@router.post("/purchases:batch", status_code=207, response_model=BatchResult, openapi_extra=_BODY)
async def record_purchases(request: Request, caller: Till, context: Ingest) -> Response:
    """Record up to 1,000 sales, each for itself; the whole file may safely be sent again."""
    results: list[Mapping[str, object]] = []
    sales: dict[int, domain.Sale] = {}
    # Everything is read before anything is written: a file with too many rows changes nothing.
    # Of what was read only the canonical form is kept.
    async for some in rows.read(request, context.uploads):
        if len(results) + len(some) > rows.ROWS_MAX:
            raise rows.too_many()
        async with context.uploads.take():
            for row in some:
                index = len(results)
                results.append({})
                try:
                    sales[index] = await _sale(row, caller, context)
                except (PerennialError, RequestValidationError) as error:
                    results[index] = _invalid(index, error)
    committed = await context.purchases.submit_bulk(list(sales.values()))
    for index, answer in zip(sales, committed, strict=True):
        results[index] = _result(index, answer)
    return Response(pydantic_core.to_json({"results": results}), 207, media_type="application/json")


async def _sale(row: rows.Row, caller: Caller, context: IngestContext) -> domain.Sale:
    if isinstance(row, Exception):
        raise row
    caller.check_terminal(row.store_id, row.terminal_id)
    return row.to_sale(
        received_at=context.clock.now(),
        identity_key=context.identity_key,
        region=await regions.of(row, context),
    )


def _result(index: int, answer: domain.Outcome | PerennialError) -> Mapping[str, object]:
    if isinstance(answer, PerennialError):
        return _invalid(index, answer)
    result: dict[str, object] = {
        "index": index,
        "outcome": answer.kind,
        "event_id": answer.event_id,
        "claim_token": answer.claim_token,
        "problem": None,
    }
    if answer.kind == "conflict":
        result["problem"] = _problem(answers.conflict(answer, what="purchase"))
    return result


def _invalid(index: int, error: Exception) -> Mapping[str, object]:
    return {
        "index": index,
        "outcome": "invalid",
        "event_id": None,
        "claim_token": None,
        "problem": _problem(error),
    }


def _problem(error: Exception) -> Mapping[str, object]:
    told = problem.from_error(error)
    return {"status": told.status, "code": told.code, "detail": told.detail, **told.extra}
