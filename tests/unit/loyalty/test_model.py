"""The books against a simple model, step by step: whatever is done, repeated, late or undone.

``python -m tests.unit.loyalty.test_model 20000`` walks that many steps.
"""

import copy
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from services.loyalty.domain import adjustments, drawing, lots, spending
from services.loyalty.domain.adjustments import Adjustment
from services.loyalty.domain.lots import NEVER
from services.loyalty.domain.merges import Merge
from services.loyalty.domain.postings import SpendChange
from services.loyalty.domain.spending import Spend
from services.loyalty.domain.terms import Expiry, ends_at
from services.loyalty.handlers import holds
from shared.contracts.purchases import Receipt, ReturnedLine
from shared.errors import Refused
from tests import builders
from tests.builders import NOW
from tests.unit.loyalty import programmes
from tests.unit.loyalty.books import Ledger
from tests.unit.loyalty.model import Model, Taken, Worth
from tests.unit.loyalty.test_merges import assert_merges_balance

STEPS = 30
TTL = timedelta(hours=1)
ANN, BEN = UUID(int=1), UUID(int=2)
A_SECOND = timedelta(seconds=1)
members = st.sampled_from([ANN, BEN])
some = st.integers(1, 30)
moments = st.sampled_from([timedelta(), 3 * A_SECOND, TTL])


