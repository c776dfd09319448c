"""Servers that are broken in one way each, and the rules of the kit that must notice."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from tests.service.client.conftest import STORE, TERMINAL, Answer, Call, Forward, Trick

Change = Callable[[dict[str, Any]], None]
Tricks = dict[str, tuple[Trick, frozenset[str]]]
"""By name: what the server does, and the rules that it breaks."""

TRICKS: Tricks = {}


def breaks(rules: str) -> Callable[[Trick], Trick]:
    """Register the function below; it breaks at least these rules."""

    def add(trick: Trick) -> Trick:
        TRICKS[trick.__name__] = (trick, frozenset(rules.split()))
        return trick

    return add


def changed(answer: Answer, change: Change) -> Answer:
    """Return the answer with its JSON changed."""
    told = json.loads(answer.body)
    change(told)
    return replace(answer, body=json.dumps(told).encode())


def without(answer: Answer, *names: str) -> Answer:
    """Return a problem without some of its members."""
    if answer.status < 400:
        return answer

    def forget(told: dict[str, Any]) -> None:
        for name in names:
            told.pop(name, None)

    return changed(answer, forget)


def yes(**members: Any) -> Answer:
    """Return a 202 that no ingest gave."""
    event = str(uuid4())
    told = {"event_id": event, "duplicate": False, "status_url": f"/v1/events/{event}"} | members
    return Answer(202, {"content-type": "application/json"}, json.dumps(told).encode())


@breaks(
    "sale-repeated sale-repeated-at-once same-instant same-order same-quantity sale-late"
    " sale-very-late clock-ahead return-repeated void-repeated amendment-repeated answer-lost"
    " claim-repeated answer-lost-on-a-return void-keeps-the-number sale-conflict-changes-nothing"
    " batch-bad-row"
)
async def says_that_nothing_is_a_duplicate(call: Call, forward: Forward) -> Answer:
    answer = await forward(call)
    if answer.status != 202:
        return answer
    headers = {name: one for name, one in answer.headers.items() if name != "idempotent-replayed"}
    return changed(replace(answer, headers=headers), lambda told: told.update(duplicate=False))


@breaks("sale-repeated return-repeated same-instant")
async def loses_the_replay_header(call: Call, forward: Forward) -> Answer:
    answer = await forward(call)
    headers = {name: one for name, one in answer.headers.items() if name != "idempotent-replayed"}
    return replace(answer, headers=headers)


@breaks("answer-lost answer-lost-on-a-return sale-repeated sale-repeated-at-once batch-resent")
async def gives_every_answer_a_new_event(call: Call, forward: Forward) -> Answer:
    answer = await forward(call)

    def renew(told: dict[str, Any]) -> None:
        for one in told.get("results", [told]):
            one["event_id"] = str(uuid4())

    return changed(answer, renew) if answer.status in {202, 207} else answer


@breaks(
    "sale-conflict sale-conflict-in-a-line sale-conflict-changes-nothing return-conflict"
    " return-partial return-too-much return-too-much-changes-nothing return-unknown-line"
    " return-currency return-before-sale void-conflict void-leaves-nothing amendment-conflict"
    " amendment-accepted amendment-below-return amendment-fixed claim-unknown batch-too-long"
    " malformed-json unknown-field missing-field total-mismatch money-is-whole quantity-decimals"
    " unknown-currency time-without-zone no-control-characters one-member lines-bounds"
    " body-too-large no-key wrong-key other-store other-terminal other-store-return"
)
async def takes_whatever_it_is_told(call: Call, forward: Forward) -> Answer:
    answer = await forward(call)
    return yes() if call.method == "POST" and answer.status >= 400 else answer


@breaks(
    "sale-accepted number-per-day any-order quantity-zero lines-500 no-content-type"
    " return-accepted return-has-its-own-number void-accepted amendment-accepted claim-token"
    " batch-json batch-ndjson event-followed answer-lost"
)
async def takes_nothing(call: Call, forward: Forward) -> Answer:
    refusal = json.dumps({"code": "internal_error", "status": 500}).encode()
    return Answer(500, {"content-type": "application/problem+json"}, refusal)


@breaks(
    "sale-conflict sale-conflict-in-a-line return-conflict void-conflict amendment-conflict"
    " amendment-fixed batch-conflict"
)
async def does_not_say_what_differs(call: Call, forward: Forward) -> Answer:
    answer = await forward(call)

    def forget(told: dict[str, Any]) -> None:
        told.pop("fields", None)
        for one in told.get("results", []):
            (one.get("problem") or {}).pop("fields", None)

    return changed(answer, forget)


@breaks("return-partial return-too-much return-before-sale")
async def does_not_say_what_is_left(call: Call, forward: Forward) -> Answer:
    return without(await forward(call), "left")


@breaks("unknown-field missing-field total-mismatch money-is-whole one-member lines-bounds")
async def does_not_name_the_field(call: Call, forward: Forward) -> Answer:
    return without(await forward(call), "errors")


@breaks("body-too-large")
async def does_not_name_the_limit(call: Call, forward: Forward) -> Answer:
    return without(await forward(call), "limit_bytes")


@breaks("problem-form")
async def refuses_in_html(call: Call, forward: Forward) -> Answer:
    answer = await forward(call)
    if answer.status < 400:
        return answer
    return replace(answer, headers={"content-type": "text/html"}, body=b"<h1>No</h1>")


@breaks("problem-form")
async def refuses_without_a_code(call: Call, forward: Forward) -> Answer:
    return without(await forward(call), "code")


@breaks("no-server-error malformed-json")
async def breaks_on_bad_bodies(call: Call, forward: Forward) -> Answer:
    answer = await forward(call)
    return replace(answer, status=500) if answer.status == 422 else answer


@breaks("return-before-sale return-before-sale-too-much void-before-sale amendment-before-sale")
async def never_withholds(call: Call, forward: Forward) -> Answer:
    answer = await forward(call)
    if call.method != "GET" or answer.status != 200:
        return answer
    return changed(answer, lambda told: told.update(status="accepted"))


@breaks("return-accepted return-before-sale void-before-sale amendment-before-sale")
async def withholds_for_ever(call: Call, forward: Forward) -> Answer:
    answer = await forward(call)
    if call.method != "GET" or answer.status != 200:
        return answer
    return changed(answer, lambda told: told.update(status="withheld"))


@breaks("event-processed")
async def never_gets_on(call: Call, forward: Forward) -> Answer:
    return await never_withholds(call, forward)


@breaks("event-followed event-processed")
async def confuses_events(call: Call, forward: Forward) -> Answer:
    answer = await forward(call)
    if call.method != "GET" or answer.status != 200:
        return answer
    return changed(answer, lambda told: told.update(event_id=str(uuid4()), services={}))


@breaks("event-unknown")
async def knows_every_event(call: Call, forward: Forward) -> Answer:
    answer = await forward(call)
    return replace(answer, status=200) if call.method == "GET" else answer


@breaks("amendment-of-nothing")
async def amends_what_is_the_same(call: Call, forward: Forward) -> Answer:
    answer = await forward(call)
    if answer.status != 202:
        return answer
    return changed(answer, lambda told: told.update(status="accepted"))


@breaks("claim-token")
async def draws_a_new_claim_token_each_time(call: Call, forward: Forward) -> Answer:
    answer = await forward(call)
    if answer.status != 202:
        return answer
    return changed(answer, lambda told: told.update(claim_token=uuid4().hex))


@breaks("other-store other-terminal other-store-return batch-other-store")
async def takes_sales_of_other_stores(call: Call, forward: Forward) -> Answer:
    def own(body: Any) -> Any:
        if isinstance(body, list):
            return [own(one) for one in body]
        return {**body, "store_id": STORE, "terminal_id": TERMINAL}

    if not call.body:
        return await forward(call)
    return await forward(replace(call, body=json.dumps(own(json.loads(call.body))).encode()))


def open_door(key: str) -> Trick:
    """Return the trick of a server that lets anybody in."""

    async def lets_anybody_in(call: Call, forward: Forward) -> Answer:
        headers = {**call.headers, "authorization": f"Bearer {key}"}
        return await forward(replace(call, headers=headers))

    return lets_anybody_in


@breaks("no-key")
async def does_not_ask_for_a_key(call: Call, forward: Forward) -> Answer:
    answer = await forward(call)
    headers = {name: one for name, one in answer.headers.items() if name != "www-authenticate"}
    return replace(answer, headers=headers)


@breaks("request-cut")
async def records_what_it_guesses(call: Call, forward: Forward) -> Answer:
    if call.whole:
        return await forward(call)
    found = re.search(rb'"receipt_no": "([^"]+)"', call.body)
    assert found is not None
    return await forward(replace(call, body=_bananas(found[1].decode()), whole=True))


def _bananas(receipt_no: str) -> bytes:
    line = {"line_no": 1, "sku": "1", "quantity": "1", "amount_minor": 1}
    facts: Mapping[str, Any] = {
        "store_id": STORE,
        "terminal_id": TERMINAL,
        "receipt_no": receipt_no,
        "business_date": _today(),
        "occurred_at": f"{_today()}T00:00:00Z",
        "currency": "USD",
        "lines": [line],
        "total_minor": 1,
    }
    return json.dumps(facts).encode()


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


@breaks("batch-bad-row batch-noise batch-conflict batch-other-store")
async def takes_batches_all_or_nothing(call: Call, forward: Forward) -> Answer:
    answer = await forward(call)
    if answer.status != 207:
        return answer
    bad = {one["outcome"] for one in json.loads(answer.body)["results"]} & {"invalid", "conflict"}
    return replace(answer, status=422) if bad else answer


@breaks("batch-resent batch-twice-in-one")
async def calls_every_row_new(call: Call, forward: Forward) -> Answer:
    answer = await forward(call)

    def fresh(told: dict[str, Any]) -> None:
        for one in told["results"]:
            one["outcome"] = one["outcome"].replace("replayed", "accepted")

    return changed(answer, fresh) if answer.status == 207 else answer


@breaks("batch-json batch-ndjson")
async def answers_rows_in_any_order(call: Call, forward: Forward) -> Answer:
    answer = await forward(call)
    if answer.status != 207:
        return answer
    return changed(answer, lambda told: told["results"].reverse())


@breaks("batch-too-long")
async def cuts_long_files_short(call: Call, forward: Forward) -> Answer:
    rows = call.body.split(b"\n")
    return await forward(replace(call, body=b"\n".join(rows[:1_000])))


@breaks("gap-shown")
async def knows_of_no_gaps(call: Call, forward: Forward) -> Answer:
    answer = await forward(call)
    return changed(answer, lambda told: told["data"].clear()) if "/gaps" in call.path else answer
