"""Codes of gift cards: what is printed on a card, and what a person types.

A code is 15 random characters and one that checks them, of an alphabet of 29: no 0, O, 1 and I,
which look like each other, and no B, S and Z, which are read as the digits they look like. Since
29 is prime, a sum with a weight of its own for each place notices any one wrong character and any
two that have changed places. The random part has 72 bits.
"""

ALPHABET = "23456789ACDEFGHJKLMNPQRTUVWXY"
LENGTH = 16
GROUP = 4
TAIL = 4
"""How many characters at the end are shown once the code itself is not."""
TYPED_MAX = 64
"""Longest text that is read as a code: a person may put anything between the characters."""

_PLACE = {character: place for place, character in enumerate(ALPHABET)}
_READ_AS = str.maketrans({"B": "8", "S": "5", "Z": "2", " ": "", "-": ""})


def from_digest(digest: bytes) -> str:
    """Return the code that ``digest`` (32 bytes, each as likely as any other) stands for."""
    number = int.from_bytes(digest)
    payload = ""
    for _ in range(LENGTH - 1):
        number, place = divmod(number, len(ALPHABET))
        payload += ALPHABET[place]
    # The check character has the weight LENGTH; its inverse solves for what makes the sum 0.
    check = -_sum(payload) * pow(LENGTH, -1, len(ALPHABET))
    return payload + ALPHABET[check % len(ALPHABET)]


def read(typed: str) -> str | None:
    """Return the code as it is stored, whatever its case and grouping; None for no code."""
    code = typed.upper().translate(_READ_AS)
    if len(code) != LENGTH or not set(code) <= _PLACE.keys() or _sum(code) % len(ALPHABET):
        return None
    return code


def grouped(code: str) -> str:
    """Return the code as it is printed, in groups of four."""
    return "-".join(code[at : at + GROUP] for at in range(0, LENGTH, GROUP))


def masked(tail: str) -> str:
    """Return what is shown of a code of which the last characters are known."""
    return grouped("*" * (LENGTH - TAIL) + tail)


def _sum(code: str) -> int:
    return sum(weight * _PLACE[character] for weight, character in enumerate(code, 1))
