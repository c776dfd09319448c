"""Notices of points that are about to end."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from services.loyalty.domain import drawing
from services.loyalty.domain.lots import NEVER
from services.loyalty.domain.postings import Holdings
from services.loyalty.domain.programme import Programme

MOMENT = timedelta(microseconds=1)


class Notice(NamedTuple):
    """What a member is told once: points that end together."""

    member_id: UUID
    ends_at: datetime
    """The first instant at which they are gone."""
    points: int


def idle_ends(held: Holdings, programme: Programme) -> Mapping[datetime, int]:
    """Return when a member's points end by inactivity as things stand, and how many then.

    Ends of lots that are spent are in it, with no points.
    """
    known = [lot for lot, _ in held.lots.values()]
    visits = held.visits.values()
    ends: Counter[datetime] = Counter()
    for lot in drawing.with_ends(known, held.spends.values(), visits, programme.time_zone):
        if lot.inactive_months and lot.expires_at and lot.expires_at < NEVER:
            drawn = held.lots[lot.lot_id][1]
            ends[lot.expires_at] += drawn.remaining if drawn.active else 0
    return ends


def last_day(notice: Notice, programme: Programme) -> str:
    """Return the last day on which the points can be spent, where the programme lives."""
    day = (notice.ends_at - MOMENT).astimezone(programme.time_zone)
    return f"{day.day} {day:%B %Y}"
