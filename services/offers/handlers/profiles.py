"""A member's profile and what to recommend, from the sums."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.offers.context import OffersContext
from services.offers.domain import ranking
from services.offers.domain.habits import Habit
from services.offers.domain.ranking import Candidate, Ranked
from services.offers.store import candidates, reference
from shared.db import Tx
from shared.errors import Refused

HABITS_READ = 100
POPULAR_READ = 200
PROFILE_THINGS = 20


@dataclass(frozen=True, slots=True)
class Profile:
    """What one member usually does. ``total`` is None before the first purchase."""

    member_id: UUID
    now: datetime
    total: Habit | None
    products: list[Candidate]
    categories: list[Habit]


async def require_member(tx: Tx, member_id: UUID, *, known: bool = False) -> None:
    """Refuse unless the member is in the programme; ``known`` says that we have their facts.

    A member whose first purchase overtook their enrolment (two topics) is known by the purchase.
    """
    status = await reference.load_member_status(tx, member_id)
    if status == "erased" or (status is None and not known):
        raise Refused("member_not_found", "There is no such member.", status=404)


async def load_profile(tx: Tx, member_id: UUID, context: OffersContext) -> Profile:
    """Return the weightiest products and categories with their intervals."""
    totals = await candidates.load_totals(tx, [member_id])
    await require_member(tx, member_id, known=member_id in totals)
    found = await candidates.list_habits(tx, [member_id], scope=context.scope, limit=HABITS_READ)
    products = sorted(found.get(member_id, []), key=_weightiest_first)
    categories = await candidates.list_category_habits(
        tx, member_id, scope=context.scope, limit=PROFILE_THINGS
    )
    return Profile(member_id, context.clock.now(), totals.get(member_id), products, categories)


def _weightiest_first(candidate: Candidate) -> tuple[float, str]:
    return (-candidate.habit.weight if candidate.habit else 0.0, candidate.sku)


async def recommend(tx: Tx, member_id: UUID, *, k: int, context: OffersContext) -> list[Ranked]:
    """Return the ``k`` things the member is likeliest to want next; new members get the popular."""
    totals = await candidates.load_totals(tx, [member_id])
    await require_member(tx, member_id, known=member_id in totals)
    found = await candidates.list_habits(tx, [member_id], scope=context.scope, limit=HABITS_READ)
    mine = found.get(member_id, [])
    bought = {candidate.sku for candidate in mine}
    popular = await candidates.list_popular(tx, scope=context.scope, limit=POPULAR_READ)
    # What they bought too rarely to be among the weightiest must not be called new to them.
    rarely = await candidates.list_bought(tx, [member_id], [one.sku for one in popular])
    bought |= {sku for _, sku in rarely}
    fresh = [candidate for candidate in popular if candidate.sku not in bought]
    total = totals.get(member_id)
    return ranking.rank([*mine, *fresh], visits_weight=total.weight if total else 0.0, k=k)
