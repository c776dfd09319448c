"""Lots: what ends first is spent first, what is undone gives back, what nothing serves is owed."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.loyalty.domain.lots import Drawn, Lot, Take, draw

ANN = UUID(int=1)
DAY_0 = datetime(2026, 1, 1, tzinfo=UTC)


def day(number: float) -> datetime:
    return DAY_0 + timedelta(days=number)


def lot(number: int, points: int, begins: float, ends: float | None) -> Lot:
    return Lot(ANN, UUID(int=number), points, day(begins), None if ends is None else day(ends))


def take(at: float, points: int, number: int = 99) -> Take:
    return Take(day(at), UUID(int=number), points)


def left(lots: Iterable[Lot], takes: Iterable[Take], at: float) -> tuple[dict[int, Drawn], int]:
    drawn, owed, lost = draw(lots, takes, day(at))
    assert not lost
    return {lot_id.int: one for lot_id, one in drawn.items()}, owed


def test_what_ends_first_is_spent_first_and_what_never_ends_last() -> None:
    lots = [lot(1, 100, 0, None), lot(2, 100, 0, 30), lot(3, 100, 0, 20)]

    drawn, owed = left(lots, [take(1, 150)], 2)

    assert drawn == {1: Drawn(True, 100, 0), 2: Drawn(True, 50, 0), 3: Drawn(True, 0, 0)}
    assert owed == 0


def test_points_can_be_spent_from_their_beginning_until_just_before_their_end() -> None:
    one = lot(1, 100, 10, 20)

    assert left([one], [], 9)[0] == {1: Drawn(False, 100, 0)}
    assert left([one], [take(10, 100)], 10) == ({1: Drawn(True, 0, 0)}, 0)
    assert left([one], [take(20, 100)], 20) == ({1: Drawn(True, 0, 100)}, 100)


def test_a_spend_that_is_undone_gives_back_with_the_old_end() -> None:
    lots = [lot(1, 100, 0, 10), lot(2, 100, 0, 30)]
    assert left(lots, [take(5, 100)], 20)[0] == {1: Drawn(True, 0, 0), 2: Drawn(True, 100, 0)}

    # Undone on day 20, it is as if it had never been: the first lot has ended meanwhile.
    assert left(lots, [], 20)[0] == {1: Drawn(True, 0, 100), 2: Drawn(True, 100, 0)}


def test_what_no_lot_serves_is_owed_and_taken_from_the_next() -> None:
    lots = [lot(1, 40, 0, None), lot(2, 100, 10, 30)]

    assert left(lots, [take(5, 60)], 9)[1] == 20
    assert left(lots, [take(5, 60)], 10) == ({1: Drawn(True, 0, 0), 2: Drawn(True, 80, 0)}, 0)


def test_of_lots_that_begin_together_what_ends_first_repays() -> None:
    """As those do that came with a merged member."""
    lots = [lot(1, 40, 10, None), lot(2, 40, 10, 60), lot(3, 40, 10, 30)]

    drawn, _ = left(lots, [take(5, 50)], 10)

    assert drawn == {1: Drawn(True, 40, 0), 2: Drawn(True, 30, 0), 3: Drawn(True, 0, 0)}


def test_what_is_forgiven_is_lost_and_no_later_lot_pays_for_it() -> None:
    lots = [lot(1, 40, 0, None), lot(2, 100, 10, 30)]
    forgiven = take(5, 60)._replace(forgiven=True)

    drawn, owed, lost = draw(lots, [forgiven, take(6, 5, 98)], day(10))

    assert drawn[UUID(int=2)] == Drawn(True, 95, 0)  # the other take is owed, and repaid
    assert (owed, lost) == (0, 20)
    # A lot that turns out to have begun before serves it after all.
    late = lot(3, 50, 4, None)
    assert draw([*lots, late], [forgiven], day(10))[1:] == (0, 0)


stretches = st.tuples(st.integers(1, 100), st.integers(0, 50), st.none() | st.integers(1, 60))


@given(
    st.lists(stretches, max_size=6),
    st.lists(st.tuples(st.integers(0, 100), st.integers(1, 120)), max_size=6),
    st.integers(0, 120),
    st.randoms(use_true_random=False),
)
def test_nothing_is_lost_and_nothing_but_the_facts_decides(
    given_lots: list[tuple[int, int, int | None]],
    given_takes: list[tuple[int, int]],
    at: int,
    random: Random,
) -> None:
    lots = [
        lot(number, points, begins, None if lasts is None else begins + lasts)
        for number, (points, begins, lasts) in enumerate(given_lots)
    ]
    takes = [take(when, points, 1_000 + n) for n, (when, points) in enumerate(given_takes)]
    takes = [one for one in takes if one.at <= day(at)]
    drawn, owed = left(lots, takes, at)

    begun = sum(one.points for one in lots if one.activates_at <= day(at))
    kept = sum(one.remaining for one in drawn.values() if one.active)
    ended = sum(one.expired for one in drawn.values())
    assert begun - sum(one.points for one in takes) == kept + ended - owed
    assert not (owed and kept)
    random.shuffle(lots)
    random.shuffle(takes)
    assert left(lots, takes, at) == (drawn, owed)
    assert_simple_minded_agrees(lots, takes, at, drawn)


def assert_simple_minded_agrees(
    lots: list[Lot], takes: list[Take], at: int, drawn: Mapping[int, Drawn]
) -> None:
    """Walk point by point, looking at all lots each time."""
    has = {one.lot_id.int: one.points for one in lots}
    owed = 0
    moments = sorted({one.activates_at for one in lots} | {one.at for one in takes})
    for moment in (one for one in moments if one <= day(at)):
        for begun in sorted(
            (one for one in lots if one.activates_at == moment),
            key=lambda one: (one.expires_at or day(9_999), one.lot_id.int),
        ):
            repaid = min(owed, begun.points)
            owed -= repaid
            has[begun.lot_id.int] -= repaid
        due = sorted((one for one in takes if one.at == moment), key=lambda one: one.spend_id.int)
        for _ in range(sum(one.points for one in due)):
            usable = [
                one
                for one in lots
                if one.activates_at <= moment
                and (one.expires_at is None or one.expires_at > moment)
                and has[one.lot_id.int]
            ]
            if not usable:
                owed += 1
                continue
            first = min(
                usable,
                key=lambda one: (one.expires_at or day(9_999), one.activates_at, one.lot_id.int),
            )
            has[first.lot_id.int] -= 1
    for one in lots:
        over = one.expires_at is not None and one.expires_at <= day(at)
        shown = drawn[one.lot_id.int]
        assert shown.remaining + shown.expired == has[one.lot_id.int]
        if one.activates_at <= day(at):
            assert (shown.expired if over else shown.remaining) == has[one.lot_id.int]
