"""What a till makes of an answer: only Perennial's own word ends a receipt."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from perennial_client import answers
from perennial_client.answers import Done, KeyRefused, Later, Never

PORTAL = b"<html>Please log in to FreeWifi</html>"
NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)


def told(**body: Any) -> bytes:
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    ("status", "headers", "content", "expected"),
    [
        (
            202,
            {},
            told(event_id="e", duplicate=False),
            Done("e", duplicate=False, claim_token=None),
        ),
        (202, {}, told(event_id="e", duplicate=True, claim_token="c"), Done("e", True, "c")),
        (202, {}, told(welcome="guest"), Later),
        (200, {}, PORTAL, Later),
        (302, {}, b"", Later),
        (404, {}, PORTAL, Later),
        (403, {}, PORTAL, Later),
        (403, {}, told(message="Forbidden"), Later),
        (422, {}, PORTAL, Later),
        (422, {}, told(code="invalid_request"), Never),
        (409, {}, told(code="purchase_conflict"), Never),
        (413, {}, told(code="body_too_large"), Never),
        (404, {}, told(code="not_found"), Never),
        (409, {"retry-after": "1"}, told(code="still_running"), Later),
        (401, {}, told(code="unauthenticated"), KeyRefused),
        (403, {}, told(code="wrong_terminal"), KeyRefused),
        (408, {}, told(code="request_timeout"), Later),
        (429, {"retry-after": "7"}, told(code="too_many_failures"), Later),
        (500, {}, told(code="internal_error"), Later),
        (503, {"retry-after": "3"}, told(code="overloaded"), Later),
        (502, {}, PORTAL, Later),
    ],
)
def test_verdict_on_one_receipt(
    status: int, headers: dict[str, str], content: bytes, expected: Any
) -> None:
    verdict = answers.of_response(status, headers, content)

    assert verdict == expected if isinstance(expected, Done) else type(verdict) is expected


def test_only_a_servers_own_500_counts_as_its_bug() -> None:
    ours = answers.of_response(500, {}, told(code="internal_error"))
    theirs = answers.of_response(500, {}, PORTAL)

    assert isinstance(ours, Later)
    assert isinstance(theirs, Later)
    assert (ours.ours, theirs.ours) == (True, False)


def test_every_row_of_a_batch_has_its_own_verdict() -> None:
    rows = [
        {"index": 0, "outcome": "accepted", "event_id": "a", "claim_token": "c"},
        {"index": 1, "outcome": "replayed", "event_id": "b"},
        {"index": 2, "outcome": "conflict", "problem": {"status": 409, "code": "x"}},
        {"index": 3, "outcome": "invalid", "problem": {"status": 422, "code": "y"}},
        {"index": 4, "outcome": "invalid", "problem": {"status": 403, "code": "wrong_terminal"}},
        {"index": 5, "outcome": "invalid", "problem": {"status": 503, "code": "unavailable"}},
        {"index": 6, "outcome": "of another kind"},
    ]

    verdicts = answers.of_rows(told(results=rows), 7)

    assert verdicts is not None
    assert verdicts[0] == Done("a", duplicate=False, claim_token="c")
    assert verdicts[1] == Done("b", duplicate=True, claim_token=None)
    assert [type(one) for one in verdicts[2:]] == [Never, Never, KeyRefused, Later, Later]


@pytest.mark.parametrize(
    "content",
    [
        PORTAL,
        told(results=None),
        told(results=[]),
        told(results=[{"index": 1, "outcome": "accepted", "event_id": "a"}]),
        told(results=["accepted"]),
        told(results=[{"index": 0}, {"index": 1}]),
    ],
)
def test_rows_that_do_not_match_what_was_sent_are_no_answer(content: bytes) -> None:
    assert answers.of_rows(content, 1) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("7", 7),
        ("1.5", 1.5),
        ("-3", 0),
        ("nan", 0),
        ("inf", 0),
        ("soon", 0),
        ("999999", answers.RETRY_AFTER_MAX_S),
        ("Sun, 22 Nov 2026 14:00:30 GMT", 30),
        ("Sun, 22 Nov 2026 13:00:00 GMT", 0),
    ],
)
def test_retry_after_is_a_number_or_a_date(header: str | None, seconds: float) -> None:
    assert answers.retry_after_s(header, now=NOW) == seconds
