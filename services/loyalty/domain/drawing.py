"""A member's lots, drawn by the terms of the programme from all facts that there are."""

import itertools
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from services.loyalty.domain import inactivity, lots
from services.loyalty.domain.accounts import MemberState
from services.loyalty.domain.lots import Drawn, Lot
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.spending import Spend


class Drawing(NamedTuple):
    """What has become of a member's points."""

    lots: Mapping[UUID, Lot]
    """All lots, each with its end as far as that is known."""
    drawn: Mapping[UUID, Drawn]
    owed: int
    lost: int
    """What the programme bears."""


def draw(
    known: Iterable[Lot],
    spends: Collection[Spend],
    visits: Iterable[datetime],
    *,
    programme: Programme,
    as_of: datetime,
) -> Drawing:
    """Return what has become of all lots of a member at ``as_of``.

    ``visits`` are the times of the receipts that gave points. Whether a shortfall is owed or lost
    is decided by the rules in force when the points were taken, whenever it shows. What came with
    a merge was owed by those rules already, and stays so.
    """
    ending = with_ends(known, spends, visits, programme.time_zone)
    takes = [
        one.take(forgiven=not one.is_debt and programme.forgives(one.at))
        for one in spends
        if one.taken
    ]
    return Drawing({lot.lot_id: lot for lot in ending}, *lots.draw(ending, takes, as_of))


def is_last(member: MemberState, at: datetime) -> bool:
    """Whether what is taken at ``at`` comes after all that was drawn, and from what is left alone.

    Not so where the next lot that begins would pay a debt, where what is taken moves the end of
    lots, and where lots are drawn up to another time, that of a merge.
    """
    apart = member.debt or member.idle_at is not None or member.merge is not None
    return not apart and (member.drawn_at is None or member.drawn_at <= at)


def draw_left(
    left: Mapping[UUID, tuple[Lot, Drawn]], spends: Iterable[Spend], *, as_of: datetime, lost: int
) -> Drawing:
    """Return what becomes of lots with something left, if ``spends`` come after all others.

    That is the last step of ``draw``: what was drawn is posted, and what begins, ends or is taken
    after it finds what it left. What was lost stays lost, since no lot that begins later serves it.
    """
    rest = [lot._replace(points=drawn.remaining) for lot, drawn in left.values()]
    takes = [spend.take(forgiven=False) for spend in spends]
    drawn, owed, _ = lots.draw(rest, takes, as_of)
    return Drawing({lot_id: lot for lot_id, (lot, _) in left.items()}, drawn, owed, lost)


def with_ends(
    known: Iterable[Lot], spends: Iterable[Spend], visits: Iterable[datetime], zone: ZoneInfo
) -> list[Lot]:
    """Return lots with their ends: what is earned and what is spent keeps some of them alive."""
    times = itertools.chain(visits, (one.at for one in spends if one.is_activity))
    return list(inactivity.with_ends(known, times, zone))
