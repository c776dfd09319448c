"""Stand-in until shared.auth is there."""

import secrets
import string
import zlib

_A = string.digits + string.ascii_uppercase + string.ascii_lowercase


def new_key() -> str:
    words = ["".join(secrets.choice(_A) for _ in range(n)) for n in (12, 32)]
    body = "_".join(words)
    crc, out = zlib.crc32(body.encode()), ""
    for _ in range(6):
        crc, r = divmod(crc, 62)
        out = _A[r] + out
    return f"prn_{body}{out}"
