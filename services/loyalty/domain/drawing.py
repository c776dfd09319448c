"""A member's lots, drawn by the terms of the programme from all facts that there are."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.loyalty.domain import lots
from services.loyalty.domain.lots import Drawn, Lot
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.spending import Spend


class Drawing(NamedTuple):
    """What has become of a member's points."""

    drawn: Mapping[UUID, Drawn]
    owed: int
    lost: int
    """What the programme bears."""


def draw(
    known: Iterable[Lot], spends: Iterable[Spend], programme: Programme, as_of: datetime
) -> Drawing:
    """Return what has become of all lots of a member at ``as_of``.

    Whether a shortfall is owed or lost is decided by the rules in force when the points were
    taken, whenever it shows.
    """
    takes = [spend.take(forgiven=programme.forgives(spend.at)) for spend in spends if spend.taken]
    return Drawing(*lots.draw(known, takes, as_of))
