"""Members and what they are recognised by."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

SHOWN_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Identifier:
    """An identifier in its normal form's hash; ``masked`` is all that is kept to show."""

    kind: str
    hmac: str
    masked: str


@dataclass(frozen=True, slots=True)
class Profile:
    """What a member told about themselves."""

    name: str | None = None
    email: str | None = None
    phone: str | None = None
    birth_date: date | None = None
    locale: str | None = None
    time_zone: str | None = None
    home_store: str | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A member; ``version`` grows with each change that others may see."""

    member_id: UUID
    version: int
    status: str
    enrolled_at: datetime
    profile: Profile
    external_id: str | None = None
    tier: str | None = None
    request_sha256: bytes = b""
    imported: bool = False
    """Taken over from another system."""
    merged_into: UUID | None = None
    """Who took over; only of one who was merged."""


def mask(kind: str, normalised: str) -> str:
    """Return an identifier as it may be shown: its end, or an address' first letter and domain."""
    if kind == "email":
        local, _, domain = normalised.rpartition("@")
        return f"{local[:1]}…@{domain}"
    if len(normalised) <= SHOWN_DIGITS:
        return "…"
    return f"…{normalised[-SHOWN_DIGITS:]}"


def mask_name(name: str | None) -> str | None:
    """Return a name as a till may show it: the first name and the initial of the last."""
    if not name:
        return None
    first, *rest = name.split()
    return f"{first} {rest[-1][0]}." if rest else first
