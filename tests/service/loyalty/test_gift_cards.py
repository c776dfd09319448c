"""Gift cards over HTTP: sold, activated, loaded, blocked, looked up, and what codes give away."""

from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError

from services.loyalty.store import gift_tables
from shared.db.plumbing import idempotency
from tests.builders import NOW
from tests.service.loyalty import gifts
from tests.service.loyalty.desk import Desk

NEW = {"amount_minor": 1_000, "currency": "USD"}


async def test_a_card_is_sold_active_and_shows_its_code_once(desk: Desk) -> None:
    async with desk.client("staff") as client:
        card = await gifts.sell(client, reference="web-4711")
        shown = (await client.get(f"/v1/gift-cards/{card['gift_card_id']}")).json()

    assert (card["state"], card["balance_minor"], card["currency"]) == ("active", 1_000, "USD")
    assert len(card["code"]) == 19
    assert "code" not in shown
    assert shown["masked_code"] == "****-****-****-" + card["code"][-4:]
    assert shown == {name: value for name, value in card.items() if name != "code"}


async def test_the_same_key_gives_the_same_card_and_its_code_again(desk: Desk) -> None:
    async with desk.client("admin") as client:
        first = await gifts.post(client, "gift-cards", NEW, key="till-1")
        again = await gifts.post(client, "gift-cards", NEW, key="till-1")

    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(await desk.rows(gift_tables.gift_card)) == 1


async def test_no_code_is_stored_anywhere(desk: Desk) -> None:
    async with desk.client("staff") as client:
        card = await gifts.sell(client)
        body = {"code": card["code"], "amount_minor": 100}
        assert (await gifts.post(client, "gift-card-holds", body)).status_code == 201

    code = card["code"].replace("-", "")
    stored = "".join(map(str, await desk.rows(gift_tables.gift_card)))
    answers = await desk.rows(idempotency)
    stored += "".join(bytes(row.body).decode() for row in answers)
    assert card["gift_card_id"] in stored
    assert code[:8] not in stored
    assert card["code"][:9] not in stored


async def test_a_card_that_is_not_paid_for_has_no_money_until_it_is_activated(desk: Desk) -> None:
    async with desk.client("staff") as client:
        card = await gifts.sell(client, activate=False)
        refused = await gifts.hold(client, card, 100)
        path = f"/v1/gift-cards/{card['gift_card_id']}:activate"
        answers = [(await client.post(path)).json() for _ in range(2)]
        entries = await gifts.moves(client, card)

    assert (card["state"], card["balance_minor"], card["amount_minor"]) == ("inactive", 0, 1_000)
    assert (refused.status_code, refused.json()["state"]) == (409, "inactive")
    assert [one["balance_minor"] for one in answers] == [1_000, 1_000]
    assert entries == [("sold", "available", 1_000)]


async def test_a_card_is_loaded_up_to_what_one_may_have(desk: Desk) -> None:
    async with desk.client("staff") as client:
        card = await gifts.sell(client, 0)
        path = f"gift-cards/{card['gift_card_id']}:load"
        loaded = await gifts.post(client, path, {"amount_minor": 999_999}, key="a")
        again = await gifts.post(client, path, {"amount_minor": 999_999}, key="a")
        too_much = await gifts.post(client, path, {"amount_minor": 2})

    assert loaded.json()["balance_minor"] == again.json()["balance_minor"] == 999_999
    assert (too_much.status_code, too_much.json()["code"]) == (422, "gift_card_limit")
    assert too_much.json()["balance_minor_max"] == 1_000_000


async def test_money_is_good_for_as_long_as_the_law_asks(desk: Desk) -> None:
    least = NOW + timedelta(days=1_827)
    async with desk.client("staff") as client:
        early = {**NEW, "expires_at": (least - timedelta(seconds=1)).isoformat()}
        refused = await gifts.post(client, "gift-cards", early)
        card = await gifts.sell(client, expires_at=least.isoformat())
        desk.clock.advance(timedelta(days=100))
        path = f"gift-cards/{card['gift_card_id']}:load"
        loaded = (await gifts.post(client, path, {"amount_minor": 1})).json()

    assert (refused.status_code, refused.json()["code"]) == (422, "gift_card_validity")
    assert card["expires_at"] == "2031-11-21T12:00:00Z"
    assert loaded["expires_at"] == "2032-02-29T12:00:00Z"


