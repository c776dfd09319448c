"""From event to mail, through every gate, over real SMTP."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import ProgrammingError

from services.notify import jobs
from services.notify.handlers import choices, dispatch
from services.notify.store.tables import METADATA
from tests import builders
from tests.service.notify.conftest import Notify


async def test_offers_issued_together_become_one_mail_and_one_inbox_message(
    notify: Notify,
) -> None:
    ada = await notify.enrol(name="Ada Lovelace")
    await notify.issue(ada, 3, title="20 % off bananas")
    await notify.work()
    [mail] = notify.post.mails
    assert mail["Subject"] == "3 offers picked for you"
    assert mail["To"] == f"Ada Lovelace <{ada}@example.org>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["List-Unsubscribe"].startswith("<https://shop.example/u/")
    text = mail.get_body(("plain",))
    assert text is not None
    assert text.get_content().count("You buy bananas about every 9 days") == 3
    assert (await notify.only(channel="email"))["state"] == "sent"
    inbox = await notify.only(channel="inbox")
    assert inbox["state"] == "sent"
    assert inbox["content"]["title"] == "3 new offers on your card"


async def test_what_was_decided_is_kept_and_published(notify: Notify) -> None:
    ada = await notify.enrol()
    await notify.issue(ada)
    await notify.work()
    sent = await notify.only(channel="email")
    assert [gate["gate"] for gate in sent["gates"]] == [
        "fresh", "known", "erased", "suppressed", "consent", "preference", "still_true", "send",
    ]  # fmt: skip
    assert all(gate["passed"] for gate in sent["gates"])
    events = [one for one in await notify.published() if one.data.channel == "email"]
    assert [one.type for one in events] == ["message.sent.v1"]
    assert events[0].data.message_id == sent["message_id"]
    assert "example.org" not in events[0].model_dump_json()


async def test_without_consent_nothing_is_mailed_and_the_reason_is_recorded(
    notify: Notify,
) -> None:
    ada = await notify.enrol(consent=False)
    notify.settle_grace()
    await notify.issue(ada)
    await notify.work()
    assert notify.post.mails == []
    kept = await notify.only(channel="email")
    assert (kept["state"], kept["reason"]) == ("suppressed", "no_consent")
    events = [one for one in await notify.published() if one.data.channel == "email"]
    assert [one.type for one in events] == ["message.suppressed.v1"]
    assert events[0].data.gates[-1].gate == "consent"


async def test_consent_withdrawn_between_claim_and_send_stops_the_mail(notify: Notify) -> None:
    ada = await notify.enrol()
    await notify.issue(ada)
    notify.clock.advance(notify.context.dispatch.collect)
    async with notify.db.transaction() as tx:
        [claim], _ = await dispatch.claim_mail(tx, notify.context)
    later = notify.clock.now()
    who = {"member_id": ada, "subject": str(ada)}
    evidence = {"wording_id": "w", "wording_version": 1, "source": "till", "recorded_at": later}
    await notify.feed("interactions", builders.consent_withdrawn(**who, evidence=evidence))
    async with notify.db.transaction() as tx:
        assert await dispatch.prepare(tx, claim, notify.context) is None
    kept = await notify.only(channel="email")
    assert (kept["state"], kept["reason"]) == ("suppressed", "consent_withdrawn")


async def test_a_withdrawal_from_a_clock_that_runs_ahead_does_not_lose_to_it(
    notify: Notify,
) -> None:
    ada = await notify.enrol(consent=False)
    who = {"member_id": ada, "subject": str(ada)}
    evidence: dict[str, Any] = {"wording_id": "w", "wording_version": 1, "source": "till"}
    ahead = notify.clock.now() + timedelta(hours=5)
    given = builders.consent_given(**who, evidence=evidence | {"recorded_at": ahead})
    await notify.feed("interactions", given)
    notify.clock.advance(timedelta(seconds=1))
    now = notify.clock.now()
    withdrawn = builders.consent_withdrawn(**who, evidence=evidence | {"recorded_at": now})
    await notify.feed("interactions", withdrawn)
    await notify.issue(ada)
    await notify.work()
    assert notify.post.mails == []


async def test_replayed_events_send_nothing_again(notify: Notify) -> None:
    ada = await notify.enrol()
    events = [builders.offer_issued(offer_id=uuid4(), member_id=ada) for _ in range(2)]
    earned = builders.points_earned(member_id=ada)
    for _ in range(2):
        await notify.feed("offers", *events)
        await notify.feed("loyalty", earned)
        await notify.work()
    assert len(notify.post.mails) == 1
    assert len(await notify.messages()) == 3


async def test_an_old_offer_is_recorded_as_expired_and_not_sent(notify: Notify) -> None:
    ada = await notify.enrol()
    await notify.issue(ada, time=notify.clock.now() - timedelta(hours=25))
    await notify.feed(
        "loyalty",
        builders.points_earned(member_id=ada, time=notify.clock.now() - timedelta(days=70)),
    )
    await notify.work()
    assert notify.post.mails == []
    assert {(one["state"], one["reason"]) for one in await notify.messages()} == {
        ("suppressed", "expired")
    }
    assert [one.type for one in await notify.published()] == ["message.suppressed.v1"] * 3


async def test_an_offer_for_a_member_not_known_yet_waits_and_then_leaves(notify: Notify) -> None:
    member_id = uuid4()
    who = {"member_id": member_id, "subject": str(member_id)}
    await notify.issue(member_id)
    await notify.work()
    assert {one["state"] for one in await notify.messages()} == {"waiting"}
    await notify.feed("members", builders.member_changed(**who))
    await notify.work()
    # The inbox needs no address, the mail does.
    assert (await notify.only(channel="inbox"))["state"] == "sent"
    assert (await notify.only(channel="email"))["state"] == "waiting"
    await notify.feed("member-contacts", builders.member_contact_changed(**who))
    await notify.feed("interactions", builders.consent_given(**who))
    await notify.work()
    assert (await notify.only(channel="email"))["state"] == "sent"
    assert len(notify.post.mails) == 1


async def test_waiting_for_a_member_has_an_end(notify: Notify) -> None:
    await notify.issue(uuid4())
    await notify.work()
    notify.clock.advance(notify.context.dispatch.limits.wait)
    await notify.work()
    assert {(one["state"], one["reason"]) for one in await notify.messages()} == {
        ("suppressed", "unknown_member")
    }


async def test_an_offer_that_was_used_meanwhile_is_left_out(notify: Notify) -> None:
    ada = await notify.enrol()
    used, _ = await notify.issue(ada, 2)
    await notify.feed("offers", builders.offer_redeemed(offer_id=used, member_id=ada))
    await notify.work()
    assert notify.post.subjects() == ["20 % off bananas"]


async def test_a_digest_whose_offers_were_all_used_is_not_sent(notify: Notify) -> None:
    ada = await notify.enrol()
    [used] = await notify.issue(ada)
    await notify.feed("offers", builders.offer_redeemed(offer_id=used, member_id=ada))
    await notify.work()
    assert (await notify.only(channel="email"))["reason"] == "no_longer_true"
    assert notify.post.mails == []


async def test_offers_of_a_second_batch_join_the_mail_that_has_not_left(notify: Notify) -> None:
    ada = await notify.enrol()
    await notify.issue(ada, 2)
    await notify.issue(ada, 1)
    await notify.work()
    await notify.issue(ada, 1)
    await notify.work()
    assert notify.post.subjects() == ["3 offers picked for you", "20 % off bananas"]


async def test_points_are_mailed_only_to_who_asked(notify: Notify) -> None:
    ada, ben = await notify.enrol(), await notify.enrol()
    async with notify.db.transaction() as tx:
        await choices.prefer(tx, ada, {("points", "email"): "at_once"}, notify.context)
    earned = [builders.points_earned(member_id=who, points=12) for who in (ada, ben)]
    await notify.feed("loyalty", *earned)
    await notify.work()
    assert notify.post.subjects() == ["You earned 12 points"]
    assert f"{ada}@" in notify.post.mails[0]["To"]
    assert len(await notify.messages(channel="inbox", state="sent")) == 2


async def test_erased_members_get_nothing_and_are_forgotten(notify: Notify) -> None:
    ada = await notify.enrol()
    await notify.feed("loyalty", builders.points_earned(member_id=ada))
    await notify.work()
    await notify.issue(ada)
    who = {"member_id": ada, "subject": str(ada)}
    await notify.feed("members", builders.member_changed(**who, version=2, status="erased"))
    await notify.feed("member-contacts", builders.member_contact_changed(**who, version=9))
    await notify.work()
    assert notify.post.mails == []
    assert (await notify.only(channel="email"))["reason"] == "erased"
    async with notify.db.transaction() as tx:
        assert await tx.scalar(sa.text("SELECT count(*) FROM contact")) == 0
        assert await tx.scalar(sa.text("SELECT count(content) FROM message")) == 0


async def test_older_versions_of_a_member_change_nothing(notify: Notify) -> None:
    ada = await notify.enrol()
    who = {"member_id": ada, "subject": str(ada)}
    newer = builders.member_contact_changed(**who, version=3, email="new@example.org")
    older = builders.member_contact_changed(**who, version=2, email="old@example.org")
    await notify.feed("member-contacts", newer, older)
    await notify.feed("member-contacts", older)
    await notify.issue(ada)
    await notify.work()
    assert notify.post.mails[0]["To"].endswith("<new@example.org>")


async def test_five_hundred_offers_take_a_handful_of_statements(notify: Notify) -> None:
    events = [builders.offer_issued(offer_id=uuid4(), member_id=uuid4()) for _ in range(500)]
    earned = [builders.points_earned(member_id=uuid4()) for _ in range(500)]
    statements: list[str] = []

    def count(_c: Any, _cur: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    engine = notify.db.engine.sync_engine
    event.listen(engine, "before_cursor_execute", count)
    try:
        await notify.feed("offers", *events)
        assert len(statements) <= 6
        statements.clear()
        await notify.feed("loyalty", *earned)
        assert len(statements) <= 6
    finally:
        event.remove(engine, "before_cursor_execute", count)
    assert len(await notify.messages()) == 1_500


async def test_consents_can_only_be_added(notify: Notify) -> None:
    await notify.enrol()
    for statement in ("UPDATE consent SET decision = 'given'", "DELETE FROM consent"):
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with notify.db.transaction() as tx:
                await tx.execute(sa.text(statement))


async def test_the_tables_are_those_of_the_migration(notify: Notify) -> None:
    for table in METADATA.sorted_tables:
        async with notify.db.transaction() as tx:
            rows = await tx.execute(
                sa.text(
                    "SELECT column_name, is_nullable = 'YES' FROM information_schema.columns"
                    " WHERE table_name = :name ORDER BY ordinal_position"
                ),
                {"name": table.name},
            )
            found = [(name, nullable) for name, nullable in rows]
        assert found == [(column.name, column.nullable) for column in table.columns], table.name


async def test_many_mails_share_a_few_connections(notify: Notify) -> None:
    for _ in range(30):
        await notify.issue(await notify.enrol())
    await notify.work()
    assert len(notify.post.mails) == 30
    assert notify.post.sessions <= notify.context.dispatch.connections
    assert await jobs.recover_claims(notify.context) == 0


async def test_points_that_end_soon_are_told_once(notify: Notify) -> None:
    ada = await notify.enrol()
    ending = builders.points_expiring(member_id=ada, time=notify.clock.now())
    for _ in range(2):
        await notify.feed("loyalty", ending)
        await notify.work()

    (told,) = await notify.messages()
    assert (told["template"], told["state"]) == ("points_expiring", "sent")
    assert told["content"] == {
        "title": "200 points end soon",
        "text": "You can spend them until 4 December 2026.",
    }


async def test_points_that_are_spent_meanwhile_are_not_told(notify: Notify) -> None:
    """The first is spent in part, the second all of it; what was spent before counts for none."""
    notices = {uuid4(): 150, uuid4(): 200}
    now = notify.clock.now()
    for member_id, spent in notices.items():
        who = {"member_id": member_id, "subject": str(member_id)}
        await notify.feed("loyalty", builders.points_expiring(time=now, **who))
        await notify.feed(
            "loyalty",
            builders.points_spent(points=100, time=now - timedelta(hours=1), **who),
            builders.points_spent(points=spent, time=now + timedelta(minutes=1), **who),
        )
        await notify.feed("members", builders.member_changed(**who))
    await notify.work()

    told = {one["member_id"]: one for one in await notify.messages()}
    part, whole = (told[member_id] for member_id in notices)
    assert (part["state"], part["content"]["title"]) == ("sent", "50 points end soon")
    assert (whole["state"], whole["reason"]) == ("suppressed", "no_longer_true")
