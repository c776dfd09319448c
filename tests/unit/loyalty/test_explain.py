"""Every posting can say why, in words; and what is published keeps to the contract."""

import json
from typing import Any

import pytest

from services.loyalty.domain import explain
from services.loyalty.domain.accounts import MemberState
from services.loyalty.domain.bonuses import Bonus
from services.loyalty.domain.conditions import compile_condition
from services.loyalty.domain.explain import Recorded
from services.loyalty.domain.postings import Posting
from services.loyalty.domain.programme import Programme
from services.loyalty.handlers import announce
from services.loyalty.store import ledger as store
from shared.contracts.loyalty import PointsEarned, PointsReturned
from shared.contracts.purchases import ReturnedLine
from shared.contracts.topics import TOPICS
from tests import builders
from tests.unit.loyalty import programmes
from tests.unit.loyalty.books import Ledger

PROGRAMME = programmes.small()


def bought_and_brought_back() -> list[Any]:
    sold = builders.purchase_recorded(
        lines=[
            builders.line(1, category="BREAD", amount_minor=250),
            builders.line(2, category="BANANAS", amount_minor=199),
            builders.line(3, category="FUEL", amount_minor=4_000),
        ]
    )
    back = ReturnedLine(line_no=2, quantity_milli=1_000, amount_minor=199)
    return [sold, builders.purchase_returned(sold.data, [back])]


def postings(*events: Any) -> list[Posting]:
    ledger = Ledger()
    ledger.apply(events)
    return ledger.postings


def explained(posting: Posting, programme: Programme = PROGRAMME) -> explain.Explanation:
    """Take the way that an entry takes: to the table's JSON and back."""
    member = MemberState(0, 0, posting.change.event.time, {}, None)
    (values,) = store.entry_rows([posting], {posting.change.member_id: member})
    row = dict(zip(store.ENTRY_COLUMNS, values, strict=True))
    assert row["hash"] == member.chain
    assert row["points"] == abs(posting.points)
    recorded = Recorded(**json.loads(row["explain"]))
    return explain.explain(recorded, posting.points, row["programme_version"], programme)


def test_an_entry_explains_a_purchase_line_by_line() -> None:
    (earned,) = postings(bought_and_brought_back()[0])

    shown = explained(earned)

    assert shown.words == (
        "Purchase: 64 points (10 points per dollar: 25; Fresh produce counts double: 39; "
        "Fuel earns nothing: 0)."
    )
    assert [line.words for line in shown.lines] == [
        "Line 1: 2.50 USD × 10 per USD = 25 points, rounded down (10 points per dollar).",
        "Line 2: 1.99 USD × 20 per USD = 39 points, rounded down (Fresh produce counts double).",
        "Line 3: 40.00 USD earns nothing (Fuel earns nothing).",
    ]
    assert shown.lines[1].rules == ("base", "fresh")
    assert shown.programme_version == "v1"


def test_an_entry_explains_a_return_by_the_difference() -> None:
    _, taken = postings(*bought_and_brought_back())

    shown = explained(taken)

    assert (shown.why, shown.worth, shown.posted_before) == ("return", 25, 64)
    assert shown.words.endswith("64 had been posted, so -39.")


def test_an_entry_of_unknown_rules_still_shows_its_arithmetic() -> None:
    recorded = Recorded(why="purchase", worth=25, posted_before=0, lines=[1, 250, 0, 25])

    shown = explain.explain(recorded, 25, "withdrawn", PROGRAMME)

    assert shown.lines[0].words == "Line 1: 2.50 USD, 25 points."


def test_an_entry_explains_what_several_rules_gave() -> None:
    rules = (
        Bonus("quarter", "A quarter more", multiplier_percent=125),
        Bonus("visit", "For the visit", points_per_receipt=30),
        Bonus("odd", "Odd", points_per_unit=1, when=compile_condition("1 / 0 > 1")),
    )
    programme = programmes.small(programmes.version(bonuses=rules))
    ledger = Ledger(programme)
    ledger.apply(bought_and_brought_back()[:1])

    shown = explained(ledger.postings[0], programme)

    assert shown.words == (
        "Purchase: 105 points (A quarter more: 31; Fresh produce counts double + A quarter more: "
        "44; Fuel earns nothing: 0; For the visit: 30; Odd: 0)."
    )
    assert [line.words for line in shown.lines] == [
        "Line 1: 2.50 USD × 12.5 per USD = 31 points, rounded down (A quarter more).",
        (
            "Line 2: 1.99 USD × 22.5 per USD = 44 points, rounded down "
            "(Fresh produce counts double + A quarter more)."
        ),
        "Line 3: 40.00 USD earns nothing (Fuel earns nothing).",
        "The receipt: For the visit: 30 points.",
        "The receipt: Odd: gave no answer, so it gives nothing.",
    ]
    assert [line.rules for line in shown.lines[1:4]] == [
        ("base", "fresh", "quarter"),
        ("fuel",),
        ("visit",),
    ]
    assert [line.points_per_hundred_units for line in shown.lines] == [1_250, 2_250, 0, None, None]
    assert [line.points_per_unit for line in shown.lines] == [None, None, 0, None, None]
    assert [line.failed for line in shown.lines] == [False, False, False, False, True]


def test_an_entry_from_before_there_were_several_bonuses_says_what_it_said() -> None:
    """Then the third number of each line was the place of a rate: base, bonus, excluded."""
    text = (
        '{"why":"purchase","worth":64,"posted_before":0,'
        '"lines":[1, 250, 0, 25, 2, 199, 1, 39, 3, 4000, 2, 0]}'
    )

    shown = explain.explain(Recorded(**json.loads(text)), 64, "v1", PROGRAMME)

    assert [(line.rules, line.points_per_unit) for line in shown.lines] == [
        (("base",), 10),
        (("base", "fresh"), 20),
        (("fuel",), 0),
    ]


def test_points_events_keep_to_their_contract() -> None:
    """They are written without the model, so this test is what holds them to it."""
    ledger = Ledger()
    book = ledger.apply(bought_and_brought_back())

    published = [announce.points(posting, book) for posting in ledger.postings]

    for outgoing, kind in zip(published, (PointsEarned, PointsReturned), strict=True):
        assert outgoing.value is not None
        event = TOPICS["loyalty"].parse(outgoing.value)
        assert type(event) is kind
        assert event.model_dump(mode="json") == json.loads(outgoing.value)
        assert event.id == outgoing.event_id
        assert outgoing.key == event.subject == str(builders.MEMBER)
    first = PointsEarned.model_validate_json(published[0].value or b"")
    assert (first.data.points, first.data.available) == (64, 64)
    assert first.data.explain == "Purchase: 64 points for 4.49 USD."


@pytest.mark.parametrize(
    ("minor", "words"), [(1_234, "12.34 USD"), (5, "0.05 USD"), (-1_234, "−12.34 USD")]
)
def test_money_is_written_with_its_currency(minor: int, words: str) -> None:
    assert explain.money(minor, PROGRAMME) == words
