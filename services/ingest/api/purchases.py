"""``POST /v1/purchases`` and ``POST /v1/returns``."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from services.ingest.api import answers, bodies, regions
from services.ingest.api.answers import Accepted
from services.ingest.api.depends import Ingest, Till, ingest
from services.ingest.api.raw import RawRoute, raw_json
from services.ingest.handlers import returns
from shared.db import Tx, run_unit

router = APIRouter(prefix="/v1", tags=["purchases"], route_class=RawRoute)


@router.post("/purchases", status_code=202, response_model=Accepted)
async def record_purchase(
    body: Annotated[bodies.Purchase, raw_json(bodies.Purchase)], caller: Till, request: Request
) -> Response:
    """Record a sale. Sending it again is harmless; another body under its number is a 409."""
    # Not by a dependency: each costs as much as a third of parsing the body.
    context = await ingest(request)
    caller.check_terminal(body.store_id, body.terminal_id)
    sale = body.to_sale(
        received_at=context.clock.now(),
        identity_key=context.identity_key,
        region=await regions.of(body, context),
    )
    return answers.accepted(await context.purchases.submit(sale), what="purchase")


@router.post("/returns", status_code=202, response_model=Accepted)
async def record_return(
    body: Annotated[bodies.Return, raw_json(bodies.Return)], caller: Till, context: Ingest
) -> Response:
    """Take goods back from a sale, all or part; may be sent before the sale is."""
    caller.check_terminal(body.store_id, body.terminal_id)
    new = body.to_return(received_at=context.clock.now())

    async def unit(tx: Tx) -> Response:
        return answers.accepted(await returns.take(tx, new), what="return")

    return await run_unit(context.db, unit)
