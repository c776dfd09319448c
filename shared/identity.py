"""How a member's identifiers are written down: one normal form, and a keyed hash of it.

Ingest and loyalty must arrive at the same hash for the same card, so both do it here. The hash is
keyed because phone numbers and e-mail addresses can be guessed: without the key a table of hashes
tells nothing.
"""

import hmac
import re
from typing import Literal
from uuid import UUID

import phonenumbers

from shared.errors import Malformed

IdentifierKind = Literal["card", "phone", "email", "app_id", "member_id"]

IDENTIFIER_LENGTH_MAX = 254
KEY_BYTES_MIN = 32

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
# Deliberately loose: whether an address exists, only a mail to it can tell.
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")


def normalise(kind: str, value: str, *, region: str | None = None) -> str:
    """Return the one form of an identifier: trimmed, and by its kind.

    Phones become E.164; ``region`` (ISO 3166 alpha-2) is where a number without ``+`` was
    dialled. E-mail addresses are lower-cased, member ids are written as UUIDs.
    Raises ``Malformed`` for what can not be an identifier of that kind.
    """
    trimmed = value.strip()
    if not trimmed or len(trimmed) > IDENTIFIER_LENGTH_MAX or _UNPRINTABLE.search(trimmed):
        raise _malformed(kind, "must be 1 to 254 printable characters")
    if kind == "phone":
        return _phone(trimmed, region)
    if kind == "email":
        return _email(trimmed)
    if kind == "member_id":
        return _member_id(trimmed)
    if kind in {"card", "app_id"}:
        return trimmed
    raise _malformed(kind, "is not a kind of identifier")


def identifier_hmac(key: bytes, kind: str, normalised: str) -> str:
    """Return HMAC-SHA-256 (hex) over kind and normal form, so that kinds never collide."""
    return hmac.digest(key, f"{kind}:{normalised}".encode(), "sha256").hex()


def read_key(text: str) -> bytes:
    """Return the key that ``IDENTITY_KEY`` holds in hex; raises ``ValueError`` if it is short."""
    key = bytes.fromhex(text)
    if len(key) < KEY_BYTES_MIN:
        message = f"needs at least {KEY_BYTES_MIN} bytes ({2 * KEY_BYTES_MIN} hex digits)"
        raise ValueError(message)
    return key


def _phone(text: str, region: str | None) -> str:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as error:
        raise _malformed("phone", "must be a number with its country code (+…)") from error
    # "Possible" and not "valid": numbering plans change faster than installations are updated.
    if not phonenumbers.is_possible_number(number):
        raise _malformed("phone", "is too short or too long for its country")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _email(text: str) -> str:
    if not _EMAIL.fullmatch(text):
        raise _malformed("email", "must look like name@example.org")
    return text.lower()


def _member_id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError as error:
        raise _malformed("member_id", "must be a UUID") from error


def _malformed(kind: str, message: str) -> Malformed:
    # The value itself stays out: problem documents and logs carry no personal data.
    errors = [{"field": f"member.{kind}", "message": message}]
    return Malformed("identifier_malformed", f"The {kind} {message}.", errors=errors)
