"""``POST /v1/purchases:batch``: a till's backlog, with an outcome per row."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

import pydantic_core
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from services.ingest import domain
from services.ingest.api import answers, bodies, regions
from services.ingest.api.depends import Ingest, Till
from services.ingest.api.raw import invalid_body
from services.ingest.context import IngestContext
from shared.auth import Caller
from shared.errors import Malformed, PerennialError
from shared.http import problem

PATH = "/v1/purchases:batch"
BATCH_BYTES_MAX = 32 * 1024 * 1024
ROWS_MAX = 1_000
ROW_BYTES_MAX = 256 * 1024
YIELD_ROWS = 100
"""Other tills get their turn after so many rows."""
_NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl")

_ANY_ARRAY = TypeAdapter(list[object])
_ARRAY = TypeAdapter(Annotated[list[bodies.Purchase], Field(max_length=ROWS_MAX)])


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
                    "maxItems": ROWS_MAX,
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
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    rows = _lines(request) if media_type in _NDJSON else _items(await request.body())
    results: list[Mapping[str, object]] = []
    sales: dict[int, domain.Sale] = {}
    # Everything is read before anything is written: a file with too many rows changes nothing.
    async for row in rows:
        index = len(results)
        if index >= ROWS_MAX:
            raise _too_many()
        results.append({})
        try:
            sales[index] = await _sale(row, caller, context)
        except (PerennialError, RequestValidationError) as error:
            results[index] = _invalid(index, error)
    committed = await context.purchases.submit_bulk(list(sales.values()))
    for index, answer in zip(sales, committed, strict=True):
        results[index] = _result(index, answer)
    return Response(pydantic_core.to_json({"results": results}), 207, media_type="application/json")


Row = bodies.Purchase | PerennialError | RequestValidationError


async def _sale(row: Row, caller: Caller, context: IngestContext) -> domain.Sale:
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


def _too_many() -> Malformed:
    return Malformed("invalid_request", f"A batch has at most {ROWS_MAX} rows.")


def _parse(raw: bytes) -> Row:
    if len(raw) > ROW_BYTES_MAX:
        detail = f"A purchase has at most {ROW_BYTES_MAX} bytes."
        return Malformed("body_too_large", detail)
    try:
        return bodies.Purchase.model_validate_json(raw)
    except ValidationError as error:
        return invalid_body(error)


async def _items(raw: bytes) -> AsyncIterator[Row]:
    """Parse a JSON array: all rows at once, and one by one only if some are not acceptable."""
    try:
        purchases = _ARRAY.validate_json(raw)
    except ValidationError as error:
        for item in _split(raw, error):
            await asyncio.sleep(0)  # the slow way must not hold up other tills
            yield _parse(pydantic_core.to_json(item))
        return
    for number, purchase in enumerate(purchases):
        if number % YIELD_ROWS == 0:
            await asyncio.sleep(0)
        yield purchase


def _split(raw: bytes, error: ValidationError) -> list[object]:
    """Return the rows of an array of which ``error`` says that some are not acceptable."""
    if error.errors()[0]["type"] == "json_invalid":
        raise invalid_body(error) from error
    try:
        items = _ANY_ARRAY.validate_json(raw)
    except ValidationError as other:
        detail = "The body must be an array of purchases."
        raise Malformed("invalid_request", detail) from other
    if len(items) > ROWS_MAX:
        raise _too_many()
    return items


async def _lines(request: Request) -> AsyncIterator[Row]:
    """Parse NDJSON as it arrives, so that the file itself is never held."""
    rest = b""
    async for part in request.stream():
        *lines, rest = (rest + part).split(b"\n")
        if len(rest) > ROW_BYTES_MAX:
            raise Malformed("body_too_large", f"A row has at most {ROW_BYTES_MAX} bytes.")
        for line in lines:
            if line.strip():
                yield _parse(line)
    if rest.strip():
        yield _parse(rest)
