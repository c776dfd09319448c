"""What one attempt to send came to, and what follows from it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from services.notify.domain import matrix

Verdict = Literal["accepted", "delayed", "refused", "address_refused", "uncertain"]
State = Literal["queued", "sent", "unknown", "failed"]

ATTEMPTS_MAX = 10
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=2)
SERVICE_UNCERTAIN_MAX = 2
"""A service message is sent once more when nobody knows whether it left; never a third time."""


@dataclass(frozen=True, slots=True)
class Result:
    """The other side's answer, in its own words."""

    verdict: Verdict
    """``delayed``: surely not taken, may be tried again. ``uncertain``: it may have been taken."""
    detail: str


@dataclass(frozen=True, slots=True)
class Tally:
    """How often a message was tried, the attempt in question included."""

    attempts: int
    uncertain: int


@dataclass(frozen=True, slots=True)
class Next:
    """The message's next state; ``pause`` when it stays queued."""

    state: State
    reason: str | None = None
    pause: timedelta = timedelta()


def pause_after(attempts: int, jitter: float) -> timedelta:
    """Return how long to wait: doubling, bounded, spread by ``jitter`` in [0, 1)."""
    full = min(FIRST_PAUSE * 2 ** min(attempts - 1, 20), LONGEST_PAUSE)
    return full * (0.5 + jitter / 2)


def after(result: Result, topic: matrix.Topic, tally: Tally, *, jitter: float) -> Next:
    """Return what becomes of a message after an attempt.

    Marketing that may have left is never sent again: silence is better than twice. A service
    message (a receipt, a security notice) is sent once more: twice is better than never.
    """
    if result.verdict == "accepted":
        return Next("sent")
    if result.verdict == "address_refused":
        return Next("failed", "address_refused")
    if result.verdict == "refused":
        return Next("failed", "refused")
    if result.verdict == "uncertain":
        again = matrix.purpose_of(topic) == "service" and tally.uncertain < SERVICE_UNCERTAIN_MAX
        if not again:
            return Next("unknown", "outcome_unknown")
    elif tally.attempts >= ATTEMPTS_MAX:
        return Next("failed", "gave_up")
    return Next("queued", "retry", pause_after(tally.attempts, jitter))
