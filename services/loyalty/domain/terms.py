"""From when until when points can be spent, by the day of the sale where the programme lives."""

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from services.loyalty.domain.lots import NEVER

Unit = Literal["days", "months", "years"]
Until = Literal["day", "month", "year"]


@dataclass(frozen=True, slots=True)
class Expiry:
    """So long after the sale, to the end of that day, month or year; for ever without ``after``.

    With ``inactive_months`` so long after the member was last active (see ``inactivity``).
    """

    after: int | None = None
    unit: Unit = "months"
    until: Until = "month"
    inactive_months: int | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """Points wait for ``days`` days, and for goods that are still to come where it says so.

    And for somebody of the staff where a receipt is worth more than ``approval_above`` points.
    """

    days: int = 0
    fulfilment: bool = False
    approval_above: int | None = None

    def begins_at(
        self, day: date, zone: ZoneInfo, *, sold_at: datetime, complete: bool
    ) -> datetime:
        """Return from when on points of a sale at ``sold_at`` can be spent."""
        if self.fulfilment and not complete:
            return NEVER
        return midnight(day + timedelta(days=self.days), zone) if self.days else sold_at


@lru_cache(maxsize=4_096)
def ends_at(expiry: Expiry, day: date, zone: ZoneInfo) -> datetime | None:
    """Return when points of ``day`` end: the first instant, in UTC, at which they are gone.

    None where that is never, or depends on what the member does.
    """
    if expiry.after is None:
        return None
    last = _later(day, expiry.after, expiry.unit)
    if expiry.until == "month":
        last = last.replace(day=calendar.monthrange(last.year, last.month)[1])
    elif expiry.until == "year":
        last = last.replace(month=12, day=31)
    return midnight(last + timedelta(days=1), zone)


def _later(day: date, number: int, unit: Unit) -> date:
    """Return the day ``number`` units later, the last of its month where that is shorter."""
    if unit == "days":
        return day + timedelta(days=number)
    months = number * 12 if unit == "years" else number
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last))


@lru_cache(maxsize=4_096)
def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return when a day begins there, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
