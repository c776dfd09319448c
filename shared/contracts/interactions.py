"""Events of the ``interactions`` topic: what happened with a member, and consent with evidence."""

from collections.abc import Mapping
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
    language: str | None = None
    """In which language the text was shown (BCP 47)."""
    means: str | None = None
    """How they answered, such as ``box-ticked``."""
    submission_id: UUID | None = None
    """The form's submission, which ingest keeps with the whole text; absent without a form."""


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


class FormReference(Contract):
    """Which form was filled in; what was written in it stays with ingest."""

    form_id: str
    """Code of the form."""
    version: Annotated[int, Field(ge=1)]
    """The version that the person saw."""
    kind: str
    """``sign_up``, ``contact`` or ``sweepstakes``."""
    submission_id: UUID
    """Where ingest finds what was written."""
    source: str
    """The form's own label of where it is shown, such as ``autumn-flyer``."""


class Interaction(Contract):
    """One contact with a person; opaque codes and numbers, never personal data or free text."""

    interaction_id: UUID
    """Made by whoever reported it; the same for every repetition."""
    kind: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    """``app_opened``, ``form_submitted``, ``note``, ``call``, ``chat``, ``visit``,
    ``appointment``, ``reply_received`` or ``other``; open, so that kinds can be added."""
    member_id: UUID | None = None
    """With whom; absent while unknown."""
    occurred_at: AwareDatetime
    """When, by the clock of whoever reported it."""
    received_at: AwareDatetime
    """When ingest took it in."""
    store_id: str | None = None
    """Where; absent for contacts at a distance."""
    reference: str | None = None
    """What the reporter calls it: a ticket, a call, a note's id."""
    properties: Mapping[str, bool | int | str] | None = None
    """Up to 16 codes, numbers and flags of the reporter's own; absent for none."""
    form: FormReference | None = None
    """Only with kind ``form_submitted``."""


class InteractionRecorded(Event):
    """Something happened between a person and the shop."""

    type: Literal["interaction.recorded.v1"] = "interaction.recorded.v1"
    data: Interaction


InteractionEvent = InteractionRecorded | ConsentGiven | ConsentWithdrawn
