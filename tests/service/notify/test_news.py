"""Awards and notices of tiers become messages, once and while they are true."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.notify.handlers import choices
from tests import builders
from tests.service.notify.conftest import Notify


def award(member_id: UUID, at: Any, **changes: Any) -> Any:
    """Return 500 points for a challenge, spendable at once."""
    who = {"member_id": member_id, "subject": str(member_id), "time": at, "begins_at": at}
    return builders.points_awarded(id=uuid4(), **who | changes)


def notice(member_id: UUID, at: Any, **changes: Any) -> Any:
    """Return the notice that a member will lose silver in a month."""
    who = {"member_id": member_id, "subject": str(member_id), "time": at}
    return builders.tier_notice(id=uuid4(), **who | {"falls_at": at + timedelta(days=30)} | changes)


def moved(member_id: UUID, tier: str | None, at: Any, **changes: Any) -> Any:
    """Return a change of tier, from silver."""
    who = {"member_id": member_id, "subject": str(member_id), "time": at}
    return builders.tier_changed(id=uuid4(), previous="silver", tier=tier, **who, **changes)


async def test_an_award_is_told_once_in_the_inbox_and_by_mail_to_who_asked(notify: Notify) -> None:
    ada, ben = await notify.enrol(consent=False), await notify.enrol(consent=False)
    async with notify.db.transaction() as tx:
        await choices.prefer(tx, ada, {("points", "email"): "at_once"}, notify.context)
    now = notify.clock.now()
    given = [award(ada, now), award(ben, now, begins_at=None)]
    for _ in range(2):
        await notify.feed("loyalty", *given)
        await notify.work()

    assert notify.post.subjects() == ["500 points for you"]
    told = {one["member_id"]: one for one in await notify.messages(channel="inbox", state="sent")}
    assert told[ada]["content"] == {
        "title": "500 points for you",
        "text": (
            "Three visits in each of two quarters: 500 points. You now have 1500 points to spend."
        ),
    }
    assert told[ben]["content"]["text"].endswith("They can be spent soon; your balance says when.")
    assert len(await notify.messages()) == 3


@pytest.mark.parametrize("together", [True, False])
async def test_an_award_that_is_taken_back_meanwhile_is_not_told(
    notify: Notify, *, together: bool
) -> None:
    """One that is given again is, and so is another of the same member."""
    ada, now = await notify.enrol(), notify.clock.now()
    other = award(ada, now, award_id=uuid4(), explain="Happy birthday: 250 points.", points=250)
    again = award(ada, now)
    events = [award(ada, now), other, award(ada, now, points=-500), again]
    for batch in [events] if together else [[event] for event in events]:
        await notify.feed("loyalty", *batch)
    await notify.work()

    told = {one["cause_id"]: (one["state"], one["reason"]) for one in await notify.messages()}
    assert told == {
        events[0].id: ("suppressed", "no_longer_true"),
        other.id: ("sent", None),
        again.id: ("sent", None),
    }


async def test_what_was_decided_on_a_receipt_is_told_once(notify: Notify) -> None:
    ada, ben = await notify.enrol(), await notify.enrol()
    async with notify.db.transaction() as tx:
        await choices.prefer(tx, ada, {("points", "email"): "at_once"}, notify.context)
    now = notify.clock.now()
    words = "The receipt was not approved: it does not give its 5000 points."
    decided = [
        builders.approval_decided(member_id=ada, time=now),
        builders.approval_decided(member_id=ben, time=now, verdict="rejected", explain=words),
    ]
    for _ in range(2):
        await notify.feed("loyalty", *decided)
        await notify.work()

    assert notify.post.subjects() == ["5000 points are yours"]
    told = {one["member_id"]: one for one in await notify.messages(channel="inbox", state="sent")}
    assert told[ada]["content"] == {
        "title": "5000 points are yours",
        "text": "The receipt was approved: 5000 points.",
    }
    assert told[ben]["content"] == {"title": "About the points of your receipt", "text": words}
    assert len(await notify.messages()) == 3


async def test_a_tier_that_will_be_lost_is_told_once_by_mail_and_in_the_inbox(
    notify: Notify,
) -> None:
    ada, ben = await notify.enrol(consent=False), await notify.enrol(consent=False)
    async with notify.db.transaction() as tx:
        await choices.prefer(tx, ben, {("tiers", "email"): "never"}, notify.context)
    now = notify.clock.now()
    ahead = [notice(ada, now), notice(ben, now)]
    for _ in range(2):
        await notify.feed("loyalty", *ahead)
        await notify.work()

    assert notify.post.subjects() == ["silver ends soon, and can be kept"]
    assert f"{ada}@" in notify.post.mails[0]["To"]
    text = notify.post.mails[0].get_body(("plain",))
    assert text is not None
    assert "silver lasts until 2026-12-20" in text.get_content()
    inbox = await notify.messages(channel="inbox", state="sent")
    assert [one["content"] for one in inbox] == [
        {"title": "silver ends soon", "text": "silver lasts until 2026-12-20"}
    ] * 2
    [unwanted] = await notify.messages(state="suppressed")
    assert (unwanted["member_id"], unwanted["reason"]) == (ben, "preference")


@pytest.mark.parametrize("together", [True, False])
async def test_a_notice_is_not_told_once_the_member_has_another_tier(
    notify: Notify, *, together: bool
) -> None:
    now = notify.clock.now()
    risen, fallen, kept, before, late = [await notify.enrol() for _ in range(5)]
    events = [
        moved(before, "silver", now),
        *(notice(one, now) for one in (risen, fallen, kept, before)),
        notice(late, now, falls_at=now),
        moved(risen, "gold", now),
        moved(fallen, None, now),
        moved(kept, "gold", now),
        moved(kept, "silver", now),
    ]
    batches = [events[:6], events[6:]]
    for batch in [events] if together else batches:
        await notify.feed("loyalty", *batch)
    await notify.work()

    told = {one["member_id"]: one["state"] for one in await notify.messages(channel="inbox")}
    assert told == {
        risen: "suppressed",
        fallen: "suppressed",
        kept: "sent",
        before: "sent",
        late: "suppressed",
    }
    assert {one["reason"] for one in await notify.messages(state="suppressed")} == {
        "no_longer_true"
    }


async def test_a_tier_that_was_reached_is_told_once_in_the_inbox_and_by_mail_to_who_asked(
    notify: Notify,
) -> None:
    ada, ben, fallen, moving = [await notify.enrol() for _ in range(4)]
    async with notify.db.transaction() as tx:
        await choices.prefer(tx, ada, {("tiers", "email"): "at_once"}, notify.context)
    now = notify.clock.now()
    reason = "Best net spend of 2025 and 2026: 1,200.00 USD."
    events = [
        moved(ada, "gold", now, rose=True, reason=reason),
        moved(ben, "gold", now, rose=True, reason=reason),
        moved(fallen, None, now),
        moved(moving, "gold", now, rose=True, imported=True),
    ]
    for _ in range(2):
        await notify.feed("loyalty", *events)
        await notify.work()

    assert notify.post.subjects() == ["You are gold now"]
    assert f"{ada}@" in notify.post.mails[0]["To"]
    text = notify.post.mails[0].get_body(("plain",))
    assert text is not None
    assert reason in text.get_content()
    told = {"title": "You are gold now", "text": reason}
    inbox = await notify.messages(channel="inbox", state="sent")
    assert {one["member_id"]: one["content"] for one in inbox} == {ada: told, ben: told}
    assert len(await notify.messages()) == 3


@pytest.mark.parametrize("together", [True, False])
async def test_a_tier_that_is_gone_again_is_not_told(notify: Notify, *, together: bool) -> None:
    now, ada = notify.clock.now(), await notify.enrol()
    up, down = moved(ada, "gold", now, rose=True), moved(ada, "silver", now)
    again = moved(ada, "platinum", now, rose=True)
    for batch in [[up, down, again]] if together else [[up], [down, again]]:
        await notify.feed("loyalty", *batch)
    await notify.work()

    told = {one["cause_id"]: (one["state"], one["reason"]) for one in await notify.messages()}
    assert told == {up.id: ("suppressed", "no_longer_true"), again.id: ("sent", None)}
