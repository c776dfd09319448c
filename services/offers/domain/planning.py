"""Which offers a campaign gives to whom, inside its budget."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Literal
from uuid import UUID

from services.offers.domain import ranking, terms
from services.offers.domain.ranking import Candidate

Kind = Literal["due", "habit", "discovery"]
Period = Literal["day", "week", "month"]


@dataclass(frozen=True, slots=True)
class CampaignTerms:
    """What a published campaign says, as far as planning needs it."""

    code: str
    title: str
    """Wording; ``{percent}`` and ``{name}`` are filled in."""
    currency: str
    k: int
    depth_percent: dict[Kind, int]
    validity: timedelta
    margin_floor_percent: int | None
    exclude_skus: frozenset[str]
    exclude_categories: frozenset[str]
    include_categories: frozenset[str]
    """Only these, where any are named."""


@dataclass(frozen=True, slots=True)
class Shopper:
    """A member as planning sees them. ``candidates``: what they buy, and popular things."""

    member_id: UUID
    visits_weight: float
    candidates: Sequence[Candidate]


@dataclass(frozen=True, slots=True)
class Draft:
    """One offer that would be issued. ``slot`` counts from 0 within the member."""

    member_id: UUID
    slot: int
    kind: Kind
    candidate: Candidate
    percent: int
    expected_cost_minor: int
    reason: str


def period_key(now: datetime, period: Period, zone: tzinfo) -> str:
    """Return the name of the local period of ``now``, such as ``2026-11-22`` or ``2026-W47``."""
    local = now.astimezone(zone)
    if period == "day":
        return local.date().isoformat()
    if period == "month":
        return f"{local.year:04}-{local.month:02}"
    year, week, _ = local.isocalendar()
    return f"{year:04}-W{week:02}"


def in_pool(campaign: CampaignTerms, candidate: Candidate) -> bool:
    """Whether the campaign may offer the candidate at all."""
    if candidate.sku in campaign.exclude_skus:
        return False
    if candidate.category in campaign.exclude_categories:
        return False
    return not campaign.include_categories or candidate.category in campaign.include_categories


def plan(campaign: CampaignTerms, shopper: Shopper, now: datetime) -> list[Draft]:
    """Return up to ``k`` offers for one member, best first.

    What is due now takes the first half of the slots (rounded up), habits the rest, and with
    two or more slots the last is one discovery. A kind that runs short leaves its slots to the
    next ranked. One product per category, so that a wallet is not five kinds of milk.
    """
    pool = [candidate for candidate in shopper.candidates if in_pool(campaign, candidate)]
    ranked = ranking.rank(pool, visits_weight=shopper.visits_weight)
    bought = [entry for entry in ranked if entry.candidate.habit is not None]
    due = [entry for entry in bought if entry.candidate.habit and entry.candidate.habit.is_due(now)]
    fresh = [entry for entry in ranked if entry.candidate.habit is None]
    discoveries = 1 if campaign.k > 1 and fresh else 0
    familiar = campaign.k - discoveries
    chosen = _Chosen(campaign, shopper, now)
    chosen.fill("due", due, upto=(familiar + 1) // 2)
    chosen.fill("habit", bought, upto=familiar)
    chosen.fill("discovery", fresh, upto=len(chosen.drafts) + discoveries)
    return chosen.drafts


class _Chosen:
    """The offers picked so far for one member."""

    def __init__(self, campaign: CampaignTerms, shopper: Shopper, now: datetime) -> None:
        self.drafts: list[Draft] = []
        self._campaign = campaign
        self._shopper = shopper
        self._now = now
        self._skus: set[str] = set()
        self._categories: set[str] = set()

    def fill(self, kind: Kind, ranked: Iterable[ranking.Ranked], *, upto: int) -> None:
        """Take from ``ranked`` until there are ``upto`` offers."""
        for entry in ranked:
            if len(self.drafts) >= upto:
                return
            candidate = entry.candidate
            if candidate.sku in self._skus or candidate.category in self._categories:
                continue
            depth = self._depth(kind, candidate)
            if depth < 1:
                continue
            self._skus.add(candidate.sku)
            if candidate.category is not None:
                self._categories.add(candidate.category)
            self.drafts.append(self._draft(kind, entry, depth))

    def _depth(self, kind: Kind, candidate: Candidate) -> int:
        """Return the campaign's depth, or the deepest that the margin floor allows."""
        depth = self._campaign.depth_percent[kind]
        floor_percent = self._campaign.margin_floor_percent
        price, cost = candidate.unit_price_minor, candidate.cost_minor
        if floor_percent is None or price is None or cost is None:
            return depth
        floor = terms.floor_price_minor(cost, 1000, floor_percent)
        return min(depth, 100 * (price - floor) // price) if price > 0 else 0

    def _draft(self, kind: Kind, entry: ranking.Ranked, depth: int) -> Draft:
        candidate, shopper = entry.candidate, self._shopper
        return Draft(
            member_id=shopper.member_id,
            slot=len(self.drafts),
            kind=kind,
            candidate=candidate,
            percent=depth,
            expected_cost_minor=expected_cost_minor(
                share=entry.score,
                visits=ranking.visit_rate_per_day(shopper.visits_weight, self._now)
                * (self._campaign.validity / timedelta(days=1)),
                spend_minor=candidate.usual_spend_minor,
                percent=depth,
            ),
            reason=ranking.reason(candidate, self._now),
        )


def title(campaign: CampaignTerms, draft: Draft) -> str:
    """Return the offer's title: the campaign's wording, filled in.

    Plain replacement, so that no wording can reach into our objects as a format string could.
    """
    name = ranking.in_words(draft.candidate.name)
    return campaign.title.replace("{percent}", str(draft.percent)).replace("{name}", name)


def expected_cost_minor(*, share: float, visits: float, spend_minor: int, percent: int) -> int:
    """Return the expected cost of one offer: probability of purchase · usual spend · depth.

    Rounded up and at least 1, so that a budget can never issue without end. It is the chance
    that the member buys anyway; that the offer itself makes them buy is left to later measuring.
    """
    probability = ranking.purchase_probability(share, visits)
    return max(1, math.ceil(probability * spend_minor * percent / 100))


def allocate(plans: Sequence[Sequence[Draft]], allowance_minor: int) -> list[Draft]:
    """Return the drafts that fit into ``allowance_minor``; their expected costs never exceed it.

    Round by round: everybody's first offer before anybody's second, by member id within a round.
    What does not fit is passed over; cheaper ones behind it may still fit.
    """
    drafts = [draft for member_plan in plans for draft in member_plan]
    chosen: list[Draft] = []
    left = allowance_minor
    for draft in sorted(drafts, key=lambda draft: (draft.slot, draft.member_id)):
        if draft.expected_cost_minor <= left:
            left -= draft.expected_cost_minor
            chosen.append(draft)
    return chosen
