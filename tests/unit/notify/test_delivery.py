"""What follows from an attempt: marketing is never sent twice, service at most twice."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.notify.context import LONGEST_PAUSE, Outage
from services.notify.domain import delivery, planning
from services.notify.domain.delivery import Result, Tally
from services.notify.domain.planning import NewOffer
from tests import builders

CASES: list[tuple[str, Any, Tally, tuple[str, str | None]]] = [
    ("accepted", "offers", Tally(1, 0), ("sent", None)),
    ("delayed", "offers", Tally(1, 0), ("queued", "retry")),
    ("delayed", "offers", Tally(delivery.ATTEMPTS_MAX, 0), ("failed", "gave_up")),
    ("refused", "offers", Tally(1, 0), ("failed", "refused")),
    ("address_refused", "service", Tally(1, 0), ("failed", "address_refused")),
    ("uncertain", "offers", Tally(1, 1), ("unknown", "outcome_unknown")),
    ("uncertain", "content", Tally(1, 1), ("unknown", "outcome_unknown")),
    ("uncertain", "service", Tally(1, 1), ("queued", "retry")),
    ("uncertain", "points", Tally(1, 1), ("queued", "retry")),
    ("uncertain", "service", Tally(2, 2), ("unknown", "outcome_unknown")),
    ("accepted", "service", Tally(2, 1), ("sent", None)),
]


@pytest.mark.parametrize(("verdict", "topic", "tally", "then"), CASES)
def test_attempt_leads_to(
    verdict: Any, topic: Any, tally: Tally, then: tuple[str, str | None]
) -> None:
    following = delivery.after(Result(verdict, "250"), topic, tally, jitter=0.5)
    assert (following.state, following.reason) == then
    assert bool(following.pause) is (following.state == "queued")


def test_pauses_double_within_bounds_and_are_spread() -> None:
    assert delivery.pause_after(1, 0.0) == timedelta(seconds=15)
    assert delivery.pause_after(1, 1.0) == timedelta(seconds=30)
    assert delivery.pause_after(3, 1.0) == timedelta(seconds=120)
    assert delivery.pause_after(10_000, 1.0) == delivery.LONGEST_PAUSE


def test_an_outage_is_asked_about_less_and_less() -> None:
    outage = Outage()
    assert not outage.lasts(builders.NOW)
    for _ in range(30):
        outage.fail(builders.NOW, 1.0)
    assert outage.until == builders.NOW + LONGEST_PAUSE
    outage.end()
    assert not outage.lasts(builders.NOW)


def offer(member_id: UUID, campaign: str = "weekly", **changes: Any) -> NewOffer:
    return NewOffer(uuid4(), uuid4(), member_id, campaign, builders.NOW, **changes)


def test_offers_issued_together_become_one_message_per_channel() -> None:
    ada, ben = uuid4(), uuid4()
    together = [offer(ada), offer(ben), offer(ada), offer(ada)]
    digests = planning.collect(together, {})
    assert sorted((plan.member_id, plan.channel) for plan in digests.plans) == sorted(
        (who, channel) for who in (ada, ben) for channel in ("email", "inbox")
    )
    first = planning.message_id(together[0].event_id, planning.DIGEST, "email")
    assert [one for message, one in digests.contents if message == first] == [
        together[0].offer_id, together[2].offer_id, together[3].offer_id,
    ]  # fmt: skip


def test_campaigns_have_messages_of_their_own() -> None:
    ada = uuid4()
    assert len(planning.collect([offer(ada), offer(ada, "birthday")], {}).plans) == 4


def test_a_message_that_has_not_left_takes_more_in() -> None:
    late, open_message = offer(uuid4()), uuid4()
    found = {(late.member_id, late.collect_key, "email"): open_message}
    digests = planning.collect([late], found)
    assert [plan.channel for plan in digests.plans] == ["inbox"]
    assert (open_message, late.offer_id) in digests.contents


def test_an_old_offer_never_joins_a_message_that_will_leave() -> None:
    old = offer(uuid4(), stale=True)
    found = {(old.member_id, old.collect_key, "email"): uuid4()}
    assert len(planning.collect([old], found).plans) == 2


def test_same_trigger_makes_the_same_message() -> None:
    same = [offer(uuid4())]
    assert planning.collect(same, {}) == planning.collect(same, {})
