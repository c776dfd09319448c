"""Caps: at most so many points for a receipt, a day or a month; a pure function of the period.

Receipts are served in the order in which the sales happened, never in the order of arrival, each
from what the ones before left. So what a receipt gets depends on the earlier ones of its period,
and a change of one may give to or take from those after it, and from nobody else.
"""

import bisect
from dataclasses import dataclass, field
from datetime import date, datetime
from operator import attrgetter
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


class _Served(NamedTuple):
    """A claim, what it gets, and what the receipts up to it got."""

    place: tuple[datetime, int]
    claim: Claim
    grant: Grant
    given: _Given


_PLACE = attrgetter("place")


def _serve(claim: Claim, given: _Given) -> _Served:
    before = given.at(claim.day)
    points, by = claim.desired, None
    for cap in claim.caps:
        room = cap.points
        if cap.per == "day":
            room -= before.in_day
        elif cap.per == "month":
            room -= before.in_month
        # Less than nothing is left where two versions of the rules meet in a period.
        if max(0, room) < points:
            points, by = max(0, room), cap
    after = _Given(claim.day, before.in_day + points, before.in_month + points)
    return _Served(claim.place, claim, Grant(points, by), after)


@dataclass(slots=True)
class Period:
    """The claims of one member that can touch one another, in order, and what each gets."""

    _served: list[_Served] = field(default_factory=list[_Served])

    def put(self, claim: Claim) -> dict[UUID, Grant]:
        """Add a claim, or replace the receipt's earlier one.

        Return what it gets, and the grants of others that changed.
        """
        at, known = self._find(claim.place)
        own = _serve(claim, self._given_before(at))
        self._served[at : at + known] = [own]
        return {claim.receipt_id: own.grant, **self._serve_from(at + 1)}

    def remove(self, claim: Claim) -> dict[UUID, Grant]:
        """Take a receipt's claim out; return the grants of others that changed."""
        at, known = self._find(claim.place)
        del self._served[at : at + known]
        return self._serve_from(at)

    def _find(self, place: tuple[datetime, int]) -> tuple[int, bool]:
        """Return where a claim is, or would be, and whether it is there."""
        at = bisect.bisect_left(self._served, place, key=_PLACE)
        return at, at < len(self._served) and self._served[at].place == place

    def _given_before(self, at: int) -> _Given:
        return self._served[at - 1].given if at else _NOTHING

    def _serve_from(self, at: int) -> dict[UUID, Grant]:
        """Serve claims from ``at`` on, until one leaves behind it what it left before."""
        changed: dict[UUID, Grant] = {}
        given = self._given_before(at)
        for place in range(at, len(self._served)):
            was = self._served[place]
            now = self._served[place] = _serve(was.claim, given)
            if now.grant != was.grant:
                changed[now.claim.receipt_id] = now.grant
            if now.given == was.given:
                break
            given = now.given
        return changed
