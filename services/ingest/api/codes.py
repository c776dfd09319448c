"""Ingest's own codes; the published catalogue is ``shared.contracts.problems``."""

from shared.contracts.problems import Code

CODES = {
    "purchase_conflict": Code(
        409, "Purchase differs", "Send what changed (see `fields`) as an amendment."
    ),
    "return_conflict": Code(
        409, "Return differs", "A return with this number was recorded; see `fields`."
    ),
    "over_return": Code(409, "Over-return", "Return at most what `left` says."),
    "return_currency": Code(409, "Other currency", "Return in the currency of the sale."),
    "identifier_malformed": Code(
        422, "Malformed identifier", "Correct the identifier, or send the purchase without."
    ),
    "unstorable": Code(422, "Not storable", "Correct the values; nothing was written."),
    "event_not_found": Code(404, "No such event", "Use the `event_id` of an answer."),
    "credential_not_found": Code(404, "No such key", "List the keys."),
    "draining": Code(503, "Ending", "Repeat the same request; another process answers."),
    "commit_unknown": Code(
        503, "Took too long", "It may or may not have been done: repeat the same request."
    ),
}
