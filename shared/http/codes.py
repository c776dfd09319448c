"""The stable codes of the plumbing's problems; services publish their own beside these.

A code never changes its meaning. ``catalogue`` is what the documentation is made from.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """What a problem's ``code`` says: its HTTP status, its title, and what the caller can do."""

    status: int
    title: str
    advice: str


CODES: dict[str, Code] = {
    "invalid_request": Code(
        422, "Invalid request", "Correct the fields that `errors` names; nothing was written."
    ),
    "malformed_json": Code(422, "Malformed JSON", "Send a body that is JSON in UTF-8."),
    "identifier_malformed": Code(
        422, "Malformed identifier", "Send the card, phone, e-mail or app id as it is issued."
    ),
    "invalid_cursor": Code(422, "Invalid cursor", "Start again without a cursor."),
    "bad_request": Code(400, "Bad request", "Correct the request."),
    "unauthenticated": Code(
        401, "Not authenticated", "Send `Authorization: Bearer <key>` with a key that is valid now."
    ),
    "too_many_failures": Code(
        429, "Too many failures", "Wait for `Retry-After` seconds, then use a valid key."
    ),
    "forbidden": Code(403, "Forbidden", "Use a key whose role allows this call."),
    "wrong_terminal": Code(
        403, "Wrong terminal", "Use the key of the store and terminal that the body names."
    ),
    "not_found": Code(404, "Not found", "Check the path; what belongs to another is not found."),
    "method_not_allowed": Code(405, "Method not allowed", "Use a method that `Allow` names."),
    "request_timeout": Code(408, "Request too slow", "Send the body faster."),
    "body_too_large": Code(413, "Body too large", "Send at most `limit_bytes`."),
    "headers_too_large": Code(431, "Headers too large", "Send fewer or shorter headers."),
    "idempotency_key_missing": Code(
        400, "Idempotency-Key missing", "Send an `Idempotency-Key` header of 1 to 128 characters."
    ),
    "idempotency_key_reused": Code(
        422, "Idempotency-Key reused", "Take a fresh key for a request that differs."
    ),
    "idempotency_key_in_use": Code(
        409, "Still running", "The first request with this key still runs; repeat it later."
    ),
    "dead_letter_not_found": Code(404, "Dead letter not found", "List the dead letters."),
    "too_many_parked": Code(409, "Too many parked events", "Replay by the command instead."),
    "still_malformed": Code(409, "Still malformed", "Upgrade, or drop the dead letter."),
    "unknown_partition": Code(404, "Unknown partition", "Run `migrate`, which seeds the offsets."),
    "still_refused": Code(409, "Still refused", "Correct the cause named in `reason`, or drop it."),
    "overloaded": Code(503, "Overloaded", "Repeat the same request after `Retry-After` seconds."),
    "deadline_exceeded": Code(
        503,
        "Took too long",
        "It may or may not have been done: repeat the same request with the same key.",
    ),
    "unavailable": Code(503, "Unavailable", "Repeat the same request after `Retry-After` seconds."),
    "database_unavailable": Code(
        503, "Database unavailable", "Repeat the same request after `Retry-After` seconds."
    ),
    "kafka_unavailable": Code(
        503, "Kafka unavailable", "Repeat the same request after `Retry-After` seconds."
    ),
    "credentials_unavailable": Code(
        503, "Keys cannot be verified", "Repeat the same request after `Retry-After` seconds."
    ),
    "credentials_stale": Code(
        503, "Keys cannot be verified", "Repeat the same request after `Retry-After` seconds."
    ),
    "internal_error": Code(
        500, "Internal error", "Our fault: report the `X-Request-Id` of the answer."
    ),
}


def catalogue(*more: dict[str, Code]) -> str:
    """Return the catalogue as a table in Markdown, sorted by code."""
    codes = dict(CODES)
    for each in more:
        codes.update(each)
    rows = [
        f"| `{name}` | {code.status} | {code.title} | {code.advice} |"
        for name, code in sorted(codes.items())
    ]
    return "\n".join(["| code | status | title | what to do |", "| --- | --- | --- | --- |", *rows])
