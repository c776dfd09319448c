"""The fold: order, duplicates and batches do not matter; returns are exact."""

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.loyalty.domain.caps import Cap
from services.loyalty.domain.postings import Move, Posting
from services.loyalty.domain.programme import Programme, Shortfall
from services.loyalty.domain.spending import Spend
from services.loyalty.domain.terms import Expiry, Pending
from shared.contracts.purchases import Receipt, ReturnedLine
from tests import builders
from tests.unit.loyalty import programmes
from tests.unit.loyalty.books import Ledger

ANN, BEN, EVE = (UUID(int=number) for number in (1, 2, 3))
BEGAN = datetime(2024, 1, 1, tzinfo=UTC)
CHANGED = datetime(2024, 4, 10, tzinfo=UTC)
CATEGORIES = ("BREAD", "BANANAS", "FUEL", None)


def balance(ledger: Ledger, member: UUID = builders.MEMBER) -> int:
    return ledger.members[member].available


def returned(line_no: int, amount_minor: int) -> ReturnedLine:
    return ReturnedLine(line_no=line_no, quantity_milli=0, amount_minor=amount_minor)


def test_a_purchase_earns_and_makes_a_lot() -> None:
    ledger = Ledger()
    event = builders.purchase_recorded(lines=[builders.line(amount_minor=1_000)])

    ledger.apply([event])

    assert balance(ledger) == 200
    ((lot, _),) = ledger.lots.values()
    assert (lot.lot_id, lot.points) == (event.data.receipt_id, 200)
    assert lot.expires_at == datetime(2027, 12, 1, 5, tzinfo=UTC)


def test_the_same_revision_twice_posts_once() -> None:
    ledger = Ledger()
    event = builders.purchase_recorded()

    ledger.apply_all([[event, event], [event]])

    assert len(ledger.postings) == 1


def test_an_older_revision_that_comes_late_changes_nothing() -> None:
    ledger = Ledger()
    sold = builders.purchase_recorded(lines=[builders.line(amount_minor=1_000)])
    back = builders.purchase_returned(sold.data, [returned(1, 500)])

    ledger.apply_all([[back], [sold]])

    assert balance(ledger) == 100
    assert len(ledger.postings) == 1


def test_a_return_takes_back_the_exact_difference() -> None:
    ledger = Ledger()
    sold = builders.purchase_recorded(lines=[builders.line(amount_minor=199, category="BREAD")])

    ledger.apply([sold, builders.purchase_returned(sold.data, [returned(1, 100)])])

    assert [posting.points for posting in ledger.postings] == [19, -10]
    assert balance(ledger) == 9


def test_ten_returns_of_one_take_back_what_one_return_of_ten_does() -> None:
    lines = [builders.line(amount_minor=1_990, category="BREAD")]
    sold = builders.purchase_recorded(lines=lines)
    one_by_one, at_once = Ledger(), Ledger()
    events: list[Any] = [sold]
    net: Receipt = sold.data
    for _ in range(10):
        event = builders.purchase_returned(net, [returned(1, 33)])
        events.append(event)
        net = event.data

    one_by_one.apply(events)
    at_once.apply([sold, builders.purchase_returned(sold.data, [returned(1, 330)])])

    assert balance(one_by_one) == balance(at_once) == 166
    assert sum(posting.points for posting in one_by_one.postings) == 166


def test_a_void_takes_everything_back_and_leaves_no_lot() -> None:
    ledger = Ledger()
    sold = builders.purchase_recorded(lines=[builders.line(amount_minor=15_000)])

    ledger.apply_all([[sold], [builders.purchase_voided(sold.data)]])

    assert balance(ledger) == 0
    assert ledger.lots == {}
    assert ledger.outcome()["tiers"] == {builders.MEMBER: None}


def test_an_anonymous_receipt_earns_when_it_is_attributed() -> None:
    ledger = Ledger()
    sold = builders.purchase_recorded(member_id=None)
    claimed = builders.purchase_attributed(sold.data)

    ledger.apply([sold])
    assert ledger.receipts == {}
    ledger.apply([claimed])

    assert balance(ledger) == 19
    assert ledger.postings[0].change.why == "attribution"


def test_a_receipt_that_moves_takes_its_points_along() -> None:
    ledger = Ledger()
    sold = builders.purchase_recorded(
        member_id=ANN, lines=[builders.line(amount_minor=20_000, category="BREAD")]
    )

    ledger.apply_all([[sold], [builders.purchase_attributed(sold.data, BEN)]])

    assert ledger.outcome()["balances"] == {ANN: (0, 0, 0, 0), BEN: (2_000, 0, 0, 0)}
    assert ledger.outcome()["tiers"] == {ANN: None, BEN: "Silver"}
    assert [(posting.change.why, posting.points) for posting in ledger.postings[1:]] == [
        ("moved_away", -2_000),
        ("attribution", 2_000),
    ]
    assert [key[0] for key in ledger.lots] == [BEN]