async def test_a_blocked_card_holds_nothing_and_keeps_what_a_till_holds(desk: Desk) -> None:
    async with desk.client("staff") as client:
        card = await gifts.sell(client)
        path = f"/v1/gift-cards/{card['gift_card_id']}"
        hold_id = await gifts.held(client, card, 300)
        blocked = (await client.post(f"{path}:block")).json()
        refused = [
            await gifts.hold(client, card, 1),
            await gifts.post(client, f"{path}:load".removeprefix("/v1/"), {"amount_minor": 1}),
        ]
        captured = await gifts.capture(client, hold_id)
        unblocked = (await client.post(f"{path}:unblock")).json()

    assert blocked["state"] == "blocked"
    assert blocked["state_by"].startswith("staff ")
    assert {answer.json()["code"] for answer in refused} == {"gift_card_not_active"}
    assert captured.json()["captured_minor"] == 300
    assert (unblocked["state"], unblocked["balance_minor"]) == ("active", 700)


async def test_a_till_finds_a_card_however_its_code_is_typed(desk: Desk) -> None:
    async with desk.client("staff") as client:
        card = await gifts.sell(client)
    async with desk.client("terminal") as till:
        typed = card["code"].lower().replace("-", " ").replace("8", "B").replace("5", "s")
        found = await till.post("/v1/gift-cards:lookup", json={"code": typed})

    assert found.json()["gift_card_id"] == card["gift_card_id"]
    assert "code" not in found.json()


async def test_wrong_codes_look_alike_and_too_many_are_told_to_wait(desk: Desk) -> None:
    async with desk.client("staff") as client:
        card = await gifts.sell(client)
        lookup = "/v1/gift-cards:lookup"
        mistyped, nobodys = "FRA9-9GX5-WN52-EC23", "FRA9-9GX5-WN52-EC22"
        answers = [await client.post(lookup, json={"code": one}) for one in (mistyped, nobodys)]
        answers += [await client.post(lookup, json={"code": nobodys}) for _ in range(18)]
        limited = await client.post(lookup, json={"code": card["code"]})
        body = {"code": card["code"], "amount_minor": 1}
        hold = await gifts.post(client, "gift-card-holds", body, key="later")
    async with desk.client("terminal") as other:
        passes = await other.post(lookup, json={"code": card["code"]})

    assert {answer.status_code for answer in answers} == {404}
    assert answers[0].json() == answers[1].json()
    assert (limited.status_code, limited.json()["code"]) == (429, "too_many_codes")
    assert limited.headers["Retry-After"] == "60"
    assert hold.status_code == 429
    assert passes.status_code == 200
    assert "later" not in {row.key for row in await desk.rows(idempotency)}


async def test_what_is_no_card_makes_none(desk: Desk) -> None:
    wrong = {
        "negative": {**NEW, "amount_minor": -1},
        "fraction": {**NEW, "amount_minor": 10.5},
        "too much": {**NEW, "amount_minor": 1_000_001},
        "number for a date": {**NEW, "expires_at": 4_000_000_000},
        "code of one's own": {**NEW, "code": "MINE"},
    }
    async with desk.client("staff") as client:
        answers = {name: await gifts.post(client, "gift-cards", wrong[name]) for name in wrong}
        euros = await gifts.post(client, "gift-cards", {**NEW, "currency": "EUR"})
        keyless = await client.post("/v1/gift-cards", json=NEW)
        nobodys = await client.get(f"/v1/gift-cards/{uuid4()}")

    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(
        wrong, 422
    )
    assert {answer.headers["content-type"] for answer in answers.values()} == {
        "application/problem+json"
    }
    assert (euros.status_code, euros.json()["code"]) == (409, "currency_not_supported")
    assert (keyless.status_code, keyless.json()["code"]) == (400, "idempotency_key_missing")
    assert (nobodys.status_code, nobodys.json()["code"]) == (404, "gift_card_unknown")
    assert await desk.rows(gift_tables.gift_card) == []


async def test_entries_name_who_did_it_and_come_in_pages(desk: Desk) -> None:
    async with desk.client("staff") as client:
        card = await gifts.sell(client)
        await gifts.held(client, card, 400)
        path = f"/v1/gift-cards/{card['gift_card_id']}/entries"
        first = (await client.get(path, params={"limit": 1})).json()
        last = (await client.get(path, params={"limit": 1, "cursor": first["next_cursor"]})).json()

    (newest,), (oldest,) = first["data"], last["data"]
    assert (newest["from_account"], newest["to_account"]) == ("available", "held")
    assert (newest["available_after_minor"], newest["held_after_minor"]) == (600, 400)
    assert newest["cause_id"] == newest["hold_id"]
    assert oldest["actor"] == card["state_by"]
    assert last["next_cursor"] is None


async def test_our_own_processes_can_not_edit_entries(desk: Desk) -> None:
    for edit in (
        "UPDATE gift_entry SET amount_minor = 1",
        "DELETE FROM gift_entry",
        "TRUNCATE gift_entry",
    ):
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with desk.db.transaction() as tx:
                await tx.execute(sa.text(edit))
