"""Unsubscribe tokens: whose, and from what, signed so that nobody can make one up.

A token is base64url of ``version | member | topic | channel | message`` and the first half of
their HMAC-SHA-256 (RFC 2104 §5 allows halving). It never expires: the link in an old mail must
work. It opens nothing but the way out.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.notify.domain import matrix

_VERSION = 1
_TAG_BYTES = 16
_BODY_BYTES = 1 + 16 + 1 + 1 + 16
LENGTH = 4 * -(-(_BODY_BYTES + _TAG_BYTES) // 3)
"""Characters of a token; 51 bytes need no padding."""


@dataclass(frozen=True, slots=True)
class Leave:
    """What a link's owner may leave: a topic (or all marketing) on one channel."""

    member_id: UUID
    topic: matrix.Topic
    channel: matrix.Channel
    message_id: UUID


def _tag(key: bytes, body: bytes) -> bytes:
    # The prefix keeps a signature made for another purpose with the same key from fitting here.
    return hmac.digest(key, b"perennial/unsubscribe\x00" + body, hashlib.sha256)[:_TAG_BYTES]


def sign(leave: Leave, key: bytes) -> str:
    """Return the token of ``leave``."""
    body = bytes((_VERSION,)) + leave.member_id.bytes
    body += bytes((matrix.TOPICS.index(leave.topic), matrix.CHANNELS.index(leave.channel)))
    body += leave.message_id.bytes
    return base64.urlsafe_b64encode(body + _tag(key, body)).decode()


def read(token: str, keys: Sequence[bytes]) -> Leave | None:
    """Return what ``token`` says, or None unless one of ``keys`` signed exactly this.

    The first key signs; the others are those of the past, whose links still work.
    """
    if len(token) != LENGTH:
        return None
    try:
        raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
    body, tag = raw[:_BODY_BYTES], raw[_BODY_BYTES:]
    signed = [hmac.compare_digest(_tag(key, body), tag) for key in keys]
    if not any(signed) or body[0] != _VERSION:
        return None
    return Leave(
        member_id=UUID(bytes=body[1:17]),
        topic=matrix.TOPICS[body[17]],
        channel=matrix.CHANNELS[body[18]],
        message_id=UUID(bytes=body[19:35]),
    )
