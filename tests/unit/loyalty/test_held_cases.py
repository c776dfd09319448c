"""Worked cases of rules that ask who the member is: what each sale earns, by which entry."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from services.loyalty.domain import explain
from services.loyalty.domain.approvals import Verdict
from services.loyalty.domain.bonuses import Bonus
from services.loyalty.domain.caps import Cap
from services.loyalty.domain.ladder import TierPolicy
from services.loyalty.domain.merges import Merge
from services.loyalty.domain.terms import Expiry, Pending
from shared.contracts.purchases import ReturnedLine
from tests import builders
from tests.unit.loyalty import programmes
from tests.unit.loyalty.books import Ledger
from tests.unit.loyalty.sales import day
from tests.unit.loyalty.test_explain import explained
from tests.unit.loyalty.test_fold import ANN, BEN, assert_books_close

GOLD = Bonus("gold", "Gold: half as much again", multiplier_percent=150, tiers=frozenset({"Gold"}))
GRACE = TierPolicy(grace_days=31)


@dataclass(frozen=True)
class Sale:
    """So many dollars of bread, which earn 10 points each, and 15 with Gold."""

    name: str
    on: str
    dollars: int
    member: UUID = ANN


@dataclass(frozen=True)
class Back:
    """So many dollars of it come back."""

    name: str
    on: str
    dollars: int


@dataclass(frozen=True)
class Claimed:
    """It turns out to be another member's."""

    name: str
    member: UUID


@dataclass(frozen=True)
class Merged:
    """Ann is merged into Ben."""

    on: str


UNDONE = "undone"
Step = Sale | Back | Claimed | Merged | str


@dataclass(frozen=True)
class Case:
    """What arrives, in that order, and what each receipt has then."""

    title: str
    steps: list[Step]
    has: dict[str, int]
    posted: list[tuple[str, int]]
    """By the last step: why, and how many."""
    policy: TierPolicy = field(default_factory=TierPolicy)
    caps: tuple[Cap, ...] = ()
    pending: Pending | None = None


DAILY = (Cap("daily", "At most 1,000 a day", "day", 1_000),)
CASES = [
    Case(
        "its own amount does not count",
        [Sale("a", "2026-03-01", 300)],
        {"a": 3_000},
        [("purchase", 3_000)],
    ),
    Case(
        "the sale after it has the tier",
        [Sale("a", "2026-03-01", 300), Sale("b", "2026-03-02", 10)],
        {"a": 3_000, "b": 150},
        [("purchase", 150)],
    ),
    Case(
        "of two at the same instant none counts for the other",
        [Sale("a", "2026-03-01", 300), Sale("b", "2026-03-01", 300)],
        {"a": 3_000, "b": 3_000},
        [("purchase", 3_000)],
    ),
    Case(
        "a late sale lifts those after it, and none before",
        [
            Sale("x", "2026-02-01", 10),
            Sale("b", "2026-03-05", 10),
            Sale("c", "2026-03-06", 20),
            Sale("a", "2026-03-01", 300),
        ],
        {"x": 100, "a": 3_000, "b": 150, "c": 300},
        [("purchase", 3_000), ("tier", 50), ("tier", 100)],
    ),
    Case(
        "without grace what comes back takes the tier from then on",
        [
            Sale("a", "2026-03-01", 300),
            Sale("b", "2026-03-05", 10),
            Sale("c", "2026-03-20", 10),
            Back("a", "2026-03-10", 100),
        ],
        {"a": 2_000, "b": 150, "c": 100},
        [("return", -1_000), ("tier", -50)],
    ),
    Case(
        "with grace it is kept for so long",
        [
            Sale("a", "2026-03-01", 300),
            Sale("b", "2026-04-09", 10),
            Sale("c", "2026-04-11", 10),
            Back("a", "2026-03-10", 100),
        ],
        {"a": 2_000, "b": 150, "c": 100},
        [("return", -1_000), ("tier", -50)],
        policy=GRACE,
    ),
    Case(
        "a return of what was bought with the tier keeps the bonus of the rest",
        [
            Sale("a", "2026-03-01", 300),
            Sale("b", "2026-03-05", 20),
            Back("b", "2026-06-10", 10),
        ],
        {"a": 3_000, "b": 150},
        [("return", -150)],
    ),
    Case(
        "the earlier sale of a day gets more under its cap, the later one less",
        [
            Sale("b", "2026-03-05", 60),
            Sale("c", "2026-03-05^", 40),
            Sale("a", "2026-03-01", 300),
        ],
        {"a": 1_000, "b": 400, "c": 600},
        [("purchase", 1_000), ("tier", 200), ("cap", -200)],
        caps=DAILY,
    ),
    Case(
        "a claim lifts the sales of who has it now, and no longer those of who had it",
        [
            Sale("a", "2026-03-01", 300),
            Sale("b", "2026-03-05", 10),
            Sale("c", "2026-03-06", 10, BEN),
            Claimed("a", BEN),
        ],
        {"a": 3_000, "b": 100, "c": 150},
        [("moved_away", -3_000), ("attribution", 3_000), ("tier", -50), ("tier", 50)],
    ),
    Case(
        "after a merge both count, for later sales only",
        [
            Sale("a", "2026-03-01", 300),
            Sale("b", "2026-03-05", 10, BEN),
            Merged("2026-03-10"),
            Sale("c", "2026-03-11", 10, BEN),
        ],
        {"a": 3_000, "b": 100, "c": 150},
        [("purchase", 150)],
    ),
    Case(
        "what is late of the other one lifts them, too",
        [
            Sale("b", "2026-03-05", 10, BEN),
            Merged("2026-03-10"),
            Sale("c", "2026-03-11", 10, BEN),
            Sale("d", "2026-03-04", 10),
            Sale("a", "2026-03-01", 300),
        ],
        {"a": 3_000, "b": 100, "c": 150, "d": 150},
        [("purchase", 3_000), ("tier", 50), ("tier", 50)],
    ),
    Case(
        "nor does what the other one bought since count for an earlier sale",
        [Merged("2026-03-10"), Sale("a", "2026-03-20", 300), Sale("b", "2026-03-15", 10, BEN)],
        {"a": 3_000, "b": 100},
        [("purchase", 100)],
    ),
    Case(
        "undone they never did",
        [
            Sale("a", "2026-03-01", 300),
            Merged("2026-03-10"),
            Sale("c", "2026-03-11", 10, BEN),
            UNDONE,
        ],
        {"a": 3_000, "c": 100},
        [("tier", -50)],
    ),
    Case(
        "a receipt that is worth more than the rules let through waits now",
        [Sale("b", "2026-03-05", 80), Sale("a", "2026-03-01", 300)],
        {"a": 3_000, "b": 1_200},
        [("purchase", 3_000), ("tier", 400)],
        pending=Pending(approval_above=1_000),
    ),
]


