"""The stable ``code`` of every problem that an API answers with, for clients to act on.

A code never changes its meaning. ``docs/problems.md`` is written from here:
``python -m shared.contracts.problems > docs/problems.md``.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """What a problem's ``code`` says: its HTTP status, its title, and what the caller can do."""

    status: int
    title: str
    advice: str


PLUMBING: Mapping[str, Code] = {
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
    "too_many_requests": Code(
        429, "Too many requests", "Wait for `Retry-After` seconds; a batch counts by its size."
    ),
    "forbidden": Code(403, "Forbidden", "Use a key whose role allows this call."),
    "wrong_terminal": Code(
        403, "Wrong terminal", "Use the key of the store and terminal that the body names."
    ),
    "not_found": Code(404, "Not found", "Check the path; what belongs to another is not found."),
    "method_not_allowed": Code(405, "Method not allowed", "Use a method that `Allow` names."),
    "request_timeout": Code(408, "Request too slow", "Send the body faster."),
    "body_too_large": Code(413, "Body too large", "Send at most `limit_bytes`."),
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
    "peer_unavailable": Code(
        503, "Another service is away", "Repeat the same request after `Retry-After` seconds."
    ),
    "import_not_found": Code(404, "No such import", "Use the `import_id` of an answer."),
    "import_format": Code(
        422, "File not readable", "Correct what the detail and `errors` name; nothing was applied."
    ),
    "import_ended": Code(409, "Import ended", "Send the file again."),
    "internal_error": Code(
        500, "Internal error", "Our fault: report the `X-Request-Id` of the answer."
    ),
}


