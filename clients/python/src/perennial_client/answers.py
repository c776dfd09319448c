"""What an answer means for what was sent: done, set aside, or again later; pure.

Only an answer that is Perennial's own counts. What a captive portal, a proxy or a load balancer
says, be it 200 or 404, is no answer: the receipt stays and is sent again.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias, cast

RETRY_AFTER_MAX_S = 15 * 60.0
"""Whoever asks for more patience than this is asked again anyway."""

_KEY_STATUSES = frozenset({401, 403})
_LATER_STATUSES = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Done:
    """It is recorded, now or before."""

    event_id: str
    duplicate: bool
    claim_token: str | None


@dataclass(frozen=True, slots=True)
class Never:
    """It can not succeed as it is; ``problem`` says why."""

    problem: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Later:
    """Nothing is known to be wrong with it: send the same again."""

    why: str
    wait_s: float = 0.0
    """At least so long, by ``Retry-After``."""
    ours: bool = False
    """Whether the server admits a bug (500): the one case that may never pass by itself."""


@dataclass(frozen=True, slots=True)
class KeyRefused:
    """The key is missing, revoked or another terminal's: nothing is wrong with the receipts."""

    why: str


Verdict: TypeAlias = Done | Never | Later | KeyRefused


def of_response(status: int, headers: Mapping[str, str], content: bytes) -> Verdict:
    """Return the verdict on a request that carried one receipt."""
    told = document(content)
    if status == 202 and told is not None and isinstance(told.get("event_id"), str):
        return _done(told, duplicate=told.get("duplicate") is True)
    return of_problem(status, headers, told)


def of_rows(content: bytes, rows: int) -> list[Verdict] | None:
    """Return a verdict per row of a batch's answer; None if it is not one."""
    told = document(content)
    results: object = told.get("results") if told is not None else None
    if not isinstance(results, list):
        return None
    found = [_object(one) for one in cast("list[object]", results)]
    if [one.get("index") for one in found] != list(range(rows)):
        return None
    return [_of_row(one) for one in found]


def of_problem(status: int, headers: Mapping[str, str], told: Mapping[str, Any] | None) -> Verdict:
    """Return the verdict on anything that is not a yes."""
    wait_s = retry_after_s(headers.get("retry-after"), now=datetime.now(UTC))
    code = told.get("code") if told is not None else None
    why = f"{status} {code}" if code else f"{status}, not from Perennial"
    if told is None or code is None:
        return Later(why, wait_s)
    if status in _KEY_STATUSES:
        return KeyRefused(why)
    if wait_s or status in _LATER_STATUSES or not 400 <= status < 500:
        return Later(why, wait_s, ours=status == 500)
    return Never(told)


def retry_after_s(header: str | None, *, now: datetime) -> float:
    """Return the seconds that ``Retry-After`` asks for, as a number or a date; 0 if none."""
    if header is None:
        return 0.0
    try:
        seconds = float(header)
    except ValueError:
        try:
            at = parsedate_to_datetime(header)
        except ValueError:
            return 0.0
        seconds = (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()
    return min(max(seconds, 0.0), RETRY_AFTER_MAX_S) if math.isfinite(seconds) else 0.0


def _of_row(row: Mapping[str, Any]) -> Verdict:
    outcome, event_id = row.get("outcome"), row.get("event_id")
    if outcome in {"accepted", "replayed"} and isinstance(event_id, str):
        return _done(row, duplicate=outcome == "replayed")
    problem: object = row.get("problem")
    if not isinstance(problem, dict):
        return Later("a row without an outcome")
    told = cast("dict[str, Any]", problem)
    status: object = told.get("status")
    return of_problem(status if isinstance(status, int) else 0, {}, told)


def _done(told: Mapping[str, Any], *, duplicate: bool) -> Done:
    token: object = told.get("claim_token")
    return Done(
        event_id=told["event_id"],
        duplicate=duplicate,
        claim_token=token if isinstance(token, str) else None,
    )


def document(content: bytes) -> dict[str, Any] | None:
    """Return the JSON object of an answer; None if it is none."""
    try:
        found: object = json.loads(content)
    except ValueError:
        return None
    return _object(found) or None


def _object(found: object) -> dict[str, Any]:
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
