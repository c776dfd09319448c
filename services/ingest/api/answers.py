"""Answers to purchases and to what happens to them after."""

from typing import Literal
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel

from services.ingest import domain
from shared.errors import Refused

REPLAYED = {"Idempotent-Replayed": "true"}


class Accepted(BaseModel):
    """It is committed, and will be published."""

    event_id: UUID
    status: Literal["accepted", "unchanged"] = "accepted"
    """``unchanged``: the receipt is as this wants it already, so there is nothing to publish."""
    duplicate: bool = False
    """Whether the same body was accepted before; this is that answer again."""
    status_url: str
    """Where to follow it."""
    claim_token: str | None = None
    """Only for a sale without a known member: whoever shows it may claim the receipt."""


def accepted(outcome: domain.Outcome, *, what: str) -> Response:
    """Return the 202, the same for the first time and every repeat; conflicts are raised."""
    if outcome.kind == "conflict":
        raise conflict(outcome, what=what)
    replayed = outcome.kind == "replayed"
    body = Accepted(
        event_id=outcome.event_id,
        status="accepted" if outcome.changed else "unchanged",
        duplicate=replayed,
        status_url=status_url(outcome.event_id),
        claim_token=outcome.claim_token,
    )
    return Response(
        body.__pydantic_serializer__.to_json(body),
        202,
        REPLAYED if replayed else None,
        "application/json",
    )


def conflict(outcome: domain.Outcome, *, what: str) -> Refused:
    """Return the refusal of a body that differs from the recorded one."""
    return Refused(
        f"{what}_conflict",
        f"A {what} with this number was recorded with other contents.",
        status=409,
        fields=list(outcome.fields),
        event_id=str(outcome.event_id),
    )


def status_url(event_id: UUID) -> str:
    """Return the path at which an event can be followed."""
    return f"/v1/events/{event_id}"