class Shop:
    """Plays steps into a ledger."""

    def __init__(self, case: Case) -> None:
        version = programmes.version(bonuses=(GOLD,), caps=case.caps, pending=case.pending)
        self.programme = programmes.small(version, policy=case.policy)
        self.ledger = Ledger(self.programme)
        self.net: dict[str, Any] = {}

    def play(self, step: Step) -> None:
        match step:
            case Merged():
                self.ledger.merge(Merge(UUID(int=101), ANN, BEN, day(step.on), "key"))
            case str():
                self.ledger.unmerge(self.ledger.merges[0])
            case _:
                event = self.event(step)
                self.net[step.name] = event.data
                self.ledger.apply([event])

    def event(self, step: Sale | Back | Claimed) -> Any:
        match step:
            case Sale():
                line = builders.line(category="BREAD", amount_minor=step.dollars * 100)
                return builders.purchase_recorded(
                    receipt_no=step.name,
                    member_id=step.member,
                    occurred_at=day(step.on),
                    lines=[line],
                )
            case Back():
                back = ReturnedLine(line_no=1, quantity_milli=0, amount_minor=step.dollars * 100)
                return builders.purchase_returned(self.net[step.name], [back], time=day(step.on))
            case Claimed():
                return builders.purchase_attributed(self.net[step.name], step.member)


@pytest.mark.parametrize("case", [pytest.param(one, id=one.title) for one in CASES])
def test_each_case_ends_as_it_should(case: Case) -> None:
    shop = Shop(case)
    for step in case.steps[:-1]:
        shop.play(step)
    before = len(shop.ledger.postings)

    shop.play(case.steps[-1])

    found = shop.ledger.receipts
    assert {name: found[net.receipt_id].posted for name, net in shop.net.items()} == case.has
    by_last = shop.ledger.postings[before:]
    assert sorted((one.change.why, one.points) for one in by_last) == sorted(case.posted)
    assert_books_close(shop.ledger)


