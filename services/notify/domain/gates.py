"""May this message leave now? The gates, in order, each with its outcome in words.

Asked at the moment of sending, never earlier: what the member said a second ago counts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from services.notify.domain import matrix

Outcome = Literal["send", "wait", "suppress"]

LOOK_AGAIN_MIN = timedelta(seconds=1)
LOOK_AGAIN_MAX = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Limits:
    """How old a trigger may be, and how long a message waits for what is on its way."""

    ttl: timedelta
    """A trigger older than this sends nothing: replaying a topic mails nobody."""
    wait: timedelta
    """How long a message waits for a member or an address that is not known yet."""
    consent_grace: timedelta
    """How long after a member became known their first consent may still be on its way."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A message that something asked for."""

    topic: matrix.Topic
    channel: matrix.Channel
    caused_at: datetime
    """When the event that asked for it was written."""
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """The member's latest word on one purpose and channel."""

    decision: Literal["given", "withdrawn"]
    decided_at: datetime
    wording: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known at the moment of the decision."""

    now: datetime
    member_status: str | None = None
    """None while the member is not known yet."""
    member_since: datetime | None = None
    """When notify first heard of the member."""
    contact_known: bool = False
    address: str | None = None
    bounced: str | None = None
    """Why this address gets nothing any more, if it bounced for good or complained."""
    consent: Standing | None = None
    frequency: matrix.Frequency | None = None
    """What the member chose; None = nothing, the default holds."""
    items: int | None = None
    """How many things the message is about; None = about one thing that stays true."""
    items_valid: int = 0
    ending: int | None = None
    """What is left of points that end soon; None where the message is not about that."""
    outdated: str | None = None
    """What has happened since that makes it untrue."""


@dataclass(frozen=True, slots=True)
class Check:
    """One gate's outcome, as it is recorded with the message."""

    gate: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Send, wait or suppress; the last check says why."""

    outcome: Outcome
    reason: str | None
    """A stable code when it is not sent now."""
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class _Answer:
    detail: str
    reason: str | None = None
    """None = the gate is passed."""
    wait: bool = False


_Gate = Callable[[Asked, Facts, Limits], _Answer]


def _fresh(asked: Asked, facts: Facts, limits: Limits) -> _Answer:
    """Send nothing for an old trigger."""
    age = facts.now - asked.caused_at
    if age > limits.ttl:
        return _Answer(f"its cause is older than {limits.ttl}", "expired")
    return _Answer("its cause is recent")


def _known(asked: Asked, facts: Facts, limits: Limits) -> _Answer:
    """Wait for the member: events of different topics come in any order."""
    missing = "the member" if facts.member_status is None else None
    needs_address = asked.channel not in {"inbox", "webhook"} and facts.member_status == "active"
    if missing is None and needs_address and not facts.contact_known:
        missing = "the address"
    if missing is None:
        return _Answer("member known")
    if facts.now - asked.created_at < limits.wait:
        return _Answer(f"{missing} is not known yet", "not_known_yet", wait=True)
    return _Answer(f"{missing} stayed unknown for {limits.wait}", "unknown_member")


def _erased(_asked: Asked, facts: Facts, _limits: Limits) -> _Answer:
    """Write to nobody who left."""
    if facts.member_status == "active":
        return _Answer("member active")
    return _Answer(f"member {facts.member_status}", facts.member_status)


def _suppressed(asked: Asked, facts: Facts, _limits: Limits) -> _Answer:
    """Leave an address alone that bounced for good."""
    if asked.channel in {"inbox", "webhook"}:
        return _Answer("no address needed")
    if facts.address is None:
        return _Answer("the member gave no address", "no_address")
    if facts.bounced is not None:
        return _Answer(facts.bounced, "address_suppressed")
    return _Answer("address usable")


def _consent(asked: Asked, facts: Facts, limits: Limits) -> _Answer:
    """Want a yes for marketing that goes out; for what the member comes to read, no no.

    E-mail, text and push reach out and are opt-in. The inbox is read by the member in the app,
    and account messages belong to the membership: both go unless the member objected.
    """
    purpose = matrix.purpose_of(asked.topic)
    standing = facts.consent
    if asked.topic == "service":
        return _Answer("service messages need none")
    if standing is not None and standing.decision == "withdrawn":
        detail = f"{purpose} by {asked.channel} withdrawn at {standing.decided_at.isoformat()}"
        return _Answer(detail, "consent_withdrawn")
    if standing is not None:
        detail = f"given at {standing.decided_at.isoformat()} to wording {standing.wording}"
        return _Answer(detail)
    if purpose != "marketing" or asked.channel == "inbox":
        return _Answer("not objected to")
    since = facts.member_since
    if since is not None and facts.now - since < limits.consent_grace:
        return _Answer("a new member's consent may be on its way", "not_known_yet", wait=True)
    return _Answer(f"no consent to {purpose} by {asked.channel}", "no_consent")


def _preference(asked: Asked, facts: Facts, _limits: Limits) -> _Answer:
    """Go by the member's own choice, or the default of the matrix."""
    if asked.topic == "service":
        return _Answer("service messages pass preferences")
    frequency = facts.frequency or matrix.default_frequency(asked.topic, asked.channel)
    whose = "the member chose" if facts.frequency else "by default"
    detail = f"{whose} {frequency} for {asked.topic} by {asked.channel}"
    return _Answer(detail, "preference" if frequency == "never" else None)


