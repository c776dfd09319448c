"""Event of ``credentials``: hashed API keys, compacted by key id."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from shared.contracts.envelope import Contract, Event
from shared.contracts.members import Version

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