def test_tiers_rise_and_fall_with_the_net_spend() -> None:
    ledger = Ledger()
    sold = builders.purchase_recorded(lines=[builders.line(amount_minor=30_000, category="BREAD")])

    risen = ledger.apply([sold])
    fallen = ledger.apply([builders.purchase_returned(sold.data, [returned(1, 25_000)])])

    assert [(one.previous, one.tier) for one in risen.tier_changes + fallen.tier_changes] == [
        (None, "Gold"),
        ("Gold", None),
    ]


def test_excluded_goods_do_not_carry_a_tier() -> None:
    ledger = Ledger()

    ledger.apply(
        [builders.purchase_recorded(lines=[builders.line(amount_minor=90_000, category="FUEL")])]
    )

    assert ledger.postings == []
    assert ledger.outcome()["tiers"] == {builders.MEMBER: None}


# ------------------------------------------------------------------------------- any order

amounts = st.integers(0, 40_000)
lines = st.lists(st.tuples(st.sampled_from(CATEGORIES), amounts), min_size=1, max_size=4)
# From 2024 on: three calendar years, and some receipts from before the programme.
days = st.integers(0, 1_000)


# Round the end of a month, so that sales meet under the caps of a day and of a month.
crowded = st.integers(60, 64)


@st.composite
def histories(
    draw: st.DrawFn, on: st.SearchStrategy[int] = days, *, naming: bool = False
) -> list[Any]:
    """One receipt from its sale through returns, claims, corrections and a void."""
    number = draw(st.integers(0, 10**9))
    at = datetime(2024, 3, 1, 12, tzinfo=UTC) + timedelta(days=draw(on))
    member_id = draw(st.sampled_from([ANN, BEN, None]))
    net: Receipt = builders.receipt(
        receipt_no=str(number),
        occurred_at=at,
        member_id=member_id,
        lines=[
            builders.line(no, category=category, amount_minor=amount)
            for no, (category, amount) in enumerate(draw(lines), 1)
        ],
        hold_ids=(UUID(int=number),) if naming and member_id and draw(st.booleans()) else (),
    )
    events: list[Any] = [builders.purchase_recorded(net)]
    for step in draw(st.lists(st.sampled_from(["return", "claim", "amend", "void"]), max_size=4)):
        if step == "return":
            line = draw(st.sampled_from(net.lines))
            back = [returned(line.line_no, draw(st.integers(0, line.amount_minor)))]
            later = timedelta(days=draw(st.integers(0, 40)))
            event: Any = builders.purchase_returned(net, back, time=at + later)
        elif step == "claim":
            event = builders.purchase_attributed(net, draw(st.sampled_from([ANN, BEN, EVE])))
        elif step == "amend":
            corrected = [builders.line(1, category="BREAD", amount_minor=draw(amounts))]
            named = net.hold_ids if draw(st.booleans()) else ()
            event = builders.purchase_amended(net, corrected, hold_ids=named)
        else:
            event = builders.purchase_voided(net)
        events.append(event)
        net = event.data
    return events


REWARDS = [None, "tote", "evening"]


def named_by(receipt: Receipt) -> dict[UUID, Spend]:
    """Return a hold for each that a receipt names: open when it happened, released after it."""
    at = receipt.occurred_at
    return {
        hold_id: Spend(
            spend_id=hold_id,
            member_id=(ANN, BEN)[hold_id.int % 2],
            points=1 + hold_id.int % 5_000,
            taken=0,
            captured=0,
            state="released",
            at=at - timedelta(minutes=1),
            expires_at=at + timedelta(minutes=9),
            identified_by="card",
            opened_by="key",
            closed_at=at + timedelta(minutes=1),
            reward_id=REWARDS[hold_id.int % 3],
            programme_version=REWARDS[hold_id.int % 3] and "v1",
        )
        for hold_id in receipt.hold_ids
    }


@given(st.data())
def test_order_duplicates_and_batches_do_not_matter(data: st.DataObject) -> None:
    assert_any_order(data, programmes.small(), days)


CAPS = (
    Cap("each", "At most 2,500 points a receipt", "receipt", 2_500),
    Cap("daily", "At most 3,000 points a day", "day", 3_000),
    Cap("monthly", "At most 5,000 points a month", "month", 5_000),
)


@given(st.data())
def test_nor_do_they_where_caps_tie_receipts_together(data: st.DataObject) -> None:
    since = datetime(2024, 1, 1, tzinfo=UTC)
    version = programmes.version(since=since, caps=CAPS)
    assert_any_order(data, programmes.small(version), crowded)


