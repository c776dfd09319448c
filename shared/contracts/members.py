"""Events of ``members`` and ``member-contacts``: compacted, keyed by member id, full state."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from shared.contracts.envelope import Contract, Event

Version = Annotated[int, Field(ge=1)]
"""Grows with each change of the thing; a consumer rejects a lower one."""


class IdentifierHash(Contract):
    """Keyed HMAC-SHA-256 (hex) of a normalised identifier; never the identifier itself."""

    kind: Literal["card", "phone", "email", "app_id"]
    """What was hashed; part of the hashed text, so that kinds never collide."""
    hmac: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """64 hex digits; the key is known to ingest and loyalty alone."""


class MemberState(Contract):
    """A member's current state without personal data."""

    member_id: UUID
    """Who."""
    version: Version
    """Grows with each change of this member."""
    status: Literal["active", "merged", "erased"]
    """``merged`` points on to another member; ``erased`` is kept so that nothing revives them."""
    enrolled_at: AwareDatetime
    """When they joined."""
    tier: str | None = None
    """Code of the current tier; absent for none."""
    locale: str | None = None
    """BCP 47 tag, such as ``en-US``."""
    time_zone: str | None = None
    """IANA name."""
    home_store: str | None = None
    """Store id of the shop they call theirs."""
    merged_into: UUID | None = None
    """The member that took over; only with status ``merged``."""
    identifiers: tuple[IdentifierHash, ...] = ()
    """What they are recognised by; one that is no longer here no longer identifies them."""
    imported: bool = False
    """Taken over from another system: nobody greets them as new."""


class MemberContact(Contract):
    """How to reach a member; personal data, readable by notify and insight alone."""

    member_id: UUID
    """Who."""
    version: Version
    """Grows with each change of these details."""
    name: str | None = None
    """As they gave it, in one piece."""
    email: str | None = None
    """Normalised; not proven to be theirs."""
    phone: str | None = None
    """E.164."""
    locale: str | None = None
    """BCP 47 tag, such as ``en-US``."""
    time_zone: str | None = None
    """IANA name; quiet hours are counted in it."""


class MemberChanged(Event):
    """A member was enrolled or changed."""

    type: Literal["member.changed.v1"] = "member.changed.v1"
    data: MemberState


class MemberContactChanged(Event):
    """A member's contact details were given or changed."""

    type: Literal["member.contact_changed.v1"] = "member.contact_changed.v1"
    data: MemberContact
