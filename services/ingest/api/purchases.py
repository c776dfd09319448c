"""``POST /v1/purchases``."""

from fastapi import APIRouter, Response

from services.ingest.api import answers, bodies, regions
from services.ingest.api.answers import Accepted
from services.ingest.api.depends import Ingest, Till
from shared.http.raw import RawRoute

router = APIRouter(prefix="/v1", tags=["purchases"], route_class=RawRoute)


@router.post("/purchases", status_code=202, response_model=Accepted)
async def record_purchase(body: bodies.Purchase, caller: Till, context: Ingest) -> Response:
    """Record a sale. Sending it again is harmless; another body under its number is a 409."""
    caller.check_terminal(body.store_id, body.terminal_id)
    sale = body.to_sale(
        received_at=context.clock.now(),
        identity_key=context.identity_key,
        region=await regions.of(body, context),
    )
    return answers.accepted(await context.purchases.submit(sale), what="purchase")
