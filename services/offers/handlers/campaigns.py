"""Campaigns are documents: put, published, then issued by."""

from collections.abc import Mapping
from typing import Any

from services.offers.context import OffersContext
from services.offers.store import campaigns
from services.offers.store.tables import Row
from shared.db import Tx
from shared.errors import Refused


async def put(tx: Tx, code: str, document: Mapping[str, Any], context: OffersContext) -> Row:
    """Keep the draft. Planning needs one currency, so another one is refused here."""
    if document["currency"] != context.scope.currency:
        raise Refused(
            "currency_not_supported",
            f"This shop counts spend in {context.scope.currency}; the campaign is in "
            f"{document['currency']}.",
            status=422,
        )
    return await campaigns.upsert_draft(tx, code, document, context.clock.now())


async def publish(tx: Tx, code: str, context: OffersContext) -> Row:
    """Make the draft what issuing goes by, from the next run of the job."""
    row = await campaigns.publish_draft(tx, code, context.clock.now())
    if row is None:
        raise not_found(code)
    return row


async def load(tx: Tx, code: str) -> Row:
    """Return one campaign."""
    row = await campaigns.load_campaign(tx, code)
    if row is None:
        raise not_found(code)
    return row


def not_found(code: str) -> Refused:
    """Return the refusal for a code that nobody has put."""
    return Refused("campaign_not_found", f"There is no campaign {code!r}.", status=404)
