"""What a rule is, and how all of them are tried."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from perennial_client.check.exchange import Broken, Exchange

if TYPE_CHECKING:
    from perennial_client.check.till import Till

Try = Callable[["Till"], Awaitable[None]]
Outcome = Literal["pass", "fail", "skip"]

RULES: dict[str, "Rule"] = {}
"""By id, in the order of the day."""


class NotTried(Exception):
    """The rule can not be tried here, and why; the server may or may not keep it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that a till may rely on: an id, a sentence, and the attempt to break it."""

    id: str
    sentence: str
    group: str
    attempt: Try


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one rule."""

    rule: Rule
    outcome: Outcome
    seconds: float
    why: str | None = None
    exchange: Exchange | None = None


def rule(rule_id: str, sentence: str) -> Callable[[Try], Try]:
    """Add the function below to the rules; its module is the group."""

    def add(attempt: Try) -> Try:
        if rule_id in RULES:
            raise ValueError(f"two rules are called {rule_id}")
        group = attempt.__module__.rpartition(".")[2]
        RULES[rule_id] = Rule(rule_id, sentence, group, attempt)
        return attempt

    return add


async def play(till: "Till", rules: Sequence[Rule]) -> AsyncIterator[Finding]:
    """Try each rule in turn."""
    for one in rules:
        began = time.monotonic()
        outcome: Outcome = "pass"
        why, exchange = None, None
        try:
            await one.attempt(till)
        except NotTried as reason:
            outcome, why = "skip", str(reason)
        except Broken as broken:
            outcome, why, exchange = "fail", str(broken), broken.exchange
        yield Finding(one, outcome, time.monotonic() - began, why, exchange)
