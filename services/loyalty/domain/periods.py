"""Calendar periods, numbered so that those which follow one another have numbers that do, too."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from services.loyalty.domain.lots import NEVER
from services.loyalty.domain.terms import midnight

Per = Literal["day", "week", "month", "quarter", "year", "ever"]

_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_EVER_SINCE = datetime(1900, 1, 1, tzinfo=UTC)


def number(per: Per, day: date) -> int:
    """Return the number of the period that ``day`` lies in; weeks begin on Monday."""
    if per == "day":
        return day.toordinal()
    if per == "week":
        return (day.toordinal() - 1) // 7
    if per == "ever":
        return 0
    return (day.year * 12 + day.month - 1) // _MONTHS[per]


def first_day(per: Per, period: int) -> date:
    """Return the first day of a period; not for ``ever``, which has none."""
    if per == "day":
        return date.fromordinal(period)
    if per == "week":
        return date.fromordinal(period * 7 + 1)
    year, month = divmod(period * _MONTHS[per], 12)
    return date(year, month + 1, 1)


@lru_cache(maxsize=4_096)
def bounds(per: Per, period: int, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return from when until when, in UTC, a period lasts in ``zone``."""
    if per == "ever":
        return _EVER_SINCE, NEVER
    return midnight(first_day(per, period), zone), midnight(first_day(per, period + 1), zone)


def last_day(per: Per, period: int) -> date:
    """Return the last day of a period; not for ``ever``."""
    return first_day(per, period + 1) - timedelta(days=1)
