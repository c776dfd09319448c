"""Points that live as long as their member comes end at the first gap, and nothing else decides."""

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from services.loyalty.domain.accounts import ISSUED, MemberState
from services.loyalty.domain.closing import Batch
from services.loyalty.domain.fold import Book
from services.loyalty.domain.inactivity import deadline, with_ends
from services.loyalty.domain.lots import NEVER, Lot, Take, draw
from services.loyalty.domain.postings import Gift
from tests.unit.loyalty import programmes
from tests.unit.loyalty.books import Ledger

ANN = UUID(int=1)
ZONE = ZoneInfo("America/New_York")
DAY_0 = datetime(2026, 1, 31, 12, tzinfo=UTC)
hours = st.integers(0, 24 * 400)


def at(hour: int) -> datetime:
    return DAY_0 + timedelta(hours=hour)


def lot(number: int, begins: datetime, months: int | None) -> Lot:
    return Lot(ANN, UUID(int=number), 10, begins, None, months)


def test_the_day_is_the_programmes_and_short_months_have_a_last_one() -> None:
    # 31 January and a month: 28 February, to its end in New York.
    assert deadline(DAY_0, 1, ZONE) == datetime(2026, 3, 1, 5, tzinfo=UTC)


def test_points_that_do_not_begin_do_not_end() -> None:
    (one,) = with_ends([lot(1, NEVER, 3)], [DAY_0], ZONE)

    assert one.expires_at == NEVER


@given(
    st.lists(st.tuples(hours, st.sampled_from([None, 1, 2, 6])), max_size=8),
    st.lists(hours, max_size=12),
)
def test_each_lot_ends_at_the_first_gap(
    given_lots: list[tuple[int, int | None]], times: list[int]
) -> None:
    lots = [lot(number, at(begins), months) for number, (begins, months) in enumerate(given_lots)]

    for one in with_ends(lots, [at(hour) for hour in times], ZONE):
        if one.inactive_months is None:
            assert one.expires_at is None
            continue
        last = one.activates_at
        for time in sorted(at(hour) for hour in times):
            if last < time < deadline(last, one.inactive_months, ZONE):
                last = time
        assert one.expires_at == deadline(last, one.inactive_months, ZONE)


@given(
    st.lists(st.tuples(hours, st.sampled_from([1, 2, 6])), max_size=6),
    st.lists(st.tuples(hours, st.integers(1, 15)), max_size=4),
    st.lists(hours, max_size=8),
    st.lists(hours, max_size=4),
)
def test_what_was_drawn_does_not_depend_on_what_the_member_does_later(
    given_lots: list[tuple[int, int]],
    given_takes: list[tuple[int, int]],
    visits: list[int],
    more: list[int],
) -> None:
    """So a sale in order need not look at the lots of those who spent before."""
    lots = [lot(number, at(begins), months) for number, (begins, months) in enumerate(given_lots)]
    takes = [Take(at(when), UUID(int=n), points) for n, (when, points) in enumerate(given_takes)]
    known = [at(hour) for hour in visits] + [take.at for take in takes]
    now = max([*known, *(one.activates_at for one in lots), DAY_0])
    later = [now + timedelta(hours=hour) for hour in more]

    before = draw(with_ends(lots, known, ZONE), takes, now)
    after = draw(with_ends(lots, [*known, *later], ZONE), takes, now)

    assert after == before


def test_a_lot_that_comes_to_end_by_inactivity_is_watched() -> None:
    """As that of an award does which another sale completes, under other rules."""
    programme = programmes.small()
    ledger = Ledger(programme, now=DAY_0)
    ledger.members[ANN] = MemberState(0, 0, DAY_0, {}, None)
    dated = Lot(ANN, UUID(int=1), 10, DAY_0, at(24 * 400))
    idle = lot(1, DAY_0, 3)

    for before, after in ((None, dated), (dated, idle)):
        gift = Gift(after, ISSUED, "award", UUID(int=9), DAY_0, before=before)
        ledger.post(Batch(Book(programme, {}, ledger.members), DAY_0, gifts=[gift]))

    assert ledger.members[ANN].idle_at == deadline(DAY_0, 3, ZONE)