def test_the_entry_says_which_tier_it_is_now_and_what_that_decides() -> None:
    shop = Shop(CASES[0])
    for step in (Sale("b", "2026-03-05", 10), Sale("a", "2026-03-01", 300)):
        shop.play(step)
    posting = shop.ledger.postings[-1]

    assert explained(posting, shop.programme).words == (
        "The tier at the time of the sale is now Gold, which decides on Gold: half as much again:"
        " the receipt is worth 150 points, 100 had been posted, so +50."
    )
    assert explain.in_short(posting, shop.programme) == (
        "The tier at the time of the sale is now Gold, which decides on Gold: half as much again:"
        " now worth 150 points, 100 were posted before."
    )


@pytest.mark.parametrize(("verdict", "posted"), [("approved", 1_800), ("rejected", 0)])
def test_what_was_decided_on_a_receipt_stays(verdict: Verdict, posted: int) -> None:
    shop = Shop(CASES[-1])
    shop.play(Sale("b", "2026-03-05", 120))
    receipt_id = shop.net["b"].receipt_id
    assert shop.ledger.receipts[receipt_id].approval == "waiting"
    shop.ledger.decide(receipt_id, verdict, builders.NOW)

    shop.play(Sale("a", "2026-03-01", 300))

    after = shop.ledger.receipts[receipt_id]
    assert (after.approval, after.posted, after.level) == (verdict, posted, 2)


def sold_on(born: date | None, on: str, ledger: Ledger, **more: Any) -> Any:
    """Sell ten dollars of bread to a member who was born then, as far as we know."""
    ledger.born = {builders.MEMBER: born} if born else {}
    line = builders.line(category="BREAD", amount_minor=1_000)
    event = builders.purchase_recorded(receipt_no=on, occurred_at=day(on), lines=[line], **more)
    ledger.apply([event])
    return event


def birthday_shop() -> Ledger:
    rules = (
        Bonus("day", "On your birthday", points_per_receipt=50, birthday="day"),
        Bonus("month", "In its month", points_per_receipt=5, birthday="month"),
    )
    made = programmes.version(since=day("2020-01-01"), bonuses=rules, expiry=Expiry())
    return Ledger(programmes.small(made))


LEAP = date(1988, 2, 29)


@pytest.mark.parametrize(
    ("born", "on", "points"),
    [
        pytest.param(date(1990, 3, 5), "2026-03-05", 155, id="on the day"),
        pytest.param(date(1990, 3, 5), "2026-03-06", 105, id="in the month"),
        pytest.param(date(1990, 3, 5), "2026-04-05", 100, id="in another month"),
        pytest.param(None, "2026-03-05", 100, id="not known"),
        pytest.param(LEAP, "2024-02-29", 155, id="on the 29th"),
        pytest.param(LEAP, "2024-02-28", 105, id="not the day before it"),
        pytest.param(LEAP, "2026-02-28", 155, id="on the 28th in other years"),
        pytest.param(date(1990, 3, 5), "2026-03-05^", 155, id="its first instant in New York"),
    ],
)
def test_a_birthday_is_one_of_the_time_zone(born: date | None, on: str, points: int) -> None:
    ledger = birthday_shop()

    sold_on(born, on, ledger)

    assert ledger.members[builders.MEMBER].available == points


def test_a_birthday_that_can_not_be_trusted_is_none() -> None:
    ledger = birthday_shop()

    sold_on(date(1990, 3, 5), "2026-03-05", ledger, clock_suspect=True)

    assert ledger.members[builders.MEMBER].available == 100


def test_what_was_known_of_a_birthday_at_first_stays_with_the_receipt() -> None:
    """Whatever the profile says later, unless the receipt is another member's then."""
    ledger = birthday_shop()
    sold = sold_on(date(1990, 3, 5), "2026-03-05", ledger)
    ledger.born = {}

    back = ReturnedLine(line_no=1, quantity_milli=0, amount_minor=500)
    returned = builders.purchase_returned(sold.data, [back])
    ledger.apply([returned])

    assert ledger.members[builders.MEMBER].available == 105
    ledger.apply([builders.purchase_attributed(returned.data, BEN)])
    assert ledger.members[BEN].available == 50


def test_what_one_batch_tells_of_both_counts_for_none_of_them_before_the_merge() -> None:
    shop = Shop(CASES[0])
    shop.play(Merged("2026-03-10"))

    sold = [Sale("a", "2026-03-01", 300), Sale("b", "2026-02-20", 10, BEN)]
    shop.ledger.apply([shop.event(one) for one in sold])

    assert sorted(one.posted for one in shop.ledger.receipts.values()) == [100, 3_000]
