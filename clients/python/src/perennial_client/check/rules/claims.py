"""Claims: a receipt without a member goes to whoever shows its token, once."""

from perennial_client.check.kit import NotTried, rule
from perennial_client.check.till import CLAIMS, PURCHASES, Till


@rule("claim-token", "A sale without a member is answered with a token, the same at each repeat.")
async def _(till: Till) -> None:
    sale = till.sale(member=None)
    first = (await till.send(PURCHASES, sale)).expect(202)
    first.check(first.json.get("claim_token"), "expected a claim_token")
    (await till.send(PURCHASES, sale)).expect(202, claim_token=first.json["claim_token"])


@rule("claim-repeated", "A receipt can be claimed by its token; the same claim again is harmless.")
async def _(till: Till) -> None:
    if till.card is None:
        raise NotTried("needs the card of an enrolled member: --card")
    first = (await till.send(PURCHASES, till.sale(member=None))).expect(202)
    claim = {"claim_token": first.json.get("claim_token"), "member": {"card": till.card}}
    claimed = (await till.send(CLAIMS, claim)).expect(202, duplicate=False)
    again = await till.send(CLAIMS, claim)
    again.expect(202, duplicate=True, event_id=claimed.json.get("event_id"))


@rule("claim-unknown", "A token or a member that nobody knows is a 404.")
async def _(till: Till) -> None:
    claim = {"claim_token": "0" * 24, "member": {"card": till.card or f"none{till.run}"}}
    refused = (await till.send(CLAIMS, claim)).expect(404)
    codes = {"claim_unknown", "member_unknown"}
    refused.check(refused.json.get("code") in codes, f"expected one of {sorted(codes)}")
