"""``POST /v1/interactions``: what happened with a member outside a purchase."""

import hashlib
import json
import re
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, Field, StrictBool, StrictInt
from pydantic_core import PydanticCustomError

from services.ingest.api import fields
from services.ingest.api.bodies import MemberReference
from services.ingest.api.depends import Ingest, Reader
from services.ingest.domain import Identifier
from services.ingest.handlers import interactions
from services.ingest.handlers.interactions import Outcome, Reported
from services.ingest.store import catalogue
from shared import identity
from shared.db import Tx, run_unit
from shared.http.models import Request

ROWS_MAX = 500
PROPERTIES_MAX = 16

router = APIRouter(prefix="/v1", tags=["interactions"])

_PERSONAL = re.compile(
    r"(^|_)(name|first|last|surname|mail|email|phone|mobile|address|street|birth\w*|text|note|"
    r"message|comment|subject|body)(_|$)"
)


def _not_personal(key: str) -> str:
    if _PERSONAL.search(key):
        message = "looks personal: interactions carry codes and numbers only"
        raise PydanticCustomError("personal", message)
    return key


Token = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$")]
"""A code: no blanks, no ``@``, so that neither words nor addresses get through."""
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$"), AfterValidator(_not_personal)]
Number = Annotated[StrictInt, Field(ge=-fields.AMOUNT_MAX, le=fields.AMOUNT_MAX)]


class InteractionBody(Request):
    """One contact with a person. What was said belongs into insight's notes, not here."""

    interaction_id: UUID
    """Made before the first attempt; the same for every repetition."""
    kind: Literal[
        "app_opened", "note", "call", "chat", "visit", "appointment", "reply_received", "other"
    ]
    occurred_at: fields.Instant
    member: MemberReference | None = None
    store_id: fields.Code | None = None
    """Of a terminal: its own, also where left out."""
    reference: Token | None = None
    """What you call it: a ticket, a call, a note's id."""
    properties: Annotated[
        dict[Key, StrictBool | Number | Token], Field(max_length=PROPERTIES_MAX)
    ] = Field(default_factory=dict)


class InteractionsBody(Request):
    """Up to 500 interactions; all are read before any is recorded."""

    interactions: Annotated[tuple[InteractionBody, ...], Field(min_length=1, max_length=ROWS_MAX)]


class InteractionResult(BaseModel):
    """What became of one."""

    interaction_id: UUID
    outcome: Outcome
    """``replayed``: taken in before. ``conflict``: taken in before with other contents; the first
    one stands."""


class Recorded(BaseModel):
    """An outcome per row, in their order."""

    results: list[InteractionResult]


@router.post("/interactions", status_code=202)
async def record_interactions(body: InteractionsBody, caller: Reader, context: Ingest) -> Recorded:
    """Record interactions, each once; the same file again is harmless."""
    for one in body.interactions:
        if one.store_id is not None:
            caller.check_terminal(one.store_id)
    own_store = caller.store_id

    async def unit(tx: Tx) -> list[Outcome]:
        stores = {one.store_id or own_store for one in body.interactions if _is_local(one)}
        regions = await catalogue.load_countries(tx, {each for each in stores if each})
        key = context.identity_key
        reported = [_reported(one, own_store, regions, key) for one in body.interactions]
        return await interactions.record(tx, reported, context)

    outcomes = await run_unit(context.db, unit)
    return Recorded(
        results=[
            InteractionResult(interaction_id=one.interaction_id, outcome=outcome)
            for one, outcome in zip(body.interactions, outcomes, strict=True)
        ]
    )


def _is_local(one: InteractionBody) -> bool:
    """Whether its phone number is to be read with the store's country."""
    phone = one.member.phone if one.member else None
    return phone is not None and not phone.lstrip().startswith("+")


def _reported(
    one: InteractionBody, own_store: str | None, regions: dict[str, str | None], key: bytes
) -> Reported:
    store_id = one.store_id or own_store
    identifier = None
    if one.member is not None:
        kind, value = one.member.one()
        normalised = identity.normalise(kind, value, region=regions.get(store_id or ""))
        identifier = Identifier(kind, identity.identifier_hmac(key, kind, normalised))
    said = one.model_dump(mode="json", exclude={"member"}) | {
        "store_id": store_id,
        "occurred_at": one.occurred_at.timestamp(),  # another zone, the same instant
        "who": identifier.hmac if identifier else None,
    }
    return Reported(
        interaction_id=one.interaction_id,
        kind=one.kind,
        occurred_at=one.occurred_at,
        identifier=identifier,
        store_id=store_id,
        reference=one.reference,
        properties=one.properties,
        body_sha256=hashlib.sha256(json.dumps(said, sort_keys=True).encode()).digest(),
    )
