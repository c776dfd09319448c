"""What keeps a reward from a member, and what of one comes back with the goods."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.loyalty.domain import rewards, spending, stock
from services.loyalty.domain.postings import SpendChange
from services.loyalty.domain.rewards import Limit, Per, Reward, Taker
from services.loyalty.domain.spending import Spend
from services.loyalty.domain.stock import Stock
from shared.contracts.purchases import ReceiptLine, ReturnedLine
from tests import builders
from tests.builders import NOW

ZONE = ZoneInfo("America/New_York")
TOTE = Reward("tote", "Tote bag", 300, "product", sku="T")
HOLD = Spend(
    spend_id=UUID(int=1),
    member_id=builders.MEMBER,
    points=301,
    taken=301,
    captured=0,
    state="held",
    at=NOW - timedelta(minutes=5),
    expires_at=NOW + timedelta(minutes=5),
    identified_by="card",
    opened_by="key",
    reward_id="tote",
    programme_version="v1",
)


def at(local: str) -> datetime:
    return datetime.fromisoformat(local).replace(tzinfo=ZONE)


def hindered(reward: Reward, now: datetime, *taken_at: datetime) -> list[tuple[str, Any]]:
    spends = [replace(HOLD, at=one) for one in taken_at]
    found = rewards.hindrances(reward, Taker(None, spends, now), ZONE)
    return [(one.code, one.again_at and one.again_at.astimezone(ZONE)) for one in found]


@pytest.mark.parametrize(
    ("per", "taken_at", "again_at"),
    [
        ("day", "2026-11-20T00:00", "2026-11-21T00:00"),
        ("month", "2026-11-01T00:00", "2026-12-01T00:00"),
        ("year", "2026-01-01T00:00", "2027-01-01T00:00"),
        ("ever", "2019-01-01T00:00", None),
    ],
)
def test_a_limit_counts_calendar_periods_of_the_programmes_zone(
    per: Per, taken_at: str, again_at: str | None
) -> None:
    reward = replace(TOTE, limit=Limit(1, per))
    first, now = at(taken_at), at("2026-11-20T23:59")

    assert hindered(reward, now, first) == [("reward_limit", again_at and at(again_at))]
    if again_at is not None:
        assert hindered(reward, now, first - timedelta(seconds=1)) == []
        assert hindered(reward, at(again_at), first) == []


def test_a_limit_counts_what_is_held_and_not_what_came_back_or_is_another_reward() -> None:
    reward = replace(TOTE, limit=Limit(2, "ever"))
    returned, other = replace(HOLD, taken=0), replace(HOLD, reward_id="cup")

    def codes(*spends: Spend) -> list[str]:
        taker = Taker(None, spends, NOW)
        return [one.code for one in rewards.hindrances(reward, taker, ZONE)]

    assert codes(HOLD, returned, other) == []
    assert codes(HOLD, HOLD) == ["reward_limit"]


def test_a_reward_is_there_from_its_first_instant_to_just_before_its_end() -> None:
    since, until = NOW, NOW + timedelta(days=1)
    reward = replace(TOTE, available_from=since, available_until=until)
    instant = timedelta(microseconds=1)

    assert hindered(reward, since - instant) == [("reward_not_available", since.astimezone(ZONE))]
    assert hindered(reward, since) == []
    assert hindered(reward, until - instant) == []
    assert hindered(reward, until) == [("reward_not_available", None)]


def test_more_taken_than_there_are_leaves_none() -> None:
    assert [Stock(one, 2).left for one in (None, 3, 2, 1)] == [None, 1, 0, 0]


def back(line: ReceiptLine) -> ReturnedLine:
    return ReturnedLine(
        line_no=line.line_no, quantity_milli=line.quantity_milli, amount_minor=line.amount_minor
    )


@st.composite
def receipts(draw: st.DrawFn) -> list[Any]:
    """Return a sale with a free line beside what was paid for, and what becomes of it."""
    lines = [
        builders.line(1, category="BREAD", amount_minor=500, quantity_milli=1_000),
        builders.line(2, category="BAGS", amount_minor=0, quantity_milli=1_000),
    ]
    sold = builders.purchase_recorded(lines=lines, hold_ids=(HOLD.spend_id,), occurred_at=NOW)
    events: list[Any] = [sold]
    for step in draw(
        st.lists(st.sampled_from(["paid", "free", "all", "void", "drop"]), max_size=4)
    ):
        net = events[-1].data
        if step == "void":
            events.append(builders.purchase_voided(net))
        elif step == "drop":
            events.append(builders.purchase_amended(net, net.lines, hold_ids=()))
        else:
            gone = [
                back(one)
                for one in net.lines
                if step == "all" or (one.line_no == 1) == (step == "paid")
            ]
            events.append(builders.purchase_returned(net, gone))
    return events


def settled(events: Sequence[Any]) -> tuple[Spend, int]:
    """Return what a hold becomes by the revisions as they arrive, and the pieces that moved."""
    hold, moved, seen = HOLD, 1, 0
    for event in events:
        receipt = event.data
        if receipt.revision < seen:
            continue
        seen = receipt.revision
        before = hold
        if HOLD.spend_id in receipt.hold_ids:
            voided = event.type == "purchase.voided.v1"
            hold = spending.name(hold, receipt, NOW, voided=voided)
        elif hold.receipt_id is not None:
            hold = spending.unname(hold, receipt.revision)
        moved += stock.pieces([SpendChange(before, hold, event.id, NOW)]).get("tote", 0)
    return hold, moved


@given(receipts(), st.data())
def test_it_comes_back_with_all_of_the_purchase_whatever_the_order(
    events: list[Any], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations([*events, *events]))
    last = events[-1]
    named = HOLD.spend_id in last.data.hold_ids
    kept = named and any(one.quantity_milli or one.amount_minor for one in last.data.lines)
    if not named:
        shuffled = [events[0], *shuffled]  # else nothing may ever capture it, and it stays open

    for order in (events, shuffled):
        hold, moved = settled(order)
        assert hold.taken == (HOLD.points if kept else 0)
        assert moved == (1 if kept else 0)


def test_what_was_all_free_comes_back_with_its_pieces() -> None:
    free = [builders.line(1, amount_minor=0, quantity_milli=2_000)]
    sold = builders.purchase_recorded(lines=free, hold_ids=(HOLD.spend_id,), occurred_at=NOW)
    one = back(free[0].model_copy(update={"quantity_milli": 1_000}))
    first = builders.purchase_returned(sold.data, [one])
    second = builders.purchase_returned(first.data, [one])

    assert settled([sold])[0].taken == settled([sold, first])[0].taken == HOLD.points
    assert settled([second, first, sold])[0].taken == 0


def test_a_sale_of_nothing_but_empty_lines_is_a_sale() -> None:
    coupon = [builders.line(1, amount_minor=0, quantity_milli=0)]
    sold = builders.purchase_recorded(lines=coupon, hold_ids=(HOLD.spend_id,), occurred_at=NOW)

    assert settled([sold]) == settled([sold, sold])
    assert settled([sold])[0].taken == HOLD.points
