"""A basket, a wallet, and what comes out."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.offers.domain import quoting, terms
from services.offers.domain.quoting import BasketLine
from services.offers.domain.terms import OfferTerms, State

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def offer(
    number: int = 1,
    *,
    sku: str | None = "milk",
    category: str | None = None,
    percent: int | None = 20,
    amount: int | None = None,
    floor: int | None = None,
    state: State = "issued",
    starts_in: timedelta = timedelta(days=-1),
    currency: str = "USD",
) -> OfferTerms:
    return OfferTerms(
        offer_id=UUID(int=number),
        member_id=UUID(int=99),
        campaign="weekly",
        title="",
        sku=None if category else sku,
        category=category,
        percent=None if amount is not None else percent,
        amount_minor=amount,
        currency=currency,
        margin_floor_percent=floor,
        valid_from=NOW + starts_in,
        valid_until=NOW + starts_in + timedelta(days=7),
        state=state,
    )


def line(
    line_no: int = 1, *, sku: str = "milk", amount: int = 100, cost: int | None = None
) -> BasketLine:
    return BasketLine(line_no, sku, "DAIRY", 1000, amount, cost)


def outcomes(answer: quoting.Quote) -> dict[int, str]:
    return {one.offer_id.int: one.outcome for one in answer.considered}


def quote(lines: list[BasketLine], *offers: OfferTerms) -> quoting.Quote:
    return quoting.quote(lines, offers, currency="USD", now=NOW)


@pytest.mark.parametrize(
    ("amount", "percent", "discount"),
    [
        (100, 20, 20),
        (99, 50, 50),  # 49.5 goes up, to the member
        (97, 50, 49),  # 48.5 as well
        (111, 10, 11),  # 11.1
        (115, 10, 12),  # 11.5
        (1, 10, 0),  # 0.1
        (5, 10, 1),  # 0.5
        (3, 100, 3),
        (0, 50, 0),
        (-5, 50, 0),
    ],
)
def test_a_percentage_is_rounded_half_up(amount: int, percent: int, discount: int) -> None:
    assert terms.discount_minor(offer(percent=percent), amount) == discount


@pytest.mark.parametrize(("amount", "off", "discount"), [(100, 30, 30), (20, 30, 20), (0, 30, 0)])
def test_an_amount_never_takes_more_than_the_line(amount: int, off: int, discount: int) -> None:
    assert terms.discount_minor(offer(amount=off), amount) == discount


@pytest.mark.parametrize(
    ("lines", "offers", "expected", "total"),
    [
        ([line()], [offer()], {1: "applied"}, 80),
        ([line(sku="tea")], [offer()], {1: "no_match"}, 100),
        ([line()], [offer(category="DAIRY")], {1: "applied"}, 80),
        ([line()], [offer(category="TOYS")], {1: "no_match"}, 100),
        ([line()], [offer(1), offer(2, percent=30)], {1: "lost", 2: "applied"}, 70),
        ([line()], [offer(1), offer(2)], {1: "applied", 2: "lost"}, 80),
        # Each offer once: it goes to the dearer of two lines.
        ([line(1), line(2, amount=300)], [offer()], {1: "applied"}, 340),
        # The loser of one line takes the next.
        ([line(1), line(2)], [offer(1), offer(2, percent=30)], {1: "applied", 2: "applied"}, 150),
        ([line()], [offer(state="redeemed")], {1: "redeemed"}, 100),
        ([line()], [offer(starts_in=timedelta(days=-8))], {1: "expired"}, 100),
        ([line()], [offer(starts_in=timedelta(days=1))], {1: "not_yet_valid"}, 100),
        ([line()], [offer(currency="EUR")], {1: "other_currency"}, 100),
        ([line(amount=1)], [offer(percent=10)], {1: "no_effect"}, 1),
        ([line(amount=10)], [offer(amount=500)], {1: "applied"}, 0),
        # Cost 75, floor 10 %: 83.33 is the least price, rounded up.
        ([line(cost=75)], [offer(floor=10)], {1: "applied"}, 84),
        ([line(cost=95)], [offer(floor=10)], {1: "margin_floor"}, 100),
        ([line(cost=95)], [offer(floor=None)], {1: "applied"}, 80),
        ([line(cost=None)], [offer(floor=10)], {1: "applied"}, 80),
        ([], [offer()], {1: "no_match"}, 0),
        ([line()], [], {}, 100),
    ],
)
def test_quotes(
    lines: list[BasketLine], offers: list[OfferTerms], expected: dict[int, str], total: int
) -> None:
    answer = quote(lines, *offers)
    assert outcomes(answer) == expected
    assert answer.total_minor == total
    assert answer.subtotal_minor - answer.discount_minor == total


def test_a_line_of_nothing_uses_no_offer() -> None:
    answer = quote([BasketLine(1, "milk", None, 0, 0)], offer())
    assert outcomes(answer) == {1: "no_match"}


def test_the_loser_is_told_who_won_and_by_how_much() -> None:
    answer = quote([line()], offer(1), offer(2, percent=30))
    reason = answer.considered[0].reason
    assert str(UUID(int=2)) in reason
    assert "30 off" in reason
    assert "give 20" in reason


baskets = st.lists(
    st.builds(
        lambda sku, amount, cost: (sku, amount, cost),
        st.sampled_from(["milk", "tea", "soap"]),
        st.integers(0, 10_000),
        st.none() | st.integers(0, 10_000),
    ),
    max_size=6,
)
wallets = st.lists(
    st.builds(
        lambda sku, percent, amount, floor: (sku, percent, amount, floor),
        st.sampled_from(["milk", "tea", None]),
        st.integers(1, 100),
        st.none() | st.integers(1, 20_000),
        st.none() | st.integers(0, 95),
    ),
    max_size=6,
)


@given(baskets, wallets)
def test_no_quote_goes_below_zero_or_floor_or_uses_an_offer_twice(
    basket: list[tuple[str, int, int | None]],
    wallet: list[tuple[str | None, int, int | None, int | None]],
) -> None:
    lines = [line(n, sku=sku, amount=a, cost=c) for n, (sku, a, c) in enumerate(basket)]
    offers = [
        offer(
            n,
            sku=sku,
            category=None if sku else "DAIRY",
            percent=percent,
            amount=amount,
            floor=floor,
        )
        for n, (sku, percent, amount, floor) in enumerate(wallet)
    ]
    answer = quote(lines, *offers)
    by_id = {one.offer_id: one for one in offers}
    used = [quoted.offer_id for quoted in answer.lines if quoted.offer_id is not None]
    assert len(used) == len(set(used))
    assert {one.offer_id for one in answer.considered} == set(by_id)
    assert sum(one.outcome == "applied" for one in answer.considered) == len(used)
    for asked, quoted in zip(lines, answer.lines, strict=True):
        assert 0 <= quoted.discount_minor <= asked.amount_minor
        assert (quoted.offer_id is None) == (quoted.discount_minor == 0)
        if quoted.offer_id is None or asked.cost_minor is None:
            continue
        floor = by_id[quoted.offer_id].margin_floor_percent
        if floor is not None:
            assert quoted.net_amount_minor * (100 - floor) >= asked.cost_minor * 100
    assert quote(lines, *reversed(offers)) == answer
