"""The books against a simple model, step by step: whatever is done, repeated, late or undone.

``python -m tests.unit.loyalty.test_model 20000`` walks that many steps.
"""

import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from services.loyalty.domain import spending
from services.loyalty.domain.lots import NEVER
from services.loyalty.domain.postings import SpendChange
from services.loyalty.domain.spending import Spend
from services.loyalty.domain.terms import Expiry, ends_at
from services.loyalty.handlers import holds
from shared.contracts.purchases import Receipt, ReturnedLine
from shared.errors import Refused
from tests import builders
from tests.builders import MEMBER, NOW
from tests.unit.loyalty import programmes
from tests.unit.loyalty.books import Ledger

STEPS = 30
TTL = timedelta(hours=1)


@dataclass
class Point:
    """One point."""

    begins: datetime
    ends: datetime
    spent: bool = False

    def can_be_spent(self, at: datetime) -> bool:
        return self.begins <= at < self.ends and not self.spent


class Model:
    """What a member has, point by point, from nothing but a list of facts."""

    def __init__(self, forgiving: datetime) -> None:
        self.forgiving = forgiving
        """From when on what lacks of what is taken is not owed."""
        self.worth: dict[UUID, tuple[datetime, datetime | None, int]] = {}
        """Receipt → when its points begin and end, and how many."""
        self.taken: dict[UUID, tuple[datetime, int]] = {}
        """Hold → when it was granted, and what it takes now."""
        self.held: dict[UUID, datetime] = {}
        """Open hold → when it runs out."""

    def at(self, now: datetime) -> tuple[int, int, int]:
        """Return what is available, held and owed."""
        points = [
            Point(begins, ends or NEVER)
            for begins, ends, many in self.worth.values()
            for _ in range(many)
        ]
        owed: list[datetime] = []
        wanted = sorted(when for when, many in self.taken.values() for _ in range(many))
        for moment in sorted({*wanted, *(point.begins for point in points)}):
            if moment > now:
                break
            owed += [when for when in wanted if when == moment]
            usable = sorted(
                (one for one in points if one.can_be_spent(moment)),
                key=lambda point: (point.ends, point.begins),
            )
            for point in usable[: len(owed)]:
                point.spent = True
            del owed[: len(usable)]
            owed = [when for when in owed if when < moment or when < self.forgiving]
        held = sum(self.taken[key][1] for key in self.held)
        return sum(one.can_be_spent(now) for one in points), held, len(owed)

    def expire(self, now: datetime) -> None:
        """Let holds run out."""
        for key in [key for key, until in self.held.items() if until <= now]:
            self.close(key, 0)

    def close(self, hold: UUID, points: int) -> None:
        """End a hold, of which so many points are spent."""
        self.held.pop(hold, None)
        self.taken[hold] = (self.taken[hold][0], points)


