"""Rewards: what members get for points, and what keeps one from a member.

A reward is taken by a hold of its price, so that points, a piece of the stock and a place in the
member's limit come and go together: all three are taken while the hold takes points, and none of
them once it does not (``domain.stock`` has the pieces).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from services.loyalty.domain import periods
from services.loyalty.domain.spending import Spend
from shared import ids

Kind = Literal["product", "percent", "amount", "gift_card", "experience"]
Per = Literal["ever", "day", "month", "year"]


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``times`` for a member, ever or in a calendar period of the programme's zone."""

    times: int
    per: Per


@dataclass(frozen=True, slots=True)
class Reward:
    """What a version of the programme gives for points, and to whom."""

    reward_id: str
    title: str
    points: int
    kind: Kind
    sku: str | None = None
    percent: int | None = None
    amount_minor: int | None = None
    tiers: tuple[str, ...] = ()
    """Who may take it; everybody where none is named."""
    limit: Limit | None = None
    available_from: datetime | None = None
    available_until: datetime | None = None
    """The first instant at which it can not be taken any more."""

    def has_ended(self, now: datetime) -> bool:
        """Whether nobody can take it any more."""
        return self.available_until is not None and self.available_until <= now


class Price(NamedTuple):
    """What a hold takes, and for what."""

    points: int
    reward_id: str | None = None
    """None where points are spent as such."""
    programme_version: str | None = None
    """The rules that said so, of a reward."""
    gift_card_minor: int | None = None
    """What the gift card has that the reward is; None for any other."""


class Hindrance(NamedTuple):
    """Why a member can not take a reward now."""

    code: str
    """That of the problem which a hold would get."""
    words: str
    again_at: datetime | None = None
    """From when on it would not hinder any more, where time alone decides."""


@dataclass(frozen=True, slots=True)
class Taker:
    """What decides about a member who wants a reward."""

    tier: str | None
    spends: Iterable[Spend]
    """All that takes something from them."""
    now: datetime


def hindrances(reward: Reward, taker: Taker, zone: ZoneInfo) -> Iterator[Hindrance]:
    """Yield what keeps a reward from a member, points and stock aside."""
    now = taker.now
    if reward.available_from is not None and now < reward.available_from:
        words = "It can not be taken yet."
        yield Hindrance("reward_not_available", words, reward.available_from)
    if reward.has_ended(now):
        yield Hindrance("reward_not_available", "It can not be taken any more.")
    if reward.tiers and taker.tier not in reward.tiers:
        yield Hindrance("reward_tier", f"It is for {' and '.join(reward.tiers)} only.")
    limit = reward.limit
    if limit is not None and taken_now(reward, taker, zone) >= limit.times:
        yield Hindrance("reward_limit", _reached(limit), _again_at(limit.per, now, zone))


def taken_now(reward: Reward, taker: Taker, zone: ZoneInfo) -> int:
    """Return how many a member has of a reward in the period that its limit counts, or ever."""
    per = reward.limit.per if reward.limit else "ever"
    current = _number(per, taker.now, zone)
    return sum(
        one.reward_id == reward.reward_id
        and one.taken > 0
        and _number(per, one.at, zone) == current
        for one in taker.spends
    )


def gift_card_of(spend: Spend) -> UUID | None:
    """Return the id of the gift card that a captured reward became; None where it is none.

    It follows from the hold, so that there can never be a second card for one.
    """
    if spend.gift_card_minor is None or spend.state != "captured":
        return None
    return ids.derived_id(spend.spend_id, "gift_card")


def _reached(limit: Limit) -> str:
    times = "once" if limit.times == 1 else f"{limit.times} times"
    return f"It can be taken {times}{'' if limit.per == 'ever' else f' a {limit.per}'}."


def _number(per: Per, at: datetime, zone: ZoneInfo) -> int:
    """Return the number of the period that a time lies in."""
    return periods.number(per, at.astimezone(zone).date())


def _again_at(per: Per, now: datetime, zone: ZoneInfo) -> datetime | None:
    if per == "ever":
        return None
    return periods.bounds(per, _number(per, now, zone), zone)[1]
