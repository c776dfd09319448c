"""Codes that a member's phone shows at a till: which phone it is, and that it is there now.

A code has sixteen digits: eight number the device, eight are its password of this minute
(RFC 6238: HMAC-SHA-1, steps of 60 s from 1970-01-01 UTC). The phone needs no network for it.
"""

import base64
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from pyotp.hotp import HOTP

PERIOD_S = 60
DIGITS = 8
SKEW_STEPS = 1
"""How many steps the phone's clock may be ahead or behind."""
NUMBER_MIN = 10_000_000
NUMBER_MAX = 99_999_999
SECRET_BYTES = 20
"""As RFC 4226 recommends for HMAC-SHA-1."""

_FORM = re.compile(rf"(?:app:)?([0-9]{{8}})([0-9]{{{DIGITS}}})", re.ASCII | re.IGNORECASE)
_BLANKS = re.compile(r"[ -]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Device:
    """A member's phone, or another installation of the app."""

    device_id: UUID
    number: int
    """Eight digits, the first half of its codes; no other device has it."""
    member_id: UUID
    name: str | None
    enrolled_at: datetime
    revoked_at: datetime | None = None
    last_step: int = 0
    """The newest step whose code was spent; that and older ones are no good any more."""
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Code:
    """A code that has the right form; whether it is good is another question."""

    number: int
    password: str


def parse(text: str) -> Code | None:
    """Return the parts of a code, with or without ``app:``, blanks and dashes; None for others."""
    match = _FORM.fullmatch(_BLANKS.sub("", text))
    if match is None:
        return None
    return Code(int(match[1]), match[2])


def device_secret(key: bytes, device_id: UUID) -> str:
    """Return the secret that the app of a device keeps, in base32: it is derived, never stored."""
    return base64.b32encode(hmac.digest(key, device_id.bytes, "sha256")[:SECRET_BYTES]).decode()


def step_at(now: datetime) -> int:
    """Return the number of the 60 s step that ``now`` is in."""
    return int(now.timestamp()) // PERIOD_S


def step_begins(step: int) -> datetime:
    """Return when a step begins, and with that when the one before ends."""
    return datetime.fromtimestamp(step * PERIOD_S, UTC)


def code_of(number: int, secret: str, step: int) -> str:
    """Return the code that a device shows during a step."""
    return f"{number}{HOTP(secret, digits=DIGITS).at(step)}"


def matching_step(secret: str, password: str, now: datetime) -> int | None:
    """Return which step's password that is, of those that the skew allows.

    Every step is compared, each in constant time, so that the time taken says nothing.
    """
    passwords, current = HOTP(secret, digits=DIGITS), step_at(now)
    allowed = range(current - SKEW_STEPS, current + SKEW_STEPS + 1)
    matching = [step for step in allowed if passwords.verify(password, step)]
    return matching[-1] if matching else None
