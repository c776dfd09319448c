"""Events of ``credentials`` (hashed API keys, compacted by key id) and of ``credential-uses``."""

from typing import Annotated, Literal, TypeAlias

from pydantic import AwareDatetime, Field

from shared.contracts.envelope import Contract, Event
from shared.contracts.members import Version

HEARTBEAT_KEY = "heartbeat"
"""The key of the record that says that ``credentials`` is up to date; no key id is so short."""

Role = Literal["terminal", "app", "staff", "marketer", "admin"]


class CredentialState(Contract):
    """One API key as services need it to verify a caller; the key itself is never stored."""

    key_id: str
    """The public part of the key; it is not secret."""
    version: Version
    """Grows with each change of this key."""
    secret_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the secret part, in hex; the secret is random, so it needs no salt."""
    role: Role
    """What the caller may do."""
    label: str
    """For people: whose key it is."""
    store_id: str | None = None
    """The one store that a terminal's key may act for."""
    terminal_id: str | None = None
    """The one terminal that a terminal's key may act for."""
    not_before: AwareDatetime | None = None
    """Refused before this instant."""
    expires_at: AwareDatetime | None = None
    """Refused from this instant on."""
    revoked_at: AwareDatetime | None = None
    """When it was withdrawn for good."""


class CredentialChanged(Event):
    """A key was made, changed or revoked."""

    type: Literal["credential.changed.v1"] = "credential.changed.v1"
    data: CredentialState


class Heartbeat(Contract):
    """That every change of a key up to the event's ``time`` was published before it."""

    every_s: Annotated[int, Field(ge=1)]
    """The next one follows in so many seconds."""


class CredentialHeartbeat(Event):
    """The keys are up to date as of ``time``; without a recent one desks are refused."""

    type: Literal["credential.heartbeat.v1"] = "credential.heartbeat.v1"
    data: Heartbeat


CredentialEvent: TypeAlias = CredentialChanged | CredentialHeartbeat


class WrongPlace(Contract):
    """Another store or terminal that a terminal's key spoke for, and was refused."""

    store_id: str
    """The store that the request named."""
    terminal_id: str | None = None
    """The terminal that the request named, where it named one."""
    attempts: Annotated[int, Field(ge=1)]
    """How often, since the report before."""


class CredentialUse(Contract):
    """What one process saw of one key since its report before."""

    key_id: str
    """The public part of the key."""
    service: str
    """Which service saw it."""
    last_used_at: AwareDatetime
    """When it was last shown while it counted."""
    wrong_places: tuple[WrongPlace, ...] = ()
    """The first few; ``more_wrong_attempts`` has the rest."""
    more_wrong_attempts: Annotated[int, Field(ge=0)] = 0
    """Refused attempts at further stores and terminals."""


class CredentialUsed(Event):
    """A key was used, and perhaps where it does not belong; told in batches."""

    type: Literal["credential.used.v1"] = "credential.used.v1"
    data: CredentialUse
