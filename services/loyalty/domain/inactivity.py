"""Points that live as long as their member comes: their end, from nothing but when that was.

A lot begins, and each activity within so many months after the one before prolongs it; at the first
gap it has ended, by the end of the day so many months after the last activity before the gap. What
is heard of late may close a gap, and what is undone may open one: the end is never stored, but for
one that has come.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from services.loyalty.domain.lots import NEVER, Lot
from services.loyalty.domain.terms import Expiry, ends_at


def deadline(at: datetime, months: int, zone: ZoneInfo) -> datetime:
    """Return when points end of a member who does not come again after ``at``."""
    if at == NEVER:
        return NEVER
    end = ends_at(Expiry(months, "months", "day"), at.astimezone(zone).date(), zone)
    return end or NEVER


def with_ends(lots: Iterable[Lot], times: Iterable[datetime], zone: ZoneInfo) -> Iterator[Lot]:
    """Return lots with the ends that they have if a member was active at those times."""
    activity: _Activity | None = None
    for lot in lots:
        if lot.inactive_months is None:
            yield lot
            continue
        activity = activity or _Activity(times, zone)
        yield lot._replace(expires_at=activity.end(lot.activates_at, lot.inactive_months))


class _Activity:
    """When a member was active."""

    def __init__(self, times: Iterable[datetime], zone: ZoneInfo) -> None:
        self._times = sorted(set(times))
        self._zone = zone
        self._ends: dict[int, list[datetime]] = {}
        """Months → when what is prolonged by each activity ends at last."""

    def end(self, begins: datetime, months: int) -> datetime:
        """Return when points end that begin then."""
        if months not in self._ends:
            self._ends[months] = self._chain(months)
        end = deadline(begins, months, self._zone)
        following = bisect_right(self._times, begins)
        if following < len(self._times) and self._times[following] < end:
            return self._ends[months][following]
        return end

    def _chain(self, months: int) -> list[datetime]:
        ends: list[datetime] = []
        for at in reversed(self._times):
            end = deadline(at, months, self._zone)
            later = self._times[len(self._times) - len(ends)] if ends else NEVER
            ends.append(ends[-1] if later < end else end)
        ends.reverse()
        return ends