def _still_true(_asked: Asked, facts: Facts, _limits: Limits) -> _Answer:
    """Tell nobody of an offer that is used or over, or of points that are spent or have ended.

    Nor of points that were taken back, and of a tier that is gone.
    """
    if facts.outdated is not None:
        return _Answer(facts.outdated, "no_longer_true")
    if facts.ending is not None:
        left = f"{facts.ending} points are left of them"
        return _Answer(left, None if facts.ending > 0 else "no_longer_true")
    if facts.items is None:
        return _Answer("reports what happened")
    if facts.items_valid == 0:
        return _Answer(f"none of {facts.items} offers can be used any more", "no_longer_true")
    return _Answer(f"{facts.items_valid} of {facts.items} offers can be used")


GATES: tuple[tuple[str, _Gate], ...] = (
    ("fresh", _fresh),
    ("known", _known),
    ("erased", _erased),
    ("suppressed", _suppressed),
    ("consent", _consent),
    ("preference", _preference),
    ("still_true", _still_true),
)
"""In this order. The first that says no decides; what comes behind it is not asked."""


def decide(asked: Asked, facts: Facts, limits: Limits) -> Decision:
    """Ask the gates in order."""
    checks: list[Check] = []
    for name, gate in GATES:
        answer = gate(asked, facts, limits)
        checks.append(Check(name, answer.reason is None, answer.detail))
        if answer.reason is not None:
            outcome: Outcome = "wait" if answer.wait else "suppress"
            return Decision(outcome, answer.reason, tuple(checks))
    return Decision("send", None, tuple(checks))


def look_again_after(asked: Asked, now: datetime) -> timedelta:
    """Return when to look again at a message that waits: as long as it has waited, in bounds.

    What it waits for wakes it; this is for the case that both happened at the same moment.
    """
    return min(max(now - asked.created_at, LOOK_AGAIN_MIN), LOOK_AGAIN_MAX)


def expired(limits: Limits) -> Decision:
    """Return the decision about a trigger that is too old when it arrives."""
    detail = f"its cause is older than {limits.ttl}"
    return Decision("suppress", "expired", (Check("fresh", passed=False, detail=detail),))


def is_stale(caused_at: datetime, now: datetime, limits: Limits) -> bool:
    """Whether a trigger is too old to send anything."""
    return now - caused_at > limits.ttl
