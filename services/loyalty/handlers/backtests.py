"""A draft against the receipts of the last weeks, read from their topic; nothing is written."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, cast

from services.loyalty.context import LoyaltyContext
from services.loyalty.domain.backtest import Backtest, Outcome
from services.loyalty.domain.considered import NOBODY
from services.loyalty.domain.receipts import ReceiptEvent, ReceiptRevision
from services.loyalty.handlers import programmes, who
from shared.contracts.structs import Unreadable
from shared.contracts.topics import TOPICS, Topic
from shared.errors import Refused
from shared.kafka import history
from shared.kafka.client import ConsumerRecord

TOPIC = "purchases"
WEEKS_MAX = 52
WITHIN_S = 60.0
PIECE = 50
"""Receipts that are settled twice before others have their turn."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where a back-test ends, however much there is."""

    events: int = 500_000
    """Some 500 bytes of each receipt are kept until the end: 250 MB at the most."""
    within_s: float = WITHIN_S


BOUNDS = Bounds()


@dataclass(frozen=True, slots=True)
class Report:
    """What a back-test found, and of what."""

    version: str
    since: datetime
    until: datetime
    events: int
    unreadable: int
    stopped_by: Literal["events", "time"] | None
    """Which bound ended it early; None where all of the topic's receipts were read."""
    outcome: Outcome
    liability_difference_minor: int
    """What the points that are issued more, or less, are worth."""


async def backtest(
    context: LoyaltyContext,
    version: str,
    weeks: int,
    *,
    bounds: Bounds = BOUNDS,
    topic: str = TOPIC,
) -> Report:
    """Settle the receipts of the last ``weeks`` by the draft and by the rules of their day.

    One at a time in a process. Raises ``Unavailable`` while Kafka is away.
    """
    if context.backtests.locked():
        detail = "Another back-test runs in this process."
        raise Refused("backtest_running", detail, retry_after_s=WITHIN_S)
    async with context.backtests:
        async with context.db.transaction() as tx:
            draft = await programmes.load_version(tx, version, context)
        now = context.clock.now()
        run = _Run(Backtest(context.programme, draft, now - timedelta(weeks=weeks), now), topic)
        stopped_by = await run.read(context, bounds)
        # Of many receipts it takes seconds: beside the loop, which has others to serve.
        outcome = await asyncio.to_thread(run.work.outcome)
        worth = context.programme.value_minor
        return Report(
            version=version,
            since=run.work.since,
            until=now,
            events=run.events,
            unreadable=run.unreadable,
            stopped_by=stopped_by,
            outcome=outcome,
            liability_difference_minor=worth(outcome.after) - worth(outcome.before),
        )


@dataclass(slots=True)
class _Run:
    work: Backtest
    topic: str
    events: int = 0
    unreadable: int = 0

    async def read(
        self, context: LoyaltyContext, bounds: Bounds
    ) -> Literal["events", "time"] | None:
        """Read to the end or to a bound; return which."""
        deadline = asyncio.get_running_loop().time() + bounds.within_s
        topic = TOPICS[self.topic]
        source = history.read_since(
            context.settings.kafka_bootstrap_servers, topic.name, self.work.since
        )
        async with aclosing(source) as batches:
            async for records in batches:
                receipts = self._take(topic, records[: bounds.events - self.events])
                found = await who.look_at(context, receipts) if self.work.personal else {}
                for at in range(0, len(receipts), PIECE):
                    for one in receipts[at : at + PIECE]:
                        self.work.count(one, found.get(one.receipt_id, NOBODY))
                    await asyncio.sleep(0)
                if self.events >= bounds.events:
                    return "events"
                if asyncio.get_running_loop().time() >= deadline:
                    return "time"
        return None

    def _take(self, topic: Topic, records: "Sequence[ConsumerRecord]") -> list[ReceiptRevision]:
        receipts: list[ReceiptRevision] = []
        for record in records:
            self.events += 1
            try:
                event = topic.read(record.value or b"")
            except Unreadable:
                self.unreadable += 1
                continue
            receipts.append(cast("ReceiptEvent", event).data)
        return receipts
