"""From when until when points can be spent."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.loyalty.domain.ladder import Tier
from services.loyalty.domain.lots import NEVER
from services.loyalty.domain.terms import Expiry, Pending, ends_at
from services.loyalty.settings.rules import RulesDocument, check
from tests import builders
from tests.unit.loyalty import programmes
from tests.unit.loyalty.books import Ledger

ZONE = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("expiry", "day", "end"),
    [
        # The first of the month in New York begins at 05:00 UTC in winter and 04:00 in summer.
        (Expiry(12), date(2026, 11, 20), datetime(2027, 12, 1, 5, tzinfo=UTC)),
        (Expiry(12), date(2026, 6, 1), datetime(2027, 7, 1, 4, tzinfo=UTC)),
        (Expiry(1), date(2026, 12, 31), datetime(2027, 2, 1, 5, tzinfo=UTC)),
        (Expiry(3, "months", "day"), date(2026, 11, 30), datetime(2027, 3, 1, 5, tzinfo=UTC)),
        (Expiry(90, "days", "day"), date(2026, 3, 1), datetime(2026, 5, 31, 4, tzinfo=UTC)),
        (Expiry(1, "years", "year"), date(2026, 3, 1), datetime(2028, 1, 1, 5, tzinfo=UTC)),
        (Expiry(1, "years", "day"), date(2028, 2, 29), datetime(2029, 3, 1, 5, tzinfo=UTC)),
        (Expiry(), date(2026, 3, 1), None),
    ],
)
def test_points_end_with_a_day_a_month_or_a_year(
    expiry: Expiry, day: date, end: datetime | None
) -> None:
    assert ends_at(expiry, day, ZONE) == end


def test_points_wait_for_days_or_for_goods() -> None:
    sold_at = datetime(2026, 11, 20, 23, tzinfo=UTC)
    wait: Any = {"sold_at": sold_at, "complete": True}

    assert Pending().begins_at(date(2026, 11, 20), ZONE, **wait) == sold_at
    begins = Pending(days=14).begins_at(date(2026, 11, 20), ZONE, **wait)
    assert begins == datetime(2026, 12, 4, 5, tzinfo=UTC)
    goods = Pending(fulfilment=True)
    assert goods.begins_at(date(2026, 11, 20), ZONE, sold_at=sold_at, complete=False) == NEVER
    assert goods.begins_at(date(2026, 11, 20), ZONE, **wait) == sold_at


@pytest.mark.parametrize(
    ("expiry", "compiled"),
    [
        ({"months": 12}, Expiry(12, "months", "month")),
        ({"days": 90}, Expiry(90, "days", "day")),
        ({"years": 2}, Expiry(2, "years", "year")),
        ({"months": 6, "until": "day"}, Expiry(6, "months", "day")),
        ({"never": True}, Expiry()),
        ({"inactive_months": 12}, Expiry(inactive_months=12)),
    ],
)
def test_the_document_says_when_points_end(expiry: Any, compiled: Expiry) -> None:
    assert document(expiry=expiry).compiled("v", programmes.BEGAN).expiry == compiled


def test_the_document_says_what_points_wait_for() -> None:
    pending = document(pending={"days": 3, "approval_above": 0}).compiled("v", programmes.BEGAN)
    assert pending.pending == Pending(3, approval_above=0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"pending": {"approval_above": -1}},
        {"expiry": {}},
        {"expiry": {"days": 1, "months": 1}},
        {"expiry": {"never": True, "until": "year"}},
        {"expiry": {"never": False}},
        {"expiry": {"inactive_months": 12, "until": "month"}},
        {"expiry": {"inactive_months": 12, "months": 12}},
        {"expiry": {"days": 0}},
        {"pending": {}},
        {"pending": {"days": 400}},
    ],
)
def test_a_document_that_says_nothing_or_two_things_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"expiry|pending"):
        document(**wrong)


@pytest.mark.parametrize("pending", [{}, {"pending": {"approval_above": 5}}, {"pending": None}])
def test_points_cannot_stay_that_never_wait(pending: Any) -> None:
    rules = {**document().model_dump(mode="json"), "returns": {"take": "pending_only"}, **pending}

    [finding] = check(rules, ())

    told = "take: pending_only needs pending points: pending with days or fulfilment"
    assert (finding.path, finding.message) == ("returns", told)
    assert check({**rules, "pending": {"days": 3}}, ()) == []
    assert check({**rules, "pending": {"fulfilment": True}}, ()) == []


def test_points_can_not_both_stay_and_wait_by_a_rule_on_tiers() -> None:
    """What a late sale makes a receipt worth would decide whether it waits, and what stays."""
    tiered = {"rule": "gold", "title": "Gold", "multiplier_percent": 200, "tiers": ["Gold"]}
    by_condition = {"rule": "any", "title": "Any", "points_per_unit": 1, "when": 'tier != ""'}
    rules = {
        **document().model_dump(mode="json"),
        "returns": {"take": "pending_only"},
        "pending": {"days": 3, "approval_above": 5},
    }

    for bonus in (tiered, by_condition):
        [finding] = check({**rules, "bonuses": [bonus]}, (Tier("Gold", 1),))
        told = "returns: pending_only can not stand with approval_above and rules on tiers"
        assert finding.message == told
        assert (
            check({**rules, "bonuses": [bonus], "pending": {"days": 3}}, (Tier("Gold", 1),)) == []
        )
    assert check(rules, (Tier("Gold", 1),)) == []


def document(**changes: Any) -> RulesDocument:
    given = {
        "rounding": "floor_per_line",
        "base": {"rule": "base", "title": "Base", "points_per_unit": 1},
        "expiry": {"months": 12},
    }
    return RulesDocument.model_validate({**given, **changes})


def test_pending_points_begin_with_their_day_and_returns_take_them_first() -> None:
    ledger = Ledger(programmes.small(programmes.version(pending=Pending(days=14))))
    bread = [builders.line(category="BREAD", amount_minor=1_000)]
    kept = builders.purchase_recorded(receipt_no="1", lines=bread)
    gone = builders.purchase_recorded(receipt_no="2", lines=bread)
    state = ledger.members

    ledger.apply([kept, gone])
    assert (state[builders.MEMBER].available, state[builders.MEMBER].pending) == (0, 200)
    ledger.apply([builders.purchase_returned(gone.data)])
    assert (state[builders.MEMBER].available, state[builders.MEMBER].pending) == (0, 100)

    ledger.sweep(builders.NOW + timedelta(days=13))
    assert (state[builders.MEMBER].available, state[builders.MEMBER].pending) == (0, 100)
    ledger.sweep(builders.NOW + timedelta(days=14))
    assert (state[builders.MEMBER].available, state[builders.MEMBER].pending) == (100, 0)


def test_points_of_an_order_wait_until_all_of_it_was_delivered() -> None:
    rules = programmes.version(pending=Pending(fulfilment=True))
    ledger = Ledger(programmes.small(rules))
    bread = [builders.line(category="BREAD", amount_minor=1_000)]
    order = builders.purchase_recorded(lines=bread, fulfilment="pending")

    ledger.apply([order])
    assert ledger.members[builders.MEMBER].pending == 100
    ledger.apply([builders.purchase_amended(order.data, bread, fulfilment="complete")])

    assert ledger.members[builders.MEMBER].available == 100
    assert ledger.members[builders.MEMBER].pending == 0


def test_points_that_have_ended_when_their_sale_is_heard_of_are_never_available() -> None:
    ledger = Ledger(programmes.small(programmes.version(expiry=Expiry(10, "days", "day"))))
    ledger.now = builders.NOW + timedelta(days=11)
    late = builders.purchase_recorded(lines=[builders.line(category="BREAD", amount_minor=1_000)])

    ledger.apply([late])

    assert ledger.members[builders.MEMBER].available == 0
    (lot,) = ledger.lots.values()
    assert (lot[1].remaining, lot[1].expired) == (0, 100)
    legs = [leg for one in ledger.entries for leg in one.legs]
    assert [(one.from_account, one.to_account, one.points) for one in legs] == [
        ("issued", "available", 100),
        ("available", "breakage", 100),
    ]
