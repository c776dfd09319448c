"""Problems: whatever is refused, is refused in one form."""

from perennial_client.check.kit import NotTried, rule
from perennial_client.check.till import Till

MEMBERS = ("type", "title", "status", "detail", "code")


@rule("problem-form", "Every refusal of this day was a problem document (RFC 9457) with a code.")
async def _(till: Till) -> None:
    refusals = [one for one in till.seen if one.status >= 400]
    if not refusals:
        raise NotTried("nothing was refused")
    for one in refusals:
        one.check(one.is_problem, "expected Content-Type: application/problem+json")
        missing = [name for name in MEMBERS if not one.json.get(name)]
        one.check(not missing, f"the problem lacks {', '.join(missing)}")
        one.check(one.json["status"] == one.status, "the document has another status")


@rule("no-server-error", "Nothing of this day was answered with a server's own error (500).")
async def _(till: Till) -> None:
    for one in till.seen:
        one.check(one.status != 500, "a 500 is a bug of the server, whatever was sent")