class Books(RuleBasedStateMachine):
    """Does to the ledger and to the model the same."""

    receipts = Bundle("receipts")
    """Events; the last of a receipt's says its net state."""
    paid = Bundle("paid")
    """Those of them that name a hold."""
    open_holds = Bundle("open_holds")

    def __init__(self) -> None:
        super().__init__()
        forgiving = NOW + timedelta(days=20)
        self.programme = programmes.small(
            programmes.version(),
            programmes.version("v2", since=forgiving, shortfall="down_to_zero"),
        )
        self.ledger, self.model = Ledger(self.programme), Model(forgiving)
        self.now, self.number = NOW, 0
        self.net: dict[UUID, Receipt] = {}
        self.named: dict[UUID, tuple[UUID, int]] = {}
        """Receipt → the hold that it captured, and how many points."""

    def tick(self, by: timedelta = timedelta(seconds=1)) -> datetime:
        self.now = self.ledger.now = self.now + by
        self.ledger.sweep(self.now)
        self.model.expire(self.now)
        return self.now

    def settle(self, event: Any) -> Any:
        """Apply an event that is news, and tell the model what it means."""
        self.tick()
        receipt: Receipt = event.data
        self.net[receipt.receipt_id] = receipt
        self.ledger.apply([event])
        day = receipt.occurred_at.astimezone(self.programme.time_zone).date()
        end = ends_at(Expiry(12), day, self.programme.time_zone)
        points = receipt.total_minor // 10
        self.model.worth[receipt.receipt_id] = (receipt.occurred_at, end, points)
        if receipt.receipt_id in self.named:
            hold, captured = self.named[receipt.receipt_id]
            back = receipt.sold_total_minor - receipt.total_minor
            self.model.close(hold, captured - captured * back // receipt.sold_total_minor)
        return event

    def sale(self, points: int, ago: timedelta, *hold_ids: UUID) -> Any:
        self.number += 1
        line = builders.line(category="BREAD", amount_minor=points * 10)
        return builders.purchase_recorded(
            receipt_no=str(self.number),
            occurred_at=self.now - ago,
            received_at=self.now,
            lines=[line],
            hold_ids=hold_ids,
        )

    @rule(target=receipts, points=st.integers(1, 30), days=st.integers(0, 300))
    def earn(self, points: int, days: int) -> Any:
        return self.settle(self.sale(points, timedelta(days=days)))

    @rule(targets=(receipts, paid), hold=consumes(open_holds), points=st.integers(1, 30))
    def pay(self, hold: Spend, points: int) -> Any:
        """Name a hold: open, run out, or released by hand a moment ago."""
        event = self.sale(points, timedelta(), hold.spend_id)
        known = self.ledger.holds[hold.spend_id]
        if known.state == "captured":
            self.named[event.data.receipt_id] = (hold.spend_id, known.captured)
        elif (known.state == "held" and known.expires_at > self.now + timedelta(seconds=1)) or (
            known.at - spending.CLOCK
            <= event.data.occurred_at
            <= (known.closed_at or known.expires_at)
        ):
            self.named[event.data.receipt_id] = (hold.spend_id, hold.points)
        return self.settle(event)

    @rule(target=receipts, event=receipts, cents=st.integers(1, 300))
    def give_back(self, event: Any, cents: int) -> Any:
        net = self.net[event.data.receipt_id]
        cents = min(cents, net.total_minor)
        back = ReturnedLine(line_no=1, quantity_milli=0, amount_minor=cents)
        return self.settle(builders.purchase_returned(net, [back])) if cents else multiple()

    @rule(target=receipts, event=paid, cents=st.integers(1, 300))
    def give_back_what_points_paid_for(self, event: Any, cents: int) -> Any:
        return self.give_back(event, cents)

    @rule(target=receipts, event=receipts)
    def void(self, event: Any) -> Any:
        return self.settle(builders.purchase_voided(self.net[event.data.receipt_id]))

    @rule(events=st.lists(receipts, min_size=1, max_size=4))
    def repeat(self, events: list[Any]) -> None:
        """Apply again what was applied, in any order."""
        self.tick()
        self.ledger.apply(events)

    @rule(target=open_holds, points=st.integers(1, 40))
    def hold(self, points: int) -> Any:
        now = self.tick()
        available, _, _ = self.model.at(now)
        if points > available:
            with pytest.raises(Refused, match=f"There are {available} points"):
                holds.must_be_there(self.ledger.holdings(MEMBER), points, now, self.programme)
            return multiple()
        holds.must_be_there(self.ledger.holdings(MEMBER), points, now, self.programme)
        self.number += 1
        key = UUID(int=self.number)
        hold = Spend(key, MEMBER, points, points, 0, "held", now, now + TTL, "card", "till")
        self.ledger.change(SpendChange(None, hold, key, now))
        self.model.taken[key], self.model.held[key] = (now, points), now + TTL
        return hold

    @rule(hold=open_holds, points=st.integers(1, 40))
    def capture(self, hold: Spend, points: int) -> None:
        self.close(hold, min(points, hold.points))

    @rule(hold=open_holds)
    def release(self, hold: Spend) -> None:
        self.close(hold, 0)

    def close(self, hold: Spend, points: int) -> None:
        now = self.tick()
        known = self.ledger.holds[hold.spend_id]
        if known.state != "held":
            with pytest.raises(Refused, match="The hold is"):
                spending.release(known, now)
            return
        after = spending.capture(known, points, now) if points else spending.release(known, now)
        self.ledger.change(SpendChange(known, after, hold.spend_id, now))
        self.model.close(hold.spend_id, points)

    @rule(hours=st.sampled_from([1, 24, 24 * 40, 24 * 200]))
    def wait(self, hours: int) -> None:
        self.tick(timedelta(hours=hours))

    @invariant()
    def agrees(self) -> None:
        state = self.ledger.members.get(MEMBER)
        has = (state.available, state.held, state.debt) if state else (0, 0, 0)
        assert has == self.model.at(self.now)


def walk(steps: int) -> None:
    """Walk about so many steps, ``STEPS`` at a time."""
    run_state_machine_as_test(
        Books,
        settings=settings(
            max_examples=max(1, steps // STEPS),
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
        ),
    )


def test_the_books_agree_with_the_model_after_each_step() -> None:
    walk(1_500)


if __name__ == "__main__":
    walk(int(sys.argv[1]))
