"""One request with its answer, and how to tell of it."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

SHOWN_CHARACTERS_MAX = 1_500
_HIDDEN = {"authorization": "Bearer $KEY"}
_SHOWN_HEADERS = ("authorization", "content-type")


class Broken(Exception):
    """The server did not keep a rule; with the exchange that shows it."""

    def __init__(self, why: str, exchange: "Exchange | None" = None) -> None:
        """Say why, in a sentence."""
        super().__init__(why)
        self.exchange = exchange


@dataclass(frozen=True, slots=True)
class Exchange:
    """What was sent and what came back; ``status`` is 0 where nothing did."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    status: int = 0
    answer_headers: httpx.Headers = field(default_factory=httpx.Headers)
    answer: bytes = b""

    @property
    def json(self) -> dict[str, Any]:
        """The answer's JSON object; empty if it is none."""
        try:
            found: object = json.loads(self.answer)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType]

    @property
    def is_problem(self) -> bool:
        """Whether the answer is ``application/problem+json``."""
        media_type = self.answer_headers.get("content-type", "").partition(";")[0].strip()
        return media_type == "application/problem+json"

    def expect(self, http_status: int, /, **members: object) -> "Exchange":
        """Return itself if the answer has this status and these members; else ``Broken``."""
        if self.status != http_status:
            raise Broken(f"expected {http_status}, got {self.status or 'no answer'}", self)
        for name, value in members.items():
            if self.json.get(name) != value:
                raise Broken(f"expected {name} = {value!r}, got {self.json.get(name)!r}", self)
        return self

    def check(self, holds: object, why: str) -> None:
        """Raise ``Broken`` with ``why`` unless it holds."""
        if not holds:
            raise Broken(why, self)

    def curl(self) -> str:
        """Return the request as a command, without the key."""
        parts = ["curl -sS"] if self.method == "GET" else [f"curl -sS -X {self.method}"]
        parts.append(shlex.quote(self.url))
        for name in _SHOWN_HEADERS:
            if name in self.headers:
                value = _HIDDEN.get(name, self.headers[name])
                parts.append(f'-H "{name.title()}: {value}"')
        if self.body:
            parts.append(f"--data-binary {shlex.quote(_short(self.body))}")
        return " ".join(parts)

    def told(self) -> str:
        """Return the answer in a line."""
        return f"{self.status} {_short(self.answer)}" if self.status else "no answer"


def _short(content: bytes) -> str:
    text = content.decode(errors="replace")
    if len(text) <= SHOWN_CHARACTERS_MAX:
        return text
    return f"{text[:SHOWN_CHARACTERS_MAX]}… ({len(content):,} bytes)"
