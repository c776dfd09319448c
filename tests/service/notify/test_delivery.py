"""What goes wrong with mail servers and processes: nothing is lost, hangs, or is sent twice."""

import asyncio
from datetime import timedelta
from time import monotonic
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from services.notify import jobs
from services.notify.domain.delivery import Result
from services.notify.domain.planning import Plan
from services.notify.handlers import dispatch, settle, triggers
from services.notify.store.messages import Claim
from tests import builders
from tests.service.notify.conftest import Notify


async def claim_one(notify: Notify) -> Claim:
    notify.clock.advance(notify.context.dispatch.collect)
    async with notify.db.transaction() as tx:
        [claim], _ = await dispatch.claim_mail(tx, notify.context)
    return claim


async def ask_service_mail(notify: Notify, member_id: UUID) -> None:
    """Ask for a message that the member must get; the text matters not."""
    now = notify.clock.now()
    plan = Plan(uuid4(), member_id, "service", "email", "points_earned", uuid4(), now,
                values={"earned": 1, "available": 1})  # fmt: skip
    async with notify.db.transaction() as tx:
        await triggers.ask(tx, [plan], now=now, not_before=now, context=notify.context)


async def test_while_the_server_is_away_mails_stay_queued_and_leave_when_it_is_back(
    notify: Notify,
) -> None:
    for _ in range(3):
        await notify.issue(await notify.enrol())
    await notify.post.close()
    started = monotonic()
    await notify.work()
    assert monotonic() - started < 5
    assert notify.context.outage.failures == 1
    queued = await notify.messages(channel="email")
    assert {(one["state"], one["attempts"]) for one in queued} == {("queued", 0)}
    # The inbox does not wait for the mail server.
    assert len(await notify.messages(channel="inbox", state="sent")) == 3
    await notify.work()
    assert notify.context.outage.failures == 2
    await notify.post.open()
    notify.clock.advance(timedelta(minutes=1))
    await notify.work()
    assert len(notify.post.mails) == 3
    assert notify.context.outage.failures == 0


async def test_a_server_that_never_answers_holds_nobody_up(notify: Notify) -> None:
    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)
        writer.close()

    await notify.issue(await notify.enrol())
    port = notify.post.port
    await notify.post.close()
    server = await asyncio.start_server(silent, "127.0.0.1", port)
    started = monotonic()
    await notify.work()
    assert monotonic() - started < 4
    server.close()
    assert (await notify.only(channel="email"))["state"] == "queued"


async def test_a_temporary_refusal_is_tried_again_later(notify: Notify) -> None:
    await notify.issue(await notify.enrol())
    notify.post.data_answer = "451 try later"
    await notify.work()
    kept = await notify.only(channel="email")
    assert (kept["state"], kept["reason"], kept["attempts"]) == ("queued", "retry", 1)
    assert kept["not_before"] == notify.clock.now() + timedelta(seconds=30)
    notify.post.data_answer = "250 taken"
    await notify.work()
    assert notify.post.mails == []
    notify.clock.advance(timedelta(seconds=30))
    await notify.work()
    assert len(notify.post.mails) == 1


async def test_an_address_refused_for_good_gets_nothing_more_until_it_changes(
    notify: Notify,
) -> None:
    ada = await notify.enrol()
    await notify.issue(ada)
    notify.post.rcpt_answer = "550 no such mailbox"
    await notify.work()
    assert (await notify.only(channel="email"))["reason"] == "address_refused"
    notify.post.rcpt_answer = "250 OK"
    await notify.issue(ada)
    await notify.work()
    assert notify.post.mails == []
    [second] = await notify.messages(channel="email", state="suppressed")
    assert second["reason"] == "address_suppressed"
    who = {"member_id": ada, "subject": str(ada)}
    moved = builders.member_contact_changed(**who, version=2, email="ada@elsewhere.example")
    await notify.feed("member-contacts", moved)
    await notify.issue(ada)
    await notify.work()
    assert len(notify.post.mails) == 1


async def test_a_marketing_mail_whose_answer_was_lost_is_never_sent_again(notify: Notify) -> None:
    await notify.issue(await notify.enrol())
    notify.post.vanish_after_data = True
    await notify.work()
    kept = await notify.only(channel="email")
    assert (kept["state"], kept["reason"]) == ("unknown", "outcome_unknown")
    notify.post.vanish_after_data = False
    for _ in range(3):
        notify.clock.advance(timedelta(hours=1))
        await notify.work()
    assert len(notify.post.mails) == 1


