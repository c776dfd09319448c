"""What the programme owes its members at the end of a day, and whether the day's books close."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, NamedTuple, get_args

from services.loyalty.domain.accounts import (
    ADJUSTED,
    AVAILABLE,
    BREAKAGE,
    DEBT,
    HELD,
    ISSUED,
    LOSS,
    MERGED,
    OPENING,
    OUTSTANDING,
    PENDING,
    REDEEMED,
)

Kind = Literal[
    "opening_lots",
    "issued",
    "returned",
    "redeemed",
    "restored",
    "expired",
    "expiry_corrected",
    "adjusted_up",
    "adjusted_down",
    "written_off",
    "merged",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

_GIVES: Mapping[str, Kind] = {
    OPENING: "opening_lots",
    ISSUED: "issued",
    REDEEMED: "restored",
    BREAKAGE: "expiry_corrected",
    ADJUSTED: "adjusted_up",
    LOSS: "written_off",
    MERGED: "merged",
}
"""What it is called if a member gets points from that account of the programme."""
_TAKES: Mapping[str, Kind] = {
    ISSUED: "returned",
    REDEEMED: "redeemed",
    BREAKAGE: "expired",
    ADJUSTED: "adjusted_down",
    MERGED: "merged",
    LOSS: "written_off",
}
"""And if the account gets them from a member."""

AGES_DAYS = (0, 30, 90, 180, 365)
"""Where each span of ages begins; the last has no end."""
ENDED_LOTS_MIN = 100
"""Fewer lots than that say nothing about the next."""
CONFIDENCE = 0.95


class Flow(NamedTuple):
    """What all members together moved from one account to another."""

    from_account: str
    to_account: str
    during: int
    """Points on the day itself."""
    since: int
    """And after it, until now."""


@dataclass(frozen=True, slots=True)
class Balances:
    """The accounts of all members together."""

    available: int
    pending: int
    held: int
    debt: int
    """Positive: what members owe."""

    @property
    def outstanding(self) -> int:
        """Return what the programme owes: what members have, less what they owe."""
        return self.available + self.pending + self.held - self.debt


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the ledger."""

    opening: Balances
    movements: Mapping[Kind, int]
    """Each kind with what it added to what is owed; negative took from it, and "merged" is 0: what
    came to one member had gone from another."""
    closing: Balances
    closes: bool
    """Whether opening and movements make the closing, with no account that nobody knows and no
    balance that can not be."""


def close_day(now: Balances, flows: Iterable[Flow]) -> Day:
    """Return a day from the balances as they are now, going back over what moved since.

    That reads what was posted since then, and not all years before.
    """
    moved = list(flows)
    closing = {AVAILABLE: now.available, PENDING: now.pending, HELD: now.held, DEBT: -now.debt}
    for flow in moved:
        _undo(closing, flow, flow.since)
    opening = dict(closing)
    for flow in moved:
        _undo(opening, flow, flow.during)
    movements: dict[Kind, int] = dict.fromkeys(KINDS, 0)
    for flow in moved:
        if kind := _kind(flow):
            sign = 1 if flow.to_account in OUTSTANDING else -1
            movements[kind] += sign * flow.during
    before, after = _balances(opening), _balances(closing)
    adds_up = before.outstanding + sum(movements.values()) == after.outstanding
    possible = min(*_parts(before), *_parts(after)) >= 0
    balanced = movements["merged"] == 0
    return Day(before, movements, after, closes=adds_up and possible and balanced)


def _parts(balances: Balances) -> tuple[int, int, int, int]:
    """Return the four balances."""
    return balances.available, balances.pending, balances.held, balances.debt


def _undo(accounts: dict[str, int], flow: Flow, points: int) -> None:
    if flow.from_account in accounts:
        accounts[flow.from_account] += points
    if flow.to_account in accounts:
        accounts[flow.to_account] -= points


def _kind(flow: Flow) -> Kind | None:
    """Return what a movement is; None between accounts of members, and where nobody knows."""
    if flow.from_account in OUTSTANDING:
        return _TAKES.get(flow.to_account)
    return _GIVES.get(flow.from_account)


def _balances(accounts: Mapping[str, int]) -> Balances:
    return Balances(accounts[AVAILABLE], accounts[PENDING], accounts[HELD], -accounts[DEBT])


@dataclass(frozen=True, slots=True)
class History:
    """The lots that have ended so far, whatever was spent of them before."""

    lots: int
    points: int
    expired: int
    """Points that ended unspent."""
    squares: int
    """The squares of each member's points in these lots, added up."""


@dataclass(frozen=True, slots=True)
class Share:
    """The part of what is given out that ends unspent, with its interval."""

    share: float
    low: float
    high: float


def breakage(history: History) -> Share | None:
    """Return what part of the points ends unspent; None where too little has ended to say.

    The interval is Wilson's. Points of one member are spent or forgotten together, so it does not
    count points but members, each by its weight: n = (Σ points)² / Σ points² (Kish).
    """
    if history.lots < ENDED_LOTS_MIN or not history.squares:
        return None
    n = history.points**2 / history.squares
    share = history.expired / history.points
    return Share(share, *wilson(share, n))


def wilson(share: float, n: float) -> tuple[float, float]:
    """Return Wilson's score interval of a share among ``n``, at ``CONFIDENCE``.

    E. B. Wilson, Probable inference, the law of succession, and statistical inference (1927).
    """
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, middle - half), min(1.0, middle + half)