class Books(RuleBasedStateMachine):
    """Does to the ledger and to the model the same."""

    receipts = Bundle("receipts")
    """Events; each says the net state of a receipt after it."""
    paid = Bundle("paid")
    """Those of them that name a hold."""
    granted = Bundle("granted")
    """Holds."""

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
        """As the shop knows each receipt, whatever of it has arrived."""
        self.named: set[UUID] = set()
        """Holds that a purchase names."""
        self.on_the_way: list[Any] = []
        """Events that nobody has seen yet."""
        self.merge: Merge | None = None

    def tick(self, by: timedelta = A_SECOND) -> datetime:
        self.now = self.ledger.now = self.now + by
        self.ledger.sweep(self.now)
        self.model.expire(self.now)
        return self.now

    def key(self) -> UUID:
        self.number += 1
        return UUID(int=self.number)

    def end(self, begins: datetime) -> datetime:
        zone = self.programme.time_zone
        return ends_at(Expiry(12), begins.astimezone(zone).date(), zone) or NEVER

    def send(self, event: Any, *, late: bool) -> Any:
        """Let something happen in the shop, which we hear of at once or ``late``."""
        self.tick()
        self.net[event.data.receipt_id] = event.data
        if late:
            self.on_the_way.append(event)
        else:
            self.deliver([event])
        return event

    def deliver(self, events: Sequence[Any]) -> None:
        """Apply a batch of events, and tell the model of each."""
        self.ledger.apply(events)
        for receipt in (event.data for event in events):
            begins, points = receipt.occurred_at, receipt.total_minor // 10
            worth = Worth(receipt.member_id, begins, self.end(begins), points)
            self.model.hear(receipt, worth)
        # What had ended before we heard of it stays until the next sweep.
        self.ledger.sweep(self.now)

    def sale(self, member_id: UUID, points: int, ago: timedelta, *hold_ids: UUID) -> Any:
        line = builders.line(category="BREAD", amount_minor=points * 10)
        return builders.purchase_recorded(
            receipt_no=str(self.key().int),
            member_id=member_id,
            occurred_at=self.now - ago,
            received_at=self.now,
            lines=[line],
            hold_ids=hold_ids,
        )

    @rule(
        target=receipts, member=members, points=some, days=st.integers(0, 300), late=st.booleans()
    )
    def earn(self, member: UUID, points: int, days: int, *, late: bool) -> Any:
        return self.send(self.sale(member, points, timedelta(days=days)), late=late)

    @rule(targets=(receipts, paid), hold=granted, points=some, ago=moments, late=st.booleans())
    def pay(self, hold: Spend, points: int, ago: timedelta, *, late: bool) -> Any:
        """Name a hold: open, captured by hand, run out or released, before the sale or after."""
        if hold.spend_id in self.named:
            return multiple()
        self.named.add(hold.spend_id)
        event = self.sale(hold.member_id, points, ago, hold.spend_id)
        return self.send(event, late=late)

    @rule(target=receipts, event=receipts, cents=st.integers(1, 300), late=st.booleans())
    def give_back(self, event: Any, cents: int, *, late: bool) -> Any:
        net = self.net[event.data.receipt_id]
        cents = min(cents, net.total_minor)
        if not cents:
            return multiple()
        back = ReturnedLine(line_no=1, quantity_milli=0, amount_minor=cents)
        return self.send(builders.purchase_returned(net, [back]), late=late)

    @rule(target=receipts, event=paid, cents=st.integers(1, 300), late=st.booleans())
    def give_back_what_points_paid_for(self, event: Any, cents: int, *, late: bool) -> Any:
        return self.give_back(event, cents, late=late)

    @rule(target=receipts, event=receipts, late=st.booleans())
    def void(self, event: Any, *, late: bool) -> Any:
        return self.send(builders.purchase_voided(self.net[event.data.receipt_id]), late=late)

    @rule(events=st.lists(receipts, min_size=1, max_size=4))
    def repeat(self, events: list[Any]) -> None:
        """Apply again what was applied, in any order, and what is on the way a first time."""
        self.tick()
        self.deliver(events)

    @precondition(lambda self: self.on_the_way)
    @rule(data=st.data())
    def arrive(self, data: st.DataObject) -> None:
        """Apply what is on the way in any order."""
        self.tick()
        self.deliver(self.arrived(data))

    @precondition(lambda self: self.on_the_way)
    @rule(data=st.data())
    def crash_and_retry(self, data: st.DataObject) -> None:
        """Lose what part of a batch did, apply all of it, and forget to say so."""
        self.tick()
        batch = self.arrived(data)
        lost = copy.deepcopy(self.ledger, {id(self.programme): self.programme})
        lost.apply(batch[: data.draw(st.integers(1, len(batch)))])
        self.agrees()
        self.deliver(batch)
        self.agrees()
        posted = len(self.ledger.entries)
        self.deliver(batch)
        assert len(self.ledger.entries) == posted

    def arrived(self, data: st.DataObject) -> list[Any]:
        batch: list[Any] = data.draw(st.permutations(self.on_the_way))
        self.on_the_way.clear()
        return batch

    def who(self, member: UUID) -> UUID:
        """Return who took over: nobody grants anything to who was merged."""
        return self.merge.into_id if self.merge and self.merge.member_id == member else member

    def grants(self, member: UUID, points: int) -> bool:
        """Whether so many points are there; the books must say the same."""
        available, _, _ = self.model.has(member, self.now)
        for holdings in (self.ledger.holdings(member), self.ledger.left(member, self.now)):
            if points <= available:
                holds.must_be_there(holdings, points, self.now, self.programme)
                continue
            with pytest.raises(Refused, match=f"There are {available} points"):
                holds.must_be_there(holdings, points, self.now, self.programme)
        return points <= available

    @rule(target=granted, member=members, points=st.integers(1, 40))
    def hold(self, member: UUID, points: int) -> Any:
        member, now = self.who(member), self.tick()
        if not self.grants(member, points):
            return multiple()
        key = self.key()
        hold = Spend(key, member, points, points, 0, "held", now, now + TTL, "card", "till")
        self.ledger.grant(SpendChange(None, hold, key, now))
        self.model.taken[key] = Taken(member, now, now + TTL, points, points)
        return hold

    @rule(hold=granted, points=st.integers(1, 40))
    def capture(self, hold: Spend, points: int) -> None:
        self.close(hold, min(points, hold.points))

    @rule(hold=granted)
    def release(self, hold: Spend) -> None:
        self.close(hold, 0)

    def close(self, hold: Spend, points: int) -> None:
        now = self.tick()
        known = self.ledger.holds[hold.spend_id]
        if not self.model.taken[hold.spend_id].is_open:
            with pytest.raises(Refused, match="The hold is"):
                spending.release(known, now)
            return
        after = spending.capture(known, points, now) if points else spending.release(known, now)
        self.ledger.change(SpendChange(known, after, hold.spend_id, now))
        self.model.close(hold.spend_id, points, now)

    @rule(member=members, points=some)
    def give_by_hand(self, member: UUID, points: int) -> None:
        asked = self.adjustment(self.who(member), points)
        posted = adjustments.with_end(asked, self.programme, self.now)
        self.ledger.give(adjustments.as_gift(posted, self.programme, self.now))
        worth = Worth(asked.member_id, self.now, self.end(self.now), points)
        self.model.worth[asked.adjustment_id] = worth

    @rule(member=members, points=some)
    def take_by_hand(self, member: UUID, points: int) -> None:
        asked = self.adjustment(self.who(member), -points)
        if not self.grants(asked.member_id, points):
            return
        self.ledger.grant(adjustments.as_spend(asked, self.now))
        taken = Taken(asked.member_id, self.now, self.now, points, points, is_open=False)
        self.model.taken[asked.adjustment_id] = taken

    def adjustment(self, member: UUID, points: int) -> Adjustment:
        now = self.tick()
        return Adjustment(self.key(), member, points, "goodwill", "posted", "office", now)

    @precondition(lambda self: self.merge is None)
    @rule(member=members)
    def merge_into_the_other(self, member: UUID) -> None:
        now = self.tick()
        self.merge = Merge(self.key(), member, BEN if member == ANN else ANN, now, "office")
        self.ledger.merge(self.merge)
        self.model.merged = {self.merge.into_id: (member, now)}

    @precondition(lambda self: self.merge is not None)
    @rule()
    def unmerge(self) -> None:
        """To the model it has never been; what was spent stays with who spent it."""
        self.tick()
        assert self.merge
        self.ledger.unmerge(self.merge)
        self.merge, self.model.merged = None, {}

    @rule(hours=st.sampled_from([1, 24, 24 * 40, 24 * 200]))
    def wait(self, hours: int) -> None:
        self.tick(timedelta(hours=hours))

    @invariant()
    def agrees(self) -> None:
        for member in (ANN, BEN):
            state = self.ledger.members.get(member)
            has = (state.available, state.held, state.debt) if state else (0, 0, 0)
            assert has == self.model.has(member, self.now)

    @invariant()
    def nothing_is_left_to_do(self) -> None:
        """Who has all lots drawn anew gets those that there are."""
        for member_id, state in self.ledger.members.items():
            held, merge = self.ledger.holdings(member_id), state.merge
            known = [lot for lot, _ in held.lots.values()]
            as_of = merge.merged_at if merge else self.now
            spends, visits = held.spends.values(), held.visits.values()
            found = drawing.draw(known, spends, visits, programme=self.programme, as_of=as_of).drawn
            posted = {lot_id: drawn for lot_id, (_, drawn) in held.lots.items()}
            assert posted == (lots.pass_on(found) if merge else found)

    def teardown(self) -> None:
        assert_merges_balance(self.ledger)


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