async def test_a_service_mail_whose_answer_was_lost_is_sent_once_more(notify: Notify) -> None:
    ada = await notify.enrol(consent=False)
    await ask_service_mail(notify, ada)
    notify.post.vanish_after_data = True
    for _ in range(4):
        await notify.work()
        notify.clock.advance(timedelta(hours=1))
    assert len(notify.post.mails) == 2
    assert notify.post.mails[0]["Message-ID"] == notify.post.mails[1]["Message-ID"]
    assert notify.post.mails[0]["List-Unsubscribe"] is None
    assert (await notify.only(channel="email"))["state"] == "unknown"


async def test_a_process_that_died_before_sending_leaves_the_mail_to_the_next(
    notify: Notify,
) -> None:
    await notify.issue(await notify.enrol())
    await claim_one(notify)
    assert await jobs.recover_claims(notify.context) == 0
    notify.clock.advance(notify.context.dispatch.lease + timedelta(seconds=1))
    assert await jobs.recover_claims(notify.context) == 1
    await notify.work()
    assert len(notify.post.mails) == 1


@pytest.mark.parametrize(("kind", "state"), [("offers", "unknown"), ("service", "queued")])
async def test_a_process_that_died_while_sending_leaves_unknown_behind(
    notify: Notify, kind: str, state: str
) -> None:
    ada = await notify.enrol()
    if kind == "service":
        await ask_service_mail(notify, ada)
    else:
        await notify.issue(ada)
    claim = await claim_one(notify)
    async with notify.db.transaction() as tx:
        assert await dispatch.prepare(tx, claim, notify.context) is not None
    notify.clock.advance(notify.context.dispatch.lease + timedelta(seconds=1))
    assert await jobs.recover_claims(notify.context) == 1
    kept = await notify.only(channel="email")
    assert (kept["state"], kept["uncertain"]) == (state, 1)
    assert kept["gates"][-1]["detail"] == "its process ended during the attempt"


async def test_a_process_that_was_frozen_records_nothing_when_it_wakes(notify: Notify) -> None:
    await notify.issue(await notify.enrol())
    claim = await claim_one(notify)
    async with notify.db.transaction() as tx:
        ready = await dispatch.prepare(tx, claim, notify.context)
    assert ready is not None
    notify.clock.advance(notify.context.dispatch.lease + timedelta(seconds=1))
    await jobs.recover_claims(notify.context)
    async with notify.db.transaction() as tx:
        await settle.record(tx, ready, Result("accepted", "250"), notify.context)
        assert await dispatch.prepare(tx, claim, notify.context) is None
    assert (await notify.only(channel="email"))["state"] == "unknown"


async def test_two_dispatchers_share_the_queue(notify: Notify) -> None:
    for _ in range(10):
        await notify.issue(await notify.enrol())
    notify.clock.advance(notify.context.dispatch.collect)
    await asyncio.gather(*(jobs.dispatch_mail(notify.context) for _ in range(3)))
    assert len(notify.post.mails) == 10
    assert len({mail["Message-ID"] for mail in notify.post.mails}) == 10


async def test_cancelled_in_the_middle_of_sending_a_mail_is_not_sent_again(
    notify: Notify,
) -> None:
    await notify.issue(await notify.enrol())
    notify.clock.advance(notify.context.dispatch.collect)
    notify.post.before_data = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(jobs.dispatch_mail(notify.context))
        await notify.post.at_data.wait()
        sending.cancel()
    notify.post.before_data.set()
    notify.clock.advance(notify.context.dispatch.lease + timedelta(seconds=1))
    await jobs.recover_claims(notify.context)
    await notify.work()
    assert (await notify.only(channel="email"))["state"] == "unknown"
    assert len(notify.post.mails) <= 1


async def test_a_template_that_can_not_be_filled_fails_its_message_alone(notify: Notify) -> None:
    ada = await notify.enrol()
    await notify.issue(ada)
    async with notify.db.transaction() as tx:
        await tx.execute(sa.text("UPDATE message SET template = 'gone' WHERE channel = 'inbox'"))
    await notify.work()
    assert (await notify.only(channel="inbox"))["reason"] == "template_unfit"
    assert len(notify.post.mails) == 1


async def test_an_unusable_address_fails_its_message_alone(notify: Notify) -> None:
    for email in ("no address\r\nBcc: eve@example.org", "ada@example.org"):
        await notify.issue(await notify.enrol(email=email))
    await notify.work()
    assert [mail["To"] for mail in notify.post.mails] == ["Ada Example <ada@example.org>"]
    assert len(await notify.messages(state="failed", reason="address_unusable")) == 1
