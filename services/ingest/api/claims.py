"""``POST /v1/claims``: a receipt without a member is claimed by whoever holds its token."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field

from services.ingest import domain
from services.ingest.api import answers, bodies, regions
from services.ingest.api.answers import Accepted
from services.ingest.api.depends import Claimant, Ingest
from services.ingest.handlers import claims
from shared.db import Tx, run_unit
from shared.errors import Refused
from shared.http.models import Request

router = APIRouter(prefix="/v1", tags=["purchases"])


class Claim(Request):
    """A token, and who shows it."""

    claim_token: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[!-~]+$")]
    """From the answer to the purchase."""
    member: bodies.MemberReference


@router.post("/claims", status_code=202, response_model=Accepted)
async def claim_receipt(body: Claim, caller: Claimant, context: Ingest) -> Response:
    """Give a receipt to the member who shows its token; it earns as at the time of sale."""
    region = await regions.of_member(body.member, caller.store_id, context)
    who = bodies.identify(body.member, context.identity_key, region)

    async def unit(tx: Tx) -> domain.Outcome:
        return await claims.claim(tx, body.claim_token, who, context)

    try:
        return answers.accepted(await run_unit(context.db, unit), what="claim")
    except Refused as refusal:
        # A right token always passes: whoever guesses must not lock out those who do not.
        if refusal.code == claims.UNKNOWN and (
            wait_s := context.claim_failures.count(caller.key_id)
        ):
            detail = "Too many tokens that are not valid."
            raise Refused("too_many_claims", detail, status=429, retry_after_s=wait_s) from refusal
        raise
