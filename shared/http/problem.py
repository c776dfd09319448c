"""Errors as ``application/problem+json`` (RFC 9457), each with a stable ``code``."""

import json
import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import singledispatch
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from shared.contracts.problems import CODES
from shared.db.retry import is_transient
from shared.errors import Malformed, Refused, Unavailable

MEDIA_TYPE = "application/problem+json"
ERRORS_MAX = 50
"""Most fields named in one problem; the first ones are enough to go on."""
BUG_DETAIL = "Something went wrong on our side; it has been logged."

_HTTP_CODES = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    503: "unavailable",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, in the terms of HTTP."""

    status: int
    code: str
    detail: str
    extra: Mapping[str, object] = field(default_factory=dict[str, object])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def body(self) -> bytes:
        """Return the document."""
        known = CODES.get(self.code)
        document = {
            "type": f"urn:perennial:problem:{self.code}",
            "title": known.title if known else HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **self.extra,
        }
        return json.dumps(document, default=str, ensure_ascii=False).encode(errors="replace")

    def response(self) -> Response:
        """Return the answer."""
        return Response(self.body(), self.status, dict(self.headers), MEDIA_TYPE)


@singledispatch
def from_error(error: BaseException) -> Problem:
    """Return what to tell the caller about ``error``; anything unknown is our bug, a 500.

    ``shared.http.app`` adds what FastAPI raises.
    """
    if is_transient(error):
        return unavailable("database_unavailable", "The database does not answer; try again.")
    return Problem(500, "internal_error", BUG_DETAIL)


@from_error.register
def _from_malformed(error: Malformed) -> Problem:
    extra = {"errors": list(error.errors)} if error.errors else {}
    return Problem(422, error.code, error.detail, extra)


@from_error.register
def _from_unavailable(error: Unavailable) -> Problem:
    return unavailable(error.code, error.detail, error.retry_after_s)


@from_error.register
def _from_http(error: HTTPException) -> Problem:
    """Translate what Starlette raises: no such path, no such method, and the like."""
    code = _HTTP_CODES.get(error.status_code, "bad_request")
    return Problem(error.status_code, code, CODES[code].advice, headers=dict(error.headers or {}))


def unavailable(code: str, detail: str, retry_after_s: float = 2.0) -> Problem:
    """Return a 503 that spreads the retries of those who were turned away together."""
    return Problem(503, code, detail, headers={"Retry-After": jittered(retry_after_s)})


def jittered(seconds: float) -> str:
    """Return a ``Retry-After`` of whole seconds, at least one, up to twice ``seconds``."""
    least = max(1, math.ceil(seconds))
    return str(random.randint(least, max(2, math.ceil(2 * seconds))))  # noqa: S311  not a secret


@from_error.register
def _from_refusal(error: Refused) -> Problem:
    extra = dict(error.extra)
    headers: dict[str, str] = {}
    wait_s = extra.pop("retry_after_s", None)
    if isinstance(wait_s, int | float):
        headers["Retry-After"] = str(max(1, math.ceil(wait_s)))
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="perennial"'
    return Problem(error.status, error.code, error.detail, extra, headers)


def from_fields(errors: Iterable[Mapping[str, Any]]) -> Problem:
    """Name the fields that ``errors`` of pydantic name.

    Never echo what was sent, which may be personal.
    """
    found = list(errors)
    if any(one["type"] == "json_invalid" for one in found):
        return Problem(422, "malformed_json", "The body is not valid JSON.")
    fields = [
        {"field": _path(one["loc"]), "message": str(one["msg"])} for one in found[:ERRORS_MAX]
    ]
    named = ", ".join(dict.fromkeys(one["field"] for one in fields[:3]))
    return Problem(422, "invalid_request", f"Not acceptable: {named}.", {"errors": fields})


def _path(location: Iterable[int | str]) -> str:
    """Return ``lines.0.sku`` for ``("body", "lines", 0, "sku")``."""
    parts = [str(part) for part in location]
    return ".".join(parts[1:]) or parts[0]
