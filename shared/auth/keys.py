"""The form of an API key: ``prn_<key id>_<secret><checksum>``.

The prefix lets secret scanners find a leaked key, and the checksum tells a mistyped one from an
unknown one without a look into the database. The secret has 190 random bits, so a plain SHA-256
of it is all that has to be stored: there is nothing to guess that a slow hash would slow down.
"""

import hashlib
import hmac
import re
import secrets
import string
import zlib
from dataclasses import dataclass, field

PREFIX = "prn_"
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
KEY_ID_LENGTH = 12
SECRET_LENGTH = 32
CHECKSUM_LENGTH = 6

_FORM = re.compile(
    rf"prn_([0-9A-Za-z]{{{KEY_ID_LENGTH}}})_([0-9A-Za-z]{{{SECRET_LENGTH}}})"
    rf"([0-9A-Za-z]{{{CHECKSUM_LENGTH}}})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that has the right form; whether it is known is another question."""

    key_id: str
    secret_sha256: str = field(repr=False)
    """Hex; what is stored and compared."""

    def matches(self, stored_sha256: str) -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(self.secret_sha256.encode(), stored_sha256.encode())


def new_key() -> str:
    """Return a fresh key; show it once, and keep only ``parse_key(key).secret_sha256``."""
    key_id = _random(KEY_ID_LENGTH)
    body = f"{PREFIX}{key_id}_{_random(SECRET_LENGTH)}"
    return body + _checksum(body)


def parse_key(text: str) -> ApiKey | None:
    """Return the parts of a key, or None if it cannot be one of ours."""
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    key_id, secret, checksum = match.groups()
    if _checksum(text[:-CHECKSUM_LENGTH]) != checksum:
        return None
    return ApiKey(key_id, hashlib.sha256(secret.encode()).hexdigest())


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def _checksum(text: str) -> str:
    """Return the CRC-32 of ``text`` in base 62, six digits."""
    rest = zlib.crc32(text.encode())
    digits = ""
    for _ in range(CHECKSUM_LENGTH):
        rest, digit = divmod(rest, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
