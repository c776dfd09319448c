"""The books of gift money close each day, and it shows if somebody edits them all the same."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from deploy.local import provision
from services.loyalty import jobs
from services.loyalty.app import service
from services.loyalty.handlers import audit
from shared.db import open_database
from tests import builders
from tests.builders import NOW
from tests.conftest import Templates
from tests.service.loyalty import gifts
from tests.service.loyalty.desk import Desk

MIDNIGHT = datetime(2026, 11, 21, tzinfo=ZoneInfo("America/New_York"))
MOVEMENTS = (
    "opening_minor",
    "sold_minor",
    "loaded_minor",
    "redeemed_minor",
    "refunded_minor",
    "expired_minor",
    "lost_minor",
)


async def test_a_day_opens_moves_and_closes_in_the_zone_of_the_programme(desk: Desk) -> None:
    async with desk.client("staff") as client:
        card = await gifts.sell(client, 1_000)
        hold_id = await gifts.held(client, card, 600)
        desk.clock.advance(MIDNIGHT - timedelta(seconds=1) - desk.clock.now())
        await gifts.sell(client, 70)
        desk.clock.advance(timedelta(seconds=1))
        path = f"gift-cards/{card['gift_card_id']}"
        await gifts.post(client, f"{path}:load", {"amount_minor": 50})
        await jobs.sweep_gift_holds(desk.context)
        await gifts.capture(client, await gifts.held(client, card, 1_000))
        bought = gifts.sale(1, 600, hold_id, occurred_at=NOW)
        await desk.apply(bought)
        desk.clock.advance(timedelta(days=1))
        await desk.apply(builders.purchase_voided(bought.data))
        shown = [
            (await client.get("/v1/reports/gift-cards", params={"date": day})).json()
            for day in ("2026-11-19", "2026-11-20", "2026-11-21", "2026-11-22")
        ]

    figures = [[one[name] for name in MOVEMENTS] for one in shown]
    assert figures == [
        [0, 0, 0, 0, 0, 0, 0],
        [0, 1_070, 0, 0, 0, 0, 0],
        [1_070, 0, 50, -1_600, 0, 0, 550],
        [70, 0, 0, 0, 600, 0, -550],
    ]
    assert [sum(one) for one in figures] == [one["closing_minor"] for one in shown]
    assert [one["complete"] for one in shown] == [True, True, True, False]
    assert (await gifts.audit(desk)).liability_minor == shown[-1]["closing_minor"]


async def test_a_card_whose_time_is_over_expires_with_what_is_not_held(desk: Desk) -> None:
    ends = NOW + timedelta(days=1_827)
    async with desk.client("staff") as client:
        card = await gifts.sell(client, 1_000, expires_at=ends.isoformat())
        forever = await gifts.sell(client, 1_000)
        desk.clock.advance(ends - timedelta(minutes=1) - NOW)
        hold_id = await gifts.held(client, card, 300, ttl_s=600)
        await jobs.expire_gift_cards(desk.context)
        before = await gifts.balances(client, card)
        desk.clock.advance(timedelta(minutes=1))
        shown = (await client.get(f"/v1/gift-cards/{card['gift_card_id']}")).json()
        refused = await gifts.hold(client, card, 1)
        await jobs.expire_gift_cards(desk.context)
        held = await gifts.balances(client, card)
        await gifts.release(client, hold_id)
        await jobs.expire_gift_cards(desk.context)
        await jobs.expire_gift_cards(desk.context)
        entries = await gifts.moves(client, card)
        untouched = await gifts.balances(client, forever)

    assert (before, held, untouched) == ((700, 300), (0, 300), (1_000, 0))
    assert (shown["state"], refused.json()["state"]) == ("expired", "expired")
    assert entries[-3:] == [
        ("available", "expired", 700),
        ("held", "available", 300),
        ("available", "expired", 300),
    ]
    assert (await gifts.audit(desk)).ok


@pytest.mark.parametrize(
    ("tampering", "wrong"),
    [
        ("UPDATE gift_entry SET amount_minor = amount_minor + 1 WHERE version = 1", "hashes"),
        ("UPDATE gift_entry SET actor = 'nobody' WHERE version = 2", "hashes"),
        ("DELETE FROM gift_entry WHERE version = 4", "heads"),
        ("UPDATE gift_card SET available_minor = available_minor + 1", "balances"),
        ("UPDATE gift_hold SET state = 'released' WHERE state = 'open'", "holds"),
        ("UPDATE gift_hold SET captured_minor = 1 WHERE state = 'captured'", "captures"),
    ],
)
async def test_what_the_owner_of_the_database_does_to_gift_money_is_found(
    templates: Templates, capsys: pytest.CaptureFixture[str], tampering: str, wrong: str
) -> None:
    roles, name = await templates.clone(service())
    admin = templates.postgres
    url = admin.url(name, role=roles.owner, password=roles.owner_password)
    database = open_database(url.replace("://", "+asyncpg://", 1), application_name="test")
    try:
        desk = Desk(database)
        async with desk.client("staff") as client:
            card = await gifts.sell(client, 1_000)
            await gifts.capture(client, await gifts.held(client, card, 300))
            await gifts.held(client, card, 200)
        before = await gifts.audit(desk)
        async with database.transaction() as tx:
            await tx.execute(sa.text(tampering))
        after = await gifts.audit(desk)
        async with desk.db.transaction() as tx:
            found = await audit.verify(tx)
        await jobs.run_audit(desk.context)
    finally:
        await database.close()
        await provision.drop_database(admin.url(), name)

    assert (before.ok, before.cards, before.entries, before.liability_minor) == (True, 1, 4, 700)
    assert getattr(after, f"wrong_{wrong}") == 1
    assert not after.ok
    assert not found.ok
    assert [(one.of, str(one.owner_id)) for one in found.breaks] == (
        [("gift card", card["gift_card_id"])] if wrong in {"hashes", "heads"} else []
    )
    assert "gift_audit_failed" in capsys.readouterr().out
