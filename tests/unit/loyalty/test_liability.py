"""A day of the ledger adds up, and what will end unspent is told with its uncertainty."""

import pytest

from services.loyalty.domain import liability
from services.loyalty.domain.liability import Balances, Flow, History, close_day


def test_a_day_goes_back_from_the_balances_as_they_are_now() -> None:
    flows = [
        Flow("issued", "available", 500, 70),
        Flow("issued", "debt", 30, 0),
        Flow("available", "held", 200, 0),
        Flow("held", "redeemed", 150, 0),
        Flow("held", "available", 50, 0),
        Flow("available", "breakage", 0, 40),
        Flow("adjusted", "pending", 5, 0),
        Flow("available", "adjusted", 7, 0),
        Flow("loss", "debt", 12, 0),
        Flow("available", "loss", 2, 0),
    ]

    day = close_day(Balances(1_000, 5, 0, 20), flows)

    assert day.closing == Balances(1_000 - 70 + 40, 5, 0, 20)
    assert day.opening == Balances(970 - 500 + 200 - 50 + 7 + 2, 0, 0, 62)
    moved = {kind: points for kind, points in day.movements.items() if points}
    assert moved == {
        "issued": 530,
        "redeemed": -150,
        "adjusted_up": 5,
        "adjusted_down": -7,
        "written_off": 10,
    }
    assert day.opening.outstanding + sum(moved.values()) == day.closing.outstanding
    assert day.closes


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(Flow("nowhere", "available", 1, 0), id="an account that nobody knows"),
        pytest.param(Flow("available", "nowhere", 0, 0)._replace(during=1), id="or goes to"),
        pytest.param(Flow("issued", "available", 101, 0), id="less than nothing before"),
        pytest.param(Flow("issued", "available", 0, 101), id="less than nothing after"),
    ],
)
def test_what_can_not_be_does_not_close(wrong: Flow) -> None:
    assert close_day(Balances(100, 0, 0, 0), []).closes
    assert not close_day(Balances(100, 0, 0, 0), [wrong]).closes


@pytest.mark.parametrize(
    ("share", "n", "low", "high"),
    [(0.5, 100, 0.4038, 0.5962), (0.1, 10, 0.0179, 0.4042), (0.0, 20, 0.0, 0.1611)],
)
def test_the_interval_is_the_one_of_the_tables(
    share: float, n: float, low: float, high: float
) -> None:
    assert liability.wilson(share, n) == pytest.approx((low, high), abs=5e-5)


def test_few_lots_say_nothing_and_few_members_say_little() -> None:
    assert liability.breakage(History(99, 9_900, 990, 990_000)) is None

    many = liability.breakage(History(1_000, 100_000, 10_000, 1_000 * 100**2))
    few = liability.breakage(History(1_000, 100_000, 10_000, 10 * 10_000**2))

    assert many is not None
    assert few is not None
    assert many.share == few.share == pytest.approx(0.1)
    # The same points, of a hundredth of the members.
    assert (few.low, few.high) == pytest.approx((0.0179, 0.4042), abs=5e-5)
    assert few.low < many.low < 0.1 < many.high < few.high
