"""What is spent after all else is drawn from what is left: that comes to the same as from all."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import hypothesis.strategies as st
import pytest
from hypothesis import given

from services.loyalty.domain import drawing
from services.loyalty.domain.accounts import ADJUSTED, MemberState
from services.loyalty.domain.lots import Lot
from services.loyalty.domain.merges import Merge
from services.loyalty.domain.postings import Gift, SpendChange
from services.loyalty.domain.programme import Shortfall
from services.loyalty.domain.spending import Spend, State
from services.loyalty.handlers import holds
from shared.errors import Refused
from tests.builders import NOW
from tests.unit.loyalty import programmes
from tests.unit.loyalty.books import Ledger

ANN = UUID(int=1)
lives = st.tuples(
    st.integers(0, 60), st.one_of(st.none(), st.integers(1, 90)), st.sampled_from([None, None, 1])
)
"""Of a lot: after how many days it begins, how long it lasts, and after how many months it ends
without activity."""
steps = st.lists(
    st.tuples(
        st.sampled_from(["earn", "hold", "capture", "release", "sweep"]),
        st.integers(0, 20),
        st.integers(1, 40),
        lives,
    ),
    min_size=1,
    max_size=14,
)


class Shop:
    """One member who earns lots of any life and spends them, while the sweep comes seldom."""

    def __init__(self, shortfall: Shortfall) -> None:
        self.ledger = Ledger(programmes.small(programmes.version(shortfall=shortfall)))
        self.ledger.members[ANN] = MemberState(0, 0, NOW, {}, None)
        self.now, self.number = NOW, 0

    def key(self) -> UUID:
        self.number += 1
        return UUID(int=self.number)

    def earn(self, points: int, begins: datetime, lasts: int | None, months: int | None) -> None:
        ends = None if lasts is None or months else begins + timedelta(days=lasts)
        lot = Lot(ANN, self.key(), points, begins, ends, months)
        self.ledger.give(Gift(lot, ADJUSTED, "adjustment", lot.lot_id, self.now, "goodwill"))

    def hold(self, points: int) -> None:
        left = self.ledger.left(ANN, self.now)
        now = holds.grant_time(left, self.now)
        try:
            holds.must_be_there(left, points, now, self.ledger.programme)
        except Refused:
            return
        key = self.key()
        held = Spend(key, ANN, points, points, 0, "held", now, now, "card", "till")
        self.ledger.grant(SpendChange(None, held, key, now))

    def close(self, points: int) -> None:
        """End the last hold that is open, of which so many points are spent."""
        held = [one for one in self.ledger.holds.values() if one.state == "held"]
        if held:
            before = held[-1]
            kept = min(points, before.points)
            state: State = "captured" if kept else "released"
            after = replace(before, state=state, taken=kept, captured=kept)
            self.ledger.change(SpendChange(before, after, self.key(), self.now))

    def do(self, step: str, points: int, life: tuple[int, int | None, int | None]) -> None:
        begins, lasts, months = life
        if step == "earn":
            self.earn(points, NOW + timedelta(days=begins), lasts, months)
        elif step == "hold":
            self.hold(points)
        elif step == "sweep":
            self.ledger.bring(ANN)
        else:
            self.close(points if step == "capture" else 0)


@given(steps, st.sampled_from(["debt", "down_to_zero"]))
def test_it_comes_to_the_same(steps: list[tuple[str, int, int, Any]], shortfall: Shortfall) -> None:
    """``Ledger.grant`` compares lots, entries and accounts with those of the long way.

    What comes after it, late lots and what gives back, finds books that all facts lead to.
    """
    shop = Shop(shortfall)
    for step, days, points, life in steps:
        shop.now += timedelta(days=days)
        shop.ledger.now = shop.now
        shop.do(step, points, life)
    shop.ledger.bring(ANN)
    held = shop.ledger.holdings(ANN)
    known = [lot for lot, _ in held.lots.values()]
    found = drawing.draw(
        known, held.spends.values(), (), programme=shop.ledger.programme, as_of=shop.now
    )
    assert found.drawn == {lot_id: drawn for lot_id, (_, drawn) in held.lots.items()}


@pytest.mark.parametrize(
    "state",
    [
        MemberState(0, 1, NOW, {}, None, debt=1),
        MemberState(9, 1, NOW, {}, None, idle_at=NOW + timedelta(days=900)),
        MemberState(9, 1, NOW, {}, None, merge=Merge(ANN, ANN, UUID(int=2), NOW, "office")),
        MemberState(9, 1, NOW, {}, None, drawn_at=NOW + timedelta(microseconds=1)),
    ],
)
def test_who_has_more_to_look_at_goes_the_long_way(state: MemberState) -> None:
    assert not drawing.is_last(state, NOW)
    assert drawing.is_last(MemberState(9, 1, NOW, {}, None, drawn_at=NOW), NOW)