@given(st.data())
def test_nor_do_they_where_points_were_spent(data: st.DataObject) -> None:
    """Holds that purchases name are captured whatever came first, lots drawn and ended.

    Those that are for a reward come back whole or not at all, and their pieces with them.
    """
    pending = data.draw(st.sampled_from([None, Pending(days=14), Pending(days=300)]))
    before, after = data.draw(st.permutations(get_args(Shortfall)))
    programme = programmes.small(
        programmes.version(since=BEGAN, pending=pending, shortfall=before),
        programmes.version("v2", since=CHANGED, pending=pending, shortfall=after),
    )
    assert_any_order(data, programme, days, naming=True)


@given(st.data())
def test_nor_do_they_where_points_end_by_inactivity(data: st.DataObject) -> None:
    pending = data.draw(st.sampled_from([None, Pending(days=14), Pending(days=90)]))
    terms = [Expiry(inactive_months=1), Expiry(inactive_months=2), Expiry(3)]
    first, second, _ = data.draw(st.permutations(terms))
    programme = programmes.small(
        programmes.version(since=BEGAN, pending=pending, expiry=first),
        programmes.version("v2", since=CHANGED, pending=pending, expiry=second),
    )
    ends = BEGAN + timedelta(days=data.draw(st.integers(60, 300)))
    assert_any_order(data, programme, days, naming=True, until=ends)


def assert_any_order(
    data: st.DataObject,
    programme: Programme,
    on: st.SearchStrategy[int],
    *,
    naming: bool = False,
    until: datetime = builders.NOW + timedelta(days=100),
) -> None:
    by_receipt = data.draw(
        st.lists(
            histories(on, naming=naming),
            max_size=6,
            unique_by=lambda events: events[0].data.receipt_id,
        )
    )
    events = list(itertools.chain.from_iterable(by_receipt))
    repeated = events + data.draw(st.lists(st.sampled_from(events))) if events else []
    shuffled = data.draw(st.permutations(repeated))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(shuffled)), max_size=5)))
    batches = [shuffled[start:end] for start, end in itertools.pairwise([0, *cuts, len(shuffled)])]
    holds = {key: hold for first, *_ in by_receipt for key, hold in named_by(first.data).items()}
    in_order, any_order = (Ledger(programme, holds=dict(holds), now=BEGAN) for _ in range(2))

    in_order.apply(events)
    any_order.apply_all(batches)
    for ledger in (in_order, any_order):
        ledger.sweep(max(ledger.now, until))

    assert reached(any_order) == reached(in_order)
    for ledger in (in_order, any_order):
        assert_books_close(ledger)


def reached(ledger: Ledger) -> dict[str, Any]:
    """Leave out members who have nothing: whether they were ever touched depends on the order."""
    outcome = ledger.outcome()
    outcome["balances"] = {key: has for key, has in outcome["balances"].items() if any(has)}
    outcome["tiers"] = {key: tier for key, tier in outcome["tiers"].items() if tier}
    return outcome


def assert_books_close(ledger: Ledger) -> None:
    """Add up everything that the audit adds up."""
    for member_id, state in ledger.members.items():
        legs = [leg for one in ledger.entries if owner(one) == member_id for leg in one.legs]
        assert [leg.version for leg in legs] == list(range(1, len(legs) + 1))
        booked: Counter[str] = Counter()
        for leg in legs:
            assert leg.points > 0
            booked[leg.from_account] -= leg.points
            booked[leg.to_account] += leg.points
        has = {"available": state.available, "pending": state.pending, "held": state.held}
        assert {name: booked[name] for name in has} == has
        assert (booked["debt"], booked["loss"]) == (-state.debt, -state.lost)
        assert min(*has.values(), state.debt) >= 0 == state.available * state.debt
        lots = [kept for (owned_by, _), kept in ledger.lots.items() if owned_by == member_id]
        assert sum(drawn.remaining for _, drawn in lots if drawn.active) == state.available
        assert sum(drawn.remaining for _, drawn in lots if not drawn.active) == state.pending
        earned = sum(one.posted for one in ledger.receipts.values() if one.member_id == member_id)
        taken = sum(one.taken for one in ledger.holds.values() if one.member_id == member_id)
        expired = sum(drawn.expired for _, drawn in lots)
        earned += taken_over(ledger, member_id)
        kept = earned - taken - expired + state.lost
        assert kept == state.available + state.pending - state.debt
    granted = Counter(one.reward_id for one in ledger.holds.values() if one.reward_id and one.taken)
    assert +ledger.pieces == granted


def taken_over(ledger: Ledger, member_id: UUID) -> int:
    """Return what came by merges less what went; a debt that came is among the spends."""
    points = 0
    for merge in ledger.merges:
        lots = [kept for (owned_by, _), kept in ledger.lots.items() if owned_by == merge.member_id]
        passed = sum(drawn.passed for _, drawn in lots)
        debt = ledger.holds.get(merge.merge_id)
        if merge.into_id == member_id:
            points += passed
        if merge.member_id == member_id:
            points += (debt.taken if debt else 0) - passed
    return points


def owner(entry: Posting | Move) -> UUID:
    return entry.change.member_id if isinstance(entry, Posting) else entry.member_id
