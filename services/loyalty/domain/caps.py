"""Caps: at most so many points for a receipt, a day or a month; a pure function of the period.

Receipts are served in the order in which the sales happened, never in the order of arrival, each
from what the ones before left. So what a receipt gets depends on the earlier ones of its period,
and a change of one may give to or take from those after it, and from nobody else.
"""

import bisect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, NamedTuple
from uuid import UUID

Per = Literal["receipt", "day", "month"]


@dataclass(frozen=True, slots=True)
class Cap:
    """At most ``points`` for one receipt, or in one day or month of the programme's time zone."""

    rule: str
    title: str
    per: Per
    points: int


class Claim(NamedTuple):
    """What a receipt would be worth, and which caps were in force when it happened."""

    occurred_at: datetime
    receipt_id: UUID
    day: date
    desired: int
    caps: tuple[Cap, ...]

    @property
    def place(self) -> tuple[datetime, int]:
        """Return what orders claims; two sales of one instant go by their id."""
        return self.occurred_at, self.receipt_id.int


class Grant(NamedTuple):
    """What a receipt gets, and the cap that says so; None where it gets all."""

    points: int
    cap: Cap | None


class _Given(NamedTuple):
    """What the receipts up to a place got in that day and in that month."""

    day: date
    in_day: int
    in_month: int

    def at(self, day: date) -> "_Given":
        """Return the same seen from ``day``, which is not before it."""
        if day == self.day:
            return self
        same_month = (day.year, day.month) == (self.day.year, self.day.month)
        return _Given(day, 0, self.in_month if same_month else 0)


_NOTHING = _Given(date.min, 0, 0)
_NONE = Grant(0, None)


def _grant(claim: Claim, given: _Given) -> Grant:
    points, by = claim.desired, None
    for cap in claim.caps:
        room = cap.points
        if cap.per == "day":
            room -= given.in_day
        elif cap.per == "month":
            room -= given.in_month
        # Less than nothing is left where two versions of the rules meet in a period.
        if max(0, room) < points:
            points, by = max(0, room), cap
    return Grant(points, by)


@dataclass(slots=True)
class Period:
    """The claims of one member that can touch one another, in order, and what each gets."""

    _places: list[tuple[datetime, int]] = field(default_factory=list[tuple[datetime, int]])
    _claims: list[Claim] = field(default_factory=list[Claim])
    _grants: list[Grant] = field(default_factory=list[Grant])
    _given: list[_Given] = field(default_factory=list[_Given])
    """After each claim."""

    def put(self, claim: Claim) -> Mapping[UUID, Grant]:
        """Add a claim, or replace the receipt's earlier one; return the grants that changed."""
        place = claim.place
        at = bisect.bisect_left(self._places, place)
        if at < len(self._places) and self._places[at] == place:
            self._claims[at] = claim
        else:
            self._places.insert(at, place)
            self._claims.insert(at, claim)
            self._grants.insert(at, _NONE)
            # Differs from whatever comes out, so that what follows is looked at.
            self._given.insert(at, _NOTHING)
        return dict(self._serve(at))

    def grant(self, claim: Claim) -> Grant:
        """Return what a claim that was put here gets."""
        return self._grants[bisect.bisect_left(self._places, claim.place)]

    def remove(self, claim: Claim) -> Mapping[UUID, Grant]:
        """Take a receipt's claim out; return the grants of others that changed."""
        at = bisect.bisect_left(self._places, claim.place)
        if at == len(self._places) or self._places[at] != claim.place:
            return {}
        for column in (self._places, self._claims, self._grants, self._given):
            del column[at]
        return dict(self._serve(at))

    def _serve(self, at: int) -> Iterator[tuple[UUID, Grant]]:
        """Serve claims from ``at`` on, until one leaves behind it what it left before."""
        given = self._given[at - 1] if at else _NOTHING
        for place in range(at, len(self._claims)):
            claim = self._claims[place]
            before = given.at(claim.day)
            grant = _grant(claim, before)
            given = _Given(claim.day, before.in_day + grant.points, before.in_month + grant.points)
            if grant != self._grants[place]:
                self._grants[place] = grant
                yield claim.receipt_id, grant
            if given == self._given[place]:
                return
            self._given[place] = given
