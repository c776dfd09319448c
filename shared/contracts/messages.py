"""Events of the ``messages`` topic: what was sent to a member, or not sent, and why."""

from typing import Literal
from uuid import UUID

from shared.contracts.envelope import Contract, Event

Channel = Literal["email", "sms", "push", "inbox", "webhook"]
MessageTopic = Literal["points", "offers", "tiers", "content", "events", "service"]


class Gate(Contract):
    """One check at dispatch and its outcome."""

    gate: str
    """Which check: ``consent``, ``preference``, …"""
    passed: bool
    """Whether the message may go on to the next."""
    detail: str
    """What the check saw."""


class MessageDecision(Contract):
    """A message and the decision about it; no personal data, no content."""

    message_id: UUID
    """The same for every attempt at this message."""
    member_id: UUID
    """To whom."""
    topic: MessageTopic
    """What it is about, as members choose it in their preferences."""
    channel: Channel
    """By which means."""
    template: str
    """Code of the template."""
    cause_id: UUID
    """The event that asked for the message."""
    gates: tuple[Gate, ...]
    """Every check made, in order; the last one decided."""


class MessageSent(Event):
    """A message left for the member."""

    type: Literal["message.sent.v1"] = "message.sent.v1"
    data: MessageDecision


class MessageSuppressed(Event):
    """A message was decided against; the last gate says why."""

    type: Literal["message.suppressed.v1"] = "message.suppressed.v1"
    data: MessageDecision


MessageEvent = MessageSent | MessageSuppressed
