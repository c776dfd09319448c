"""What callers are told about errors."""

import json
from typing import Any

import pytest
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

import shared.http.app  # noqa: F401  # pyright: ignore[reportUnusedImport]  adds FastAPI's own
from shared.errors import Malformed, Refused, Unavailable
from shared.http import problem


def document(error: BaseException) -> dict[str, Any]:
    """Return the problem document for ``error``."""
    body: dict[str, Any] = json.loads(problem.from_error(error).body())
    return body


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Refused("note_refused", "no"), 409, "note_refused"),
        (Refused("x_gone", "no", status=404), 404, "x_gone"),
        (Malformed("note_malformed", "never"), 422, "note_malformed"),
        (Unavailable("unavailable", "later"), 503, "unavailable"),
        (HTTPException(404), 404, "not_found"),
        (HTTPException(405), 405, "method_not_allowed"),
        (HTTPException(418), 418, "bad_request"),
        (ConnectionRefusedError(), 503, "database_unavailable"),
        (TimeoutError(), 503, "database_unavailable"),
        (RuntimeError("secret"), 500, "internal_error"),
    ],
)
def test_every_error_has_its_status_and_code(error: BaseException, status: int, code: str) -> None:
    told = document(error)
    assert (told["status"], told["code"]) == (status, code)
    assert told["type"] == f"urn:perennial:problem:{code}"
    assert told["title"]
    assert "secret" not in json.dumps(told)


def test_validation_errors_name_fields_and_never_what_was_sent() -> None:
    error = RequestValidationError(
        [
            {"type": "x", "loc": ("body", "lines", 0, "sku"), "msg": "too long", "input": "Jane"},
            {"type": "x", "loc": ("query", "limit"), "msg": "too big", "input": 101},
            {"type": "x", "loc": ("body",), "msg": "missing", "input": None},
        ]
    )
    told = document(error)
    assert told["code"] == "invalid_request"
    assert [each["field"] for each in told["errors"]] == ["lines.0.sku", "limit", "body"]
    assert "Jane" not in json.dumps(told)


def test_refusal_carries_its_extra_members() -> None:
    assert document(Refused("note_refused", "no", fields=["total_minor"]))["fields"] == [
        "total_minor"
    ]


def test_waits_are_whole_seconds_of_at_least_one() -> None:
    refused = problem.from_error(Refused("too_many", "no", status=429, retry_after_s=0.2))
    assert refused.headers["Retry-After"] == "1"
    waits = {
        int(problem.from_error(Unavailable("u", "l", retry_after_s=3)).headers["Retry-After"])
        for _ in range(200)
    }
    assert waits == {3, 4, 5, 6}


def test_unauthorized_answers_say_how_to_authenticate() -> None:
    refused = problem.from_error(Refused("unauthenticated", "no", status=401))
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")


def test_text_that_is_no_unicode_is_still_told() -> None:
    assert document(Refused("note_refused", "\ud800"))["detail"] == "?"
