"""Events of the ``interactions`` topic; first of all consent with its evidence."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from shared.contracts.envelope import Contract, Event
from shared.contracts.messages import Channel

Purpose = Literal["marketing", "personalisation", "service"]


class ConsentEvidence(Contract):
    """What the member was told and how they answered (GDPR Art. 7(1))."""

    wording_id: str
    """Which text they were shown."""
    wording_version: Annotated[int, Field(ge=1)]
    """Which version of that text."""
    source: str
    """Where and by what means: ``enrolment``, ``form:<id>``, ``unsubscribe-link``, ``till``."""
    recorded_at: AwareDatetime
    """When they answered."""


class Consent(Contract):
    """A yes or no for one purpose on one channel."""

    member_id: UUID
    """Who."""
    purpose: Purpose
    """What for."""
    channel: Channel
    """By which means; a yes for one channel says nothing about another."""
    evidence: ConsentEvidence
    """How we know."""


class ConsentGiven(Event):
    """A member agreed."""

    type: Literal["consent.given.v1"] = "consent.given.v1"
    data: Consent


class ConsentWithdrawn(Event):
    """A member withdrew."""

    type: Literal["consent.withdrawn.v1"] = "consent.withdrawn.v1"
    data: Consent


InteractionEvent = ConsentGiven | ConsentWithdrawn