BUSINESS: Mapping[str, Code] = {
    # ingest
    "purchase_conflict": Code(
        409, "Purchase differs", "Send what changed (see `fields`) as an amendment."
    ),
    "return_conflict": Code(
        409, "Return differs", "A return with this number was recorded; see `fields`."
    ),
    "void_conflict": Code(409, "Void differs", "The sale was voided already; see `fields`."),
    "amendment_conflict": Code(
        409, "Amendment differs", "Send another correction under the next `revision`."
    ),
    "amendment_fixed": Code(
        409, "Can not be corrected", "Send what `fields` names as it was recorded; claim a receipt."
    ),
    "amendment_below_return": Code(
        409, "Less than came back", "Correct the line to no less than what `returned` says."
    ),
    "claim_unknown": Code(
        404, "Nothing to claim", "Check the token; one that is too old is not found either."
    ),
    "receipt_in_review": Code(
        409, "Being reviewed", "Claim it again once the shop has accepted the late receipt."
    ),
    "review_not_found": Code(404, "No such review", "List the reviews."),
    "review_decided": Code(409, "Decided already", "A decision stays; see `state`."),
    "store_needed": Code(422, "Which store?", "Name one of `stores` in `store_id`."),
    "terminal_not_found": Code(404, "No such terminal", "It has sent no running numbers yet."),
    "already_claimed": Code(409, "Already claimed", "The receipt belongs to another member."),
    "too_many_claims": Code(
        429, "Too many claims", "Wait for `Retry-After` seconds; a valid token always passes."
    ),
    "receipt_voided": Code(409, "Sale voided", "Nothing is left of it; record a new sale."),
    "void_of_return": Code(409, "Number of a return", "Only a sale can be voided."),
    "unlinked_return": Code(409, "Receipt needed", "Name the sale in `original`."),
    "over_return": Code(409, "Over-return", "Return at most what `left` says."),
    "return_currency": Code(409, "Other currency", "Return in the currency of the sale."),
    "unstorable": Code(422, "Not storable", "Correct the values; nothing was written."),
    "event_not_found": Code(404, "No such event", "Use the `event_id` of an answer."),
    "credential_not_found": Code(404, "No such key", "List the keys."),
    "too_many_keys": Code(
        409, "Two keys are active", "Revoke one of `active`; then make the new one."
    ),
    "draining": Code(503, "Ending", "Repeat the same request; another process answers."),
    "commit_unknown": Code(
        503, "Took too long", "It may or may not have been done: repeat the same request."
    ),
    "form_not_found": Code(404, "No such form", "Publish it by `PUT /v1/forms/{form_id}`."),
    "form_version_unknown": Code(
        422, "No such version", "Name the version that `GET /v1/forms/{form_id}` gave."
    ),
    "form_version_outdated": Code(
        409, "Version outdated", "Show the current version to the person and ask again."
    ),
    "form_rules_fixed": Code(409, "Rules are fixed", "Publish another form under another id."),
    "form_versions_exhausted": Code(409, "Too many versions", "Publish it under another id."),
    "form_not_open": Code(409, "Not open yet", "Send it after `opens_at`."),
    "form_closed": Code(409, "Closed", "Tell the person that the form is closed."),
    "form_answers_invalid": Code(
        422, "Answers do not fit", "Let the person correct what `errors` names."
    ),
    "already_entered": Code(
        409, "Entered already", "Tell the person that they are in; `period` says for when."
    ),
    "submission_conflict": Code(
        409, "Submission differs", "Make another `submission_id` for another submission."
    ),
    "submission_not_found": Code(404, "No such submission", "List the form's submissions."),
    "not_sweepstakes": Code(404, "No entries", "Ask for a form of kind `sweepstakes`."),
    "too_many_submissions": Code(
        429, "Too many submissions", "Wait for `Retry-After` seconds, then send it again."
    ),
    # loyalty
    "identifier_taken": Code(
        409, "Identifier taken", "Look the member up by it, or merge the two members."
    ),
    "member_unknown": Code(404, "Member unknown", "Look the member up, or enrol."),
    "programme_malformed": Code(422, "Malformed programme", "Correct what `errors` names."),
    "programme_version_unknown": Code(404, "Version unknown", "List the programme's versions."),
    "programme_version_published": Code(
        409, "Version is published", "Put the changed rules under another name."
    ),
    "challenge_reshaped": Code(
        422, "Challenge changed", "Give a challenge that counts something else another name."
    ),
    "referral_code_unknown": Code(
        422, "Unknown referral code", "Correct the code, or enrol without one."
    ),
    "referral_not_offered": Code(
        422, "No referrals", "Enrol without a code: the rules in force give nothing for one."
    ),
    "programme_version_differs": Code(
        422, "Two versions", "Name the same version in the path and in the body, or only there."
    ),
    "effective_from_too_soon": Code(
        422, "Too soon", "Publish it from `earliest` on, or without `effective_from`."
    ),
    "effective_from_taken": Code(409, "Instant taken", "Take another `effective_from`."),
    "backtest_running": Code(409, "Back-test runs", "Repeat it after `Retry-After` seconds."),
    "programme_unreadable": Code(
        503, "Rules of a newer release", "Bring every process to the release that published them."
    ),
    "programme_stale": Code(503, "Rules not read lately", "Repeat the same request."),
    "tiers_counted_otherwise": Code(
        503, "Tiers counted otherwise", "Run `recount-tiers`, or correct the programme's file."
    ),
    "programme_conflict": Code(
        503, "File against table", "Take the version out of the programme's file."
    ),
    "member_departed": Code(
        409, "Member departed", "Go on with `merged_into`; in a file, leave this person out."
    ),
    "member_not_merged": Code(409, "Not merged", "Check the id; there is nothing to undo."),
    "merge_race": Code(503, "Being merged", "Repeat the same request."),
    "points_insufficient": Code(
        409, "Not enough points", "Hold at most what `available` says, or take other payment."
    ),
    "hold_unknown": Code(404, "Unknown hold", "Check the id; a till sees the holds of its store."),
    "hold_not_open": Code(
        409, "Hold not open", "It was captured, released or ran out; open another one."
    ),
    "adjustment_unknown": Code(404, "Unknown adjustment", "List the adjustments."),
    "adjustment_decided": Code(
        409, "Decided already", "A decision stays; see `state`. Ask for another adjustment."
    ),
    "approval_unknown": Code(404, "Nothing to approve", "List the approvals."),
    "approval_decided": Code(409, "Decided already", "A decision stays; see `verdict`."),
    "approval_not_needed": Code(
        409, "Not waiting", "The receipt is not worth as much any more, or has no member."
    ),
    "second_person_needed": Code(
        403, "Second person needed", "Let somebody else decide, with a key of their own."
    ),
    "reward_unknown": Code(404, "No such reward", "List the rewards of the version in force."),
    "reward_not_available": Code(
        409, "Not available now", "Offer it again at `again_at`, if there is one."
    ),
    "reward_tier": Code(409, "For another tier", "Offer a reward that the member's tier allows."),
    "reward_limit": Code(
        409, "Taken often enough", "Offer it again at `again_at`; without one, not again."
    ),
    "reward_out_of_stock": Code(409, "None left", "Offer another reward."),
    "reward_not_divisible": Code(
        422, "Whole or not at all", "Capture it without `points`, or release it."
    ),
    "hold_exceeded": Code(409, "More than held", "Capture at most what was granted."),
    "member_race": Code(503, "Enrolled elsewhere", "Repeat the same request."),
    "lot_conflict": Code(409, "Lot differs", "Give the lot another reference; see `fields`."),
    "lot_expired": Code(409, "Lot has ended", "Leave out what has expired already."),
    "gift_card_unknown": Code(404, "No such gift card", "Check the code as it is printed."),
    "gift_card_not_active": Code(
        409, "Gift card not active", "Activate or unblock it, or take another one; see `state`."
    ),
    "gift_card_balance": Code(
        422,
        "Not enough on the card",
        "Hold `available_minor` at most, and take the rest otherwise.",
    ),
    "gift_card_limit": Code(
        422, "Too much for one card", "Keep its balance within `balance_minor_max`."
    ),
    "gift_card_validity": Code(
        422, "Not good for long enough", "Let it expire at `expires_at_min` or later, or never."
    ),
    "gift_hold_unknown": Code(404, "No such hold", "Use the `hold_id` of an answer."),
    "gift_hold_ended": Code(409, "Hold has ended", "Place another hold; see `state`."),
    "gift_hold_captured": Code(409, "Hold was captured", "Refund what was too much."),
    "gift_hold_exceeded": Code(422, "More than is held", "Capture `amount_minor` at most."),
    "gift_refund_exceeds": Code(
        422, "More than was captured", "Refund `refundable_minor` at most."
    ),
    "too_many_codes": Code(
        429, "Too many wrong codes", "Wait for `Retry-After` seconds before the next code."
    ),
    "not_identified": Code(
        404, "Not this member", "Look the member up again; `identified_by` is not theirs."
    ),
    "possession_required": Code(
        403, "Card or app needed", "Scan the member's card, or the code that their app shows."
    ),
    "app_code_refused": Code(
        403, "Code not good", "Let the app show the next code; the Idempotency-Key may stay."
    ),
    "too_many_lookups": Code(
        429, "Too many look-ups", "Wait for `Retry-After` seconds; `limit_per_min` says how many."
    ),
    "device_unknown": Code(404, "Device unknown", "List the member's devices."),
    "too_many_devices": Code(409, "Too many devices", "Revoke one of `active`."),
    "receipt_race": Code(503, "Settled elsewhere", "Repeat the same request."),
    # offers
    "campaign_not_found": Code(404, "Campaign not found", "List the campaigns."),
    "campaign_not_published": Code(409, "Campaign not published", "Publish the campaign first."),
    "currency_not_supported": Code(409, "Another currency", "Use the currency of the shop."),
    "member_id_required": Code(
        422, "Member id required", "Look the member up at loyalty and send `member_id`."
    ),
    "member_not_found": Code(404, "Member not found", "Look the member up, or enrol."),
    # notify
    "message_unknown": Code(404, "Message unknown", "List the member's inbox."),
    "recorded_in_future": Code(422, "Recorded in the future", "Correct the clock."),
    "template_topic_fixed": Code(409, "Topic is fixed", "Make another template for it."),
    "template_topic_forbidden": Code(403, "Topic forbidden", "Ask an admin."),
    "template_unfit": Code(422, "Template unfit", "Correct the part that `errors` names."),
    "template_unknown": Code(404, "Template unknown", "List the templates."),
}

CODES: Mapping[str, Code] = {**PLUMBING, **BUSINESS}

_HEAD = """\
# Problems

Errors are `application/problem+json` ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)) with
`type`, `title`, `status`, `detail` and a stable `code`; `errors` names fields where there are any.
`503`, `429` and a `409` that says so carry `Retry-After` in seconds.

| code | status | title | what to do |
| --- | --- | --- | --- |
"""


def catalogue() -> str:
    """Return the catalogue in Markdown, sorted by code."""
    return _HEAD + "".join(
        f"| `{name}` | {code.status} | {code.title} | {code.advice} |\n"
        for name, code in sorted(CODES.items())
    )


if __name__ == "__main__":
    sys.stdout.write(catalogue())
