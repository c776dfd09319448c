"""Gift cards against a model that only counts: whatever happens in whatever order, it adds up."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.loyalty.domain import gift_cards, gift_holds
from services.loyalty.domain.gift_cards import Book, Card, Cause, Hold, Terms, link
from services.loyalty.domain.gift_holds import Sale
from shared.errors import Refused
from tests.builders import NOW

TERMS = Terms(10_000, timedelta(days=10))
LIFE = timedelta(minutes=10)
AMOUNTS = st.integers(1, 400)


@dataclass
class Kept:
    """What the model knows of a hold."""

    amount: int
    open: bool = True
    captured: int = 0
    lost: int = 0
    by_hand: int = 0
    share: int = 0
    sale: UUID | None = None

    @property
    def back(self) -> int:
        return min(self.captured, self.by_hand + self.share)

    @property
    def back_on_card(self) -> int:
        return min(self.captured - self.lost, self.back)


def sale_of(hold_ids: list[UUID], cents: int, *, minutes: int) -> Sale:
    receipt_id, at = uuid4(), NOW + timedelta(minutes=minutes)
    cause = Cause(uuid4(), at, receipt_id=receipt_id)
    return Sale(receipt_id, at, tuple(hold_ids), cents, cents, cents, False, cause)


class Shop(RuleBasedStateMachine):
    """One card, its holds, and the sales that name them."""

    def __init__(self) -> None:
        super().__init__()
        self.card = Card(uuid4(), "USD", 500, NOW + timedelta(days=10))
        self.book = Book("test", NOW, {self.card.gift_card_id: self.card})
        gift_cards.activate(self.book, self.card, Cause(uuid4(), NOW), TERMS)
        self.available = 500
        self.kept: dict[UUID, Kept] = {}
        self.sales: list[Sale] = []

    def cause(self) -> Cause:
        return Cause(uuid4(), self.book.now)

    def pick(self, data: st.DataObject) -> UUID:
        return data.draw(st.sampled_from(list(self.kept)))

    @rule(amount=AMOUNTS)
    def load(self, amount: int) -> None:
        if self.card.state_on(self.book.now) != "active":
            with pytest.raises(Refused, match="gift_card_not_active"):
                gift_cards.load(self.book, self.card, amount, self.cause(), terms=TERMS)
            return
        gift_cards.load(self.book, self.card, amount, self.cause(), terms=TERMS)
        self.available += amount

    @rule(amount=AMOUNTS)
    def place(self, amount: int) -> None:
        now = self.book.now
        hold = Hold(uuid4(), self.card.gift_card_id, amount, now, now + LIFE, "till", None)
        if amount > self.available or self.card.state_on(now) != "active":
            with pytest.raises(Refused):
                gift_holds.place(self.book, self.card, hold)
            return
        gift_holds.place(self.book, self.card, hold)
        self.kept[hold.hold_id] = Kept(amount)
        self.available -= amount

    @precondition(lambda self: self.kept)
    @rule(data=st.data(), amount=st.none() | AMOUNTS)
    def capture(self, data: st.DataObject, amount: int | None) -> None:
        hold_id = self.pick(data)
        kept, hold = self.kept[hold_id], self.book.holds[hold_id]
        taken = kept.amount if amount is None else amount
        ended = not kept.open or hold.expires_at <= self.book.now
        replayed = hold.state == "captured" and amount in {None, kept.captured}
        if not replayed and (ended or taken > kept.amount):
            with pytest.raises(Refused):
                gift_holds.capture(self.book, hold, amount)
            return
        gift_holds.capture(self.book, hold, amount)
        if not replayed:
            self.available += kept.amount - taken
            kept.open, kept.captured = False, taken

    @precondition(lambda self: self.kept)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        hold_id = self.pick(data)
        kept, hold = self.kept[hold_id], self.book.holds[hold_id]
        if hold.state == "captured":
            with pytest.raises(Refused, match="gift_hold_captured"):
                gift_holds.release(self.book, hold)
            return
        gift_holds.release(self.book, hold)
        self.available += kept.amount if kept.open else 0
        kept.open = False

    @precondition(lambda self: self.kept)
    @rule(data=st.data(), cents=AMOUNTS, minutes=st.integers(0, 60))
    def sell_goods(self, data: st.DataObject, cents: int, minutes: int) -> None:
        hold_ids = data.draw(st.lists(st.sampled_from(list(self.kept)), min_size=1, max_size=3))
        sale = sale_of(hold_ids, cents, minutes=minutes)
        gift_holds.settle(self.book, sale, terms=TERMS)
        self.sales.append(sale)
        left = cents
        for hold_id in dict.fromkeys(hold_ids):
            kept, hold = self.kept[hold_id], self.book.holds[hold_id]
            if kept.sale is not None:
                continue
            kept.sale = sale.receipt_id
            self.spend(kept, max(0, left), inside=sale.occurred_at <= hold.expires_at)
            left -= kept.captured

    def spend(self, kept: Kept, most: int, *, inside: bool) -> None:
        wanted = min(kept.amount, most)
        if kept.open:
            self.available += kept.amount - wanted
            kept.open, kept.captured = False, wanted
        elif not kept.captured:
            had = min(wanted, self.available)
            self.available -= had
            kept.lost = wanted - had if inside else 0
            kept.captured = had + kept.lost

    @precondition(lambda self: self.sales)
    @rule(data=st.data(), back=st.integers(0, 400), times=st.integers(1, 2))
    def take_goods_back(self, data: st.DataObject, back: int, times: int) -> None:
        place = data.draw(st.sampled_from(range(len(self.sales))))
        sale = self.sales[place]
        # Goods only come back: what a correction sells again has tests of its own.
        total = min(sale.total_minor, max(0, sale.sold_total_minor - back))
        sale = self.sales[place] = sale._replace(total_minor=total)
        for _ in range(times):
            gift_holds.settle(self.book, sale, terms=TERMS)
        came = sale.sold_total_minor - total
        for kept in self.kept.values():
            if kept.sale == sale.receipt_id:
                before = kept.back_on_card
                kept.share = kept.captured * came // sale.sold_total_minor
                self.available += kept.back_on_card - before

    @precondition(lambda self: self.kept)
    @rule(data=st.data(), amount=AMOUNTS)
    def refund(self, data: st.DataObject, amount: int) -> None:
        hold_id = self.pick(data)
        kept, hold = self.kept[hold_id], self.book.holds[hold_id]
        if amount > kept.captured - kept.back:
            with pytest.raises(Refused, match="gift_refund_exceeds"):
                gift_holds.refund(self.book, hold, amount, self.cause(), terms=TERMS)
            return
        before = kept.back_on_card
        gift_holds.refund(self.book, hold, amount, Cause(uuid4(), NOW, hold_id), terms=TERMS)
        kept.by_hand += amount
        self.available += kept.back_on_card - before

    @rule(minutes=st.sampled_from([1, 9, 10, 20_000]))
    def wait(self, minutes: int) -> None:
        self.book.now += timedelta(minutes=minutes)
        for hold_id, hold in self.book.holds.items():
            if hold.state == "open" and hold.expires_at <= self.book.now:
                gift_holds.release(self.book, hold, to="expired")
                self.available += self.kept[hold_id].amount
                self.kept[hold_id].open = False
        if self.card.state_on(self.book.now) == "expired":
            gift_cards.expire(self.book, self.card)
            self.available = 0

    @invariant()
    def balances_are_those_of_the_model(self) -> None:
        assert self.card.available_minor == self.available
        assert self.card.held_minor == sum(k.amount for k in self.kept.values() if k.open)

    @invariant()
    def entries_add_up_and_follow_one_another(self) -> None:
        accounts: Counter[str] = Counter()
        before = b""
        for place, (entry, digest) in enumerate(self.book.entries, 1):
            assert (entry.version, digest) == (place, link(before, entry))
            accounts[entry.from_account] -= entry.amount_minor
            accounts[entry.to_account] += entry.amount_minor
            assert (entry.available_after, entry.held_after) == (
                accounts["available"],
                accounts["held"],
            )
            assert min(entry.available_after, entry.held_after) >= 0
            before = digest
        holds = self.kept.values()
        assert accounts["redeemed"] == sum(kept.captured for kept in holds)
        assert -accounts["refunded"] == sum(kept.back for kept in holds)
        recovered = sum(kept.back - kept.back_on_card for kept in holds)
        assert -accounts["lost"] == sum(kept.lost for kept in holds) - recovered


Shop.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
test_whatever_happens_adds_up = Shop.TestCase


def test_a_void_gives_all_back_and_a_return_of_everything_too() -> None:
    for change in ({"voided": True}, {"total_minor": 0}, {"hold_ids": ()}):
        card = Card(uuid4(), "USD", 100, None)
        book = Book("test", NOW, {card.gift_card_id: card})
        gift_cards.activate(book, card, Cause(uuid4(), NOW), TERMS)
        hold = Hold(uuid4(), card.gift_card_id, 100, NOW, NOW + LIFE, "till", None)
        gift_holds.place(book, card, hold)
        sale = sale_of([hold.hold_id], 299, minutes=1)
        gift_holds.settle(book, sale, terms=TERMS)
        gift_holds.settle(book, sale._replace(total_minor=100), terms=TERMS)
        assert card.available_minor == 100 * 199 // 299
        gift_holds.settle(book, sale._replace(**change), terms=TERMS)
        assert card.available_minor == 100


def test_an_entry_that_is_changed_in_any_field_has_another_hash() -> None:
    card = Card(uuid4(), "USD", 100, None)
    book = Book("test", NOW, {card.gift_card_id: card})
    gift_cards.activate(book, card, Cause(uuid4(), NOW), TERMS)
    ((entry, digest),) = book.entries

    changed = [entry._replace(**{name: _other(value)}) for name, value in entry._asdict().items()]
    assert digest not in {link(b"", one) for one in changed}
    assert link(b"x", entry) != digest


def _other(value: object) -> object:
    if isinstance(value, datetime):
        return value + timedelta(microseconds=1)
    return value + 1 if isinstance(value, int) else f"{value}x"


def test_a_card_that_money_comes_back_to_is_good_again() -> None:
    card = Card(uuid4(), "USD", 100, NOW + timedelta(days=1))
    book = Book("test", NOW, {card.gift_card_id: card})
    gift_cards.activate(book, card, Cause(uuid4(), NOW), TERMS)
    hold = Hold(uuid4(), card.gift_card_id, 100, NOW, NOW + LIFE, "till", None)
    gift_holds.place(book, card, hold)
    gift_holds.capture(book, hold, None)
    later = replace(book, now=NOW + timedelta(days=20))
    gift_cards.expire(later, card)
    assert card.state == "expired"

    gift_holds.refund(later, hold, 40, Cause(uuid4(), later.now, hold.hold_id), terms=TERMS)

    assert (card.state, card.available_minor) == ("active", 40)
    assert card.expires_at == later.now + timedelta(days=10)
