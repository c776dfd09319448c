"""Tokens of hosted forms: which version was shown, when, in which language; and once per page.

base64url of a fixed head, the language, and the first half of their HMAC-SHA-256 together with
the form's id. The nonce makes the submission's id, so that a second click is the same submission.
A page of another site can not make one up, and its visitors' browsers hold nothing that would
help it: there are no cookies.
"""

import base64
import binascii
import hashlib
import hmac
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from shared import ids

VALID_FOR = timedelta(hours=24)
CHARS_MAX = 200

_HEAD = struct.Struct(">BIQ16s")
_FORMAT = 1
_TAG_BYTES = 16


@dataclass(frozen=True, slots=True)
class Shown:
    """A form that was shown to somebody."""

    version: int
    language: str
    shown_at: datetime
    """To the second."""
    nonce: bytes
    """16 random bytes."""

    @property
    def submission_id(self) -> UUID:
        """Return the id that whatever is sent from this page has."""
        return ids.derived_id(ids.NAMESPACE, f"hosted-form:{self.nonce.hex()}")


def sign(shown: Shown, form_id: str, key: bytes) -> str:
    """Return the token of a page of ``form_id``."""
    seconds = int(shown.shown_at.timestamp())
    body = _HEAD.pack(_FORMAT, shown.version, seconds, shown.nonce) + shown.language.encode()
    return base64.urlsafe_b64encode(body + _tag(body, form_id, key)).decode().rstrip("=")


def read(token: str, form_id: str, key: bytes, *, at: datetime) -> Shown | None:
    """Return what ``token`` says, or None unless we signed exactly this within a day."""
    raw = _decoded(token)
    if len(raw) <= _HEAD.size + _TAG_BYTES:
        return None
    body, tag = raw[:-_TAG_BYTES], raw[-_TAG_BYTES:]
    if not hmac.compare_digest(tag, _tag(body, form_id, key)):
        return None
    kind, version, seconds, nonce = _HEAD.unpack(body[: _HEAD.size])
    shown_at = datetime.fromtimestamp(seconds, UTC)
    if kind != _FORMAT or not timedelta(0) <= at - shown_at <= VALID_FOR:
        return None
    return Shown(version, body[_HEAD.size :].decode(), shown_at, nonce)


def languages_of(accepted: str) -> Sequence[str]:
    """Return the tags of an ``Accept-Language`` header, best first."""
    ranked: list[tuple[float, str]] = []
    for part in accepted[:500].split(","):
        tag, _, weight = part.partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if quality > 0 and tag.strip() not in {"", "*"}:
            ranked.append((-quality, tag.strip()))
    return [tag for _, tag in sorted(ranked, key=lambda one: one[0])]


def _decoded(token: str) -> bytes:
    if len(token) > CHARS_MAX:
        return b""
    try:
        padded = token.encode("ascii") + b"=" * (-len(token) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return b""


def _tag(body: bytes, form_id: str, key: bytes) -> bytes:
    signed = b"perennial/form\x00" + form_id.encode() + b"\x00" + body
    return hmac.digest(key, signed, hashlib.sha256)[:_TAG_BYTES]
