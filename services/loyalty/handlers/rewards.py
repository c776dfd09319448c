"""Rewards: what there is, what a member may take, and how many there are of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain import gift_cards, rewards, stock
from services.loyalty.domain.rewards import Hindrance, Price, Reward, Taker
from services.loyalty.domain.spending import Spend
from services.loyalty.domain.stock import Stock
from services.loyalty.handlers import enrol
from services.loyalty.store import members, reads, spends
from services.loyalty.store import rewards as store
from shared.db import Tx
from shared.errors import Refused


@dataclass(frozen=True, slots=True)
class Offered:
    """A reward of the version in force, and how many there are."""

    version: str
    reward: Reward
    stock: Stock


@dataclass(frozen=True, slots=True)
class Considered:
    """A reward as one member sees it."""

    offered: Offered
    taken: int
    """How many they have, in the period that its limit counts."""
    points_missing: int
    hindrances: Sequence[Hindrance]
    """What keeps it from them beside points."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """What there is for a member, and what they have taken, the newest first."""

    considered: Sequence[Considered]
    taken: Sequence[Spend]


async def catalogue(tx: Tx, context: LoyaltyContext) -> list[Offered]:
    """Return the rewards of the version in force that have not ended, in its order."""
    now = context.clock.now()
    programme = await context.rules.follow(tx)
    version = programme.in_force(now)
    if version is None or not version.rewards:
        return []
    stocks = await store.load_all(tx)
    return [
        Offered(version.version, one, stocks.get(one.reward_id, Stock()))
        for one in version.rewards
        if not one.has_ended(now)
    ]


async def shelf(tx: Tx, member_id: UUID, context: LoyaltyContext) -> Shelf:
    """Return each reward with what keeps it from a member; 404 for nobody's id."""
    await enrol.get(tx, member_id)
    offered = await catalogue(tx, context)
    account = await reads.load_account(tx, member_id)
    taken = await spends.load_rewards(tx, member_id)
    taker = Taker(account.tier, taken, context.clock.now())
    zone = context.programme.time_zone
    considered = [
        Considered(
            offered=one,
            taken=rewards.taken_now(one.reward, taker, zone),
            points_missing=max(0, one.reward.points - account.available),
            hindrances=[
                *rewards.hindrances(one.reward, taker, zone),
                *stock.out_of_stock(one.stock),
            ],
        )
        for one in offered
    ]
    return Shelf(considered, taken)


async def price(
    tx: Tx, reward_id: str, member_id: UUID, taker: Taker, *, context: LoyaltyContext
) -> Price:
    """Return what a reward costs by the version in force at ``taker.now``.

    The member's account is locked, so that what they have taken stays as it is. Raises
    ``Refused``: 404 for a reward that there is not, 409 for one that is not for them now.
    """
    enrol.active(await members.load(tx, member_id))
    programme = await context.rules.follow(tx)
    version = programme.in_force(taker.now)
    reward = version.reward(reward_id) if version else None
    if version is None or reward is None:
        raise _unknown()
    for hindrance in rewards.hindrances(reward, taker, programme.time_zone):
        raise _refused(hindrance)
    money = reward.amount_minor if reward.kind == "gift_card" else None
    if money is not None:
        gift_cards.check_limit(money, context.gift_terms)
    return Price(reward.points, reward_id, version.version, gift_card_minor=money)


async def must_be_in_stock(tx: Tx, reward_id: str) -> None:
    """Lock the stock of a reward; ``Refused`` (409) where nothing is left.

    Lock the member's account before. What takes a piece waits here for whoever took the last one,
    and for nothing that comes after.
    """
    for hindrance in stock.out_of_stock(await store.lock(tx, reward_id)):
        raise _refused(hindrance)


async def set_stock(tx: Tx, reward_id: str, pieces: int | None, context: LoyaltyContext) -> Stock:
    """Say how many pieces there are altogether, those that members have included.

    404 for a reward that no published version has. The same again changes nothing.
    """
    programme = await context.rules.follow(tx, at_once=True)
    if not any(version.reward(reward_id) for version in programme.versions):
        raise _unknown()
    return await store.set_stock(tx, reward_id, pieces)


def _refused(hindrance: Hindrance) -> Refused:
    again_at = hindrance.again_at and hindrance.again_at.isoformat()
    return Refused(hindrance.code, hindrance.words, again_at=again_at)


def _unknown() -> Refused:
    return Refused("reward_unknown", "There is no such reward.", status=404)
