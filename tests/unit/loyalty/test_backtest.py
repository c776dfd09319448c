"""A back-test says what the ledger would have posted by either rules."""

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.loyalty.domain.backtest import Backtest, Difference
from services.loyalty.domain.bonuses import Bonus
from services.loyalty.domain.caps import Cap
from services.loyalty.domain.challenges import Challenge
from services.loyalty.domain.programme import Programme, Version
from services.loyalty.domain.terms import Pending
from shared.contracts.purchases import ReturnedLine
from tests import builders
from tests.builders import NOW
from tests.unit.loyalty import programmes
from tests.unit.loyalty.books import Ledger

SINCE, UNTIL = NOW - timedelta(days=40), NOW + timedelta(days=1)
CAPS = (
    Cap("each", "At most 60 a receipt", "receipt", 60),
    Cap("daily", "At most 100 a day", "day", 100),
    Cap("monthly", "At most 400 a month", "month", 400),
)
CURRENT = programmes.version(caps=CAPS)
DRAFT = programmes.version(
    "v2",
    base=3,
    bonuses=(Bonus("visit", "A visit", points_per_receipt=20),),
    caps=(CAPS[1],),
)


def history(dice: random.Random) -> list[Any]:
    """Return sales, some returned or found to be somebody else's, in any order, some twice."""
    events: list[Any] = []
    for number in range(60):
        sold = builders.purchase_recorded(
            receipt_no=str(number),
            member_id=dice.choice([UUID(int=1), UUID(int=2), UUID(int=3), None]),
            occurred_at=NOW - timedelta(hours=dice.randrange(0, 900)),
            lines=[builders.line(category="BREAD", amount_minor=dice.randrange(2_000))],
        )
        events.append(sold)
        if dice.random() < 0.4:
            back = ReturnedLine(
                line_no=1,
                quantity_milli=0,
                amount_minor=dice.randrange(sold.data.lines[0].amount_minor + 1),
            )
            events.append(builders.purchase_returned(sold.data, [back]))
        if dice.random() < 0.4:
            events.append(builders.purchase_attributed(events[-1].data, UUID(int=4)))
    return dice.sample(events, len(events)) + dice.sample(events, 20)


def counted(events: list[Any], draft: Version = DRAFT) -> Backtest:
    work = Backtest(programmes.small(CURRENT), draft, SINCE, UNTIL)
    for event in events:
        work.count(event.data)
    return work


def booked(programme: Programme, events: list[Any]) -> dict[UUID, int]:
    ledger = Ledger(programme)
    ledger.apply(events)
    return {key: one.available + one.pending for key, one in ledger.members.items()}


STAYS = replace(DRAFT, caps=(), pending=Pending(1), returns_take="pending_only")
"""Goods come back a day after the sale, when the points of most have begun."""


@pytest.mark.parametrize("draft", [DRAFT, STAYS], ids=["capped", "stays"])
@pytest.mark.parametrize("seed", range(5))
def test_both_sides_are_what_the_ledger_would_have(seed: int, draft: Version) -> None:
    events = history(random.Random(seed))
    before = booked(programmes.small(CURRENT), events)
    after = booked(programmes.small(draft), events)
    changes = {key: after[key] - before[key] for key in before}

    outcome = counted(events, draft).outcome()

    assert (outcome.before, outcome.after) == (sum(before.values()), sum(after.values()))
    assert outcome.members == len(before) == 4
    assert outcome.winners == sum(change > 0 for change in changes.values())
    assert outcome.losers == sum(change < 0 for change in changes.values())
    for one in (*outcome.largest_gains, *outcome.largest_losses):
        assert one == Difference(one.member_id, before[one.member_id], after[one.member_id])


def test_the_same_rules_change_nothing() -> None:
    outcome = counted(history(random.Random(9)), CURRENT).outcome()

    assert outcome.before == outcome.after > 0
    assert (outcome.winners, outcome.losers) == (0, 0)


def test_the_ten_with_the_largest_change_are_named_the_largest_first() -> None:
    less = replace(DRAFT, bonuses=(), caps=())
    events = [
        builders.purchase_recorded(
            receipt_no=str(number),
            member_id=UUID(int=number),
            lines=[builders.line(category="BREAD", amount_minor=40 * number)],
        )
        for number in range(1, 13)
    ]

    outcome = counted(events, less).outcome()

    assert (outcome.losers, outcome.winners) == (12, 0)
    # 4 points a number at 10 a dollar, 1.2 at 3.
    assert [one.member_id.int for one in outcome.largest_losses] == [*range(12, 2, -1)]
    assert outcome.largest_losses[0] == Difference(UUID(int=12), 48, 14)


def test_receipts_outside_the_weeks_do_not_count() -> None:
    events = [
        builders.purchase_recorded(receipt_no=str(number), occurred_at=at)
        for number, at in enumerate((SINCE - timedelta(seconds=1), SINCE, UNTIL))
    ]

    assert counted(events).outcome().receipts == 1


@pytest.mark.parametrize("seed", range(5))
def test_challenges_and_what_waits_are_those_of_the_ledger(seed: int) -> None:
    """Where nothing was before the weeks, it is exact."""
    draft = replace(
        DRAFT,
        pending=Pending(approval_above=60),
        challenges=(
            Challenge("twice", "Two visits a week, twice", 500, "visits", 2, "week", periods=2),
            Challenge("once", "40 dollars once", 70, "spend_minor", 4_000, "ever", once=True),
            Challenge("never", "A million", 1, "spend_minor", 10**8, "month"),
        ),
    )
    events = history(random.Random(seed))
    ledger = Ledger(programmes.small(draft))
    ledger.apply(events)
    given = [one for one in ledger.awards.values() if one.points]
    waiting = [one for one in ledger.receipts.values() if one.approval == "waiting"]

    outcome = counted(events, draft).outcome()

    assert {one.challenge.rule: (one.members, one.points) for one in outcome.challenges} == {
        rule: (
            len({one.member_id for one in given if one.rule == rule}),
            sum(one.points for one in given if one.rule == rule),
        )
        for rule in ("twice", "once", "never")
    }
    assert outcome.waiting == len(waiting) > 0
    assert outcome.waiting_points == sum(one.desired for one in waiting)
    assert any(one.points for one in outcome.challenges)
