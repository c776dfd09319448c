"""Receipts that are claimed by their token, by one member and once."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.ingest import domain
from services.ingest.context import IngestContext
from services.ingest.handlers import claims
from shared import ids
from shared.clock import FixedClock
from shared.contracts.members import MemberChanged
from shared.db import Database
from shared.errors import Refused
from tests.service.ingest.conftest import (
    APP,
    Apply,
    Record,
    as_return,
    as_sale,
    bearer,
    card_of,
    enrol,
    enrolled,
    published,
    purchase_body,
    return_body,
)

Claim = Callable[[str, str], Awaitable[domain.Outcome]]


@pytest.fixture
def claim(context: IngestContext) -> Claim:
    """``await claim(token, card)``: in a transaction."""

    async def claim(token: str, card: str) -> domain.Outcome:
        async with context.db.transaction() as tx:
            return await claims.claim(tx, token, card_of(card), context)

    return claim


async def _sold(record: Record, **differing: Any) -> str:
    """Record an anonymous sale; return its claim token."""
    body: dict[str, Any] = {"member": None, **differing}
    (outcome,) = await record(as_sale(purchase_body(**body)))
    assert outcome.claim_token is not None
    return outcome.claim_token


async def _member(context: IngestContext, *cards: str) -> UUID:
    event = enrolled(*cards)
    await enrol(context, event)
    return event.data.member_id


async def test_anonymous_receipt_moves_to_its_claimant(
    db: Database, context: IngestContext, record: Record, claim: Claim
) -> None:
    ann = await _member(context, "ann")
    await claim(await _sold(record), "ann")
    _, (key, event) = await published(db)
    assert (event.type, key) == ("purchase.attributed.v1", str(ann))
    assert (event.data.member_id, event.data.revision, event.data.total_minor) == (ann, 2, 111)


async def test_same_claim_again_gets_the_first_answer_even_after_the_window(
    db: Database, context: IngestContext, clock: FixedClock, record: Record, claim: Claim
) -> None:
    await _member(context, "ann", "anns-other-card")
    token = await _sold(record)
    first = await claim(token, "ann")
    clock.advance(timedelta(days=400))
    assert await claim(token, "anns-other-card") == domain.Outcome("replayed", first.event_id)
    assert len(await published(db)) == 2


async def test_another_members_claim_is_refused_without_telling_whose_it_is(
    db: Database, context: IngestContext, record: Record, claim: Claim
) -> None:
    ann = await _member(context, "ann")
    await _member(context, "bob")
    token = await _sold(record)
    await claim(token, "ann")
    with pytest.raises(Refused, match="already_claimed") as refusal:
        await claim(token, "bob")
    assert str(ann) not in f"{refusal.value.detail}{refusal.value.extra}"
    assert len(await published(db)) == 2


async def test_unknown_and_expired_tokens_get_the_same_answer(
    context: IngestContext, clock: FixedClock, record: Record, claim: Claim
) -> None:
    await _member(context, "ann")
    token = await _sold(record)
    clock.advance(timedelta(days=context.settings.claim_window_days, seconds=1))
    told: list[tuple[str, str, int]] = []
    for one in (token, "0" * 24):
        with pytest.raises(Refused) as refusal:
            await claim(one, "ann")
        told.append((refusal.value.code, refusal.value.detail, refusal.value.status))
    assert told[0] == told[1]
    assert told[0][0] == "claim_unknown"


async def test_claimant_who_is_no_member_is_told_so(record: Record, claim: Claim) -> None:
    with pytest.raises(Refused, match="member_unknown"):
        await claim(await _sold(record), "nobody")


async def test_claim_of_what_the_card_brought_already_changes_nothing(
    db: Database, context: IngestContext, record: Record, claim: Claim
) -> None:
    token = await _sold(record, member={"card": "ann"})
    await _member(context, "ann")
    first = await claim(token, "ann")
    assert (first.kind, first.changed) == ("accepted", False)
    again = await claim(token, "ann")
    assert again == domain.Outcome("replayed", first.event_id, changed=False)
    assert len(await published(db)) == 2


async def test_claimed_receipt_does_not_move_again_when_its_card_is_enrolled(
    db: Database, context: IngestContext, record: Record, claim: Claim
) -> None:
    token = await _sold(record, member={"card": "lost"})
    ann = await _member(context, "ann")
    await claim(token, "ann")
    await _member(context, "lost")
    (*_, (_, event)) = await published(db)
    assert (event.data.member_id, event.data.revision) == (ann, 2)


async def test_return_before_and_after_a_claim_keep_to_the_receipt(
    db: Database, context: IngestContext, record: Record, claim: Claim, apply: Apply
) -> None:
    ann = await _member(context, "ann")
    token = await _sold(record)
    await apply(as_return(return_body("R1")))
    await claim(token, "ann")
    half = [{"line_no": 1, "quantity": "0.12", "amount_minor": 100}]
    await apply(as_return(return_body("R2", lines=half, total_minor=100)))
    (_, *events) = await published(db)
    assert [event.data.total_minor for _, event in events] == [100, 100, 0]
    assert [event.data.member_id for _, event in events] == [None, ann, ann]
    assert events[-1][0] == str(ann)


async def test_merged_members_claims_and_receipts_are_the_survivors(
    db: Database, context: IngestContext, record: Record, claim: Claim, apply: Apply
) -> None:
    ann, anna, annabel = (ids.new_id() for _ in range(3))
    await enrol(context, enrolled("ann", member_id=ann))
    token = await _sold(record)
    await claim(token, "ann")
    merges: tuple[MemberChanged, ...] = (
        enrolled("ann", member_id=ann, version=2, merged_into=anna),
        enrolled("anna", member_id=anna, version=1, merged_into=annabel),
        enrolled("annabel", member_id=annabel),
    )
    await enrol(context, *merges)
    assert (await claim(token, "annabel")).kind == "replayed"
    await apply(as_return(return_body()))
    await record(as_sale(purchase_body("2", member={"card": "ann"})))
    (_, _, (_, returned), (key, recorded)) = await published(db)
    assert returned.data.member_id == annabel
    assert (recorded.data.member_id, key) == (annabel, str(annabel))


async def test_receipt_of_a_merged_card_waits_for_the_survivor(
    db: Database, context: IngestContext, record: Record
) -> None:
    ann, anna = ids.new_id(), ids.new_id()
    await record(as_sale(purchase_body(member={"card": "ann"})))
    await enrol(context, enrolled("ann", member_id=ann, merged_into=anna))
    (*_, (_, event)) = await published(db)
    assert (event.type, event.data.member_id) == ("purchase.attributed.v1", anna)


async def test_claims_over_http_and_wrong_tokens_are_slowed_down(
    client: httpx.AsyncClient, context: IngestContext
) -> None:
    await _member(context, "ann")
    sold = await client.post("/v1/purchases", json=purchase_body(member=None))
    good = {"claim_token": sold.json()["claim_token"], "member": {"card": "ann"}}
    wrong = good | {"claim_token": "0" * 24}
    answers = [await client.post("/v1/claims", json=wrong) for _ in range(22)]
    assert {one.status_code for one in answers[:19]} == {404}
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) > 0
    passed = await client.post("/v1/claims", json=good)
    again = await client.post("/v1/claims", json=good, headers=bearer(APP))
    assert (passed.status_code, again.status_code) == (202, 202)
    assert again.json() == passed.json() | {"duplicate": True}
    status = (await client.get(passed.json()["status_url"])).json()
    assert (status["kind"], status["status"]) == ("claim", "accepted")
