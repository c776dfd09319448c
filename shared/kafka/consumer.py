"""The consumer loop: poll, and give each partition's batch to one transaction.

Exactly once comes from Postgres: the inbox dedupes, and the offset moves by compare-and-set in
the transaction that applies the events. Kafka's group only shares the partitions out. aiokafka
rebalances in a background task (A11), so records in our hands may belong to another process
already; nothing here tries to prevent that, the compare-and-set fences it.

What ends how:
- the database is away, a deadlock, a timeout → seek back, pause that partition, poll on;
- data that can never be applied → bisect to the event, set it aside, park its key, go on;
- our bug → count the attempt, exit, be restarted; the fourth time bisect and set aside;
- the topic is not the one we know → stop for good (``Stopped``).
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import monotonic

from shared import log, metrics, telemetry
from shared.contracts.topics import TOPICS
from shared.db import Tx
from shared.db.retry import is_data_error, is_transient
from shared.errors import Malformed, Unavailable
from shared.kafka import batch, client, offsets, watchdog
from shared.kafka.batch import Batch, Item, Target
from shared.kafka.client import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from shared.kafka.offsets import Fenced, Position, Stopped
from shared.service import Context, Service

POLL_MS = 250
BUSY_WAIT_S = 0.02
RESTARTS_BEFORE_BISECT = 3
BUGS_IN_A_ROW_MAX = 20
PAUSE_FIRST_S = 0.1
PAUSE_MAX_S = 5.0
COMMIT_HINT_EVERY_S = 1.0

logger = log.get_logger(__name__)


class HandlerBug(Exception):
    """A handler failed in a way that nobody foresaw; the process ends and is restarted."""


@dataclass(slots=True)
class Held:
    """A partition that we hold: where it stands, and since when it waits."""

    position: Position
    failures: int = 0
    resume_at: float = 0.0
    progress_at: float = 0.0


class _Revocations(client.ConsumerRebalanceListener):
    """Lets go of what a rebalance takes, even if it gives the same back: positions are lost."""

    def __init__(self, held: dict[TopicPartition, Held]) -> None:
        self._held = held

    def on_partitions_revoked(self, revoked: "set[TopicPartition]") -> None:
        for tp in revoked:
            self._held.pop(tp, None)

    def on_partitions_assigned(self, assigned: "set[TopicPartition]") -> None:
        for tp in assigned:
            self._held.pop(tp, None)


class Consumer:
    """One member of a service's consumer group."""

    def __init__(self, service: Service, context: Context) -> None:
        """Prepare; ``run`` does the work."""
        self._service = service
        self._context = context
        self._settings = context.settings
        self._held: dict[TopicPartition, Held] = {}
        self._work: dict[TopicPartition, asyncio.Task[None]] = {}
        self._cluster = ""
        self.ready = False
        self.applied = 0
        """Records that this process has settled so far."""

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until ``stop`` is set.

        Raises ``Stopped`` when a person has to look, ``HandlerBug`` and ``watchdog.Stalled`` when
        a fresh process may do better, and ``Unavailable`` when Kafka does not answer at the start.
        """
        settings = self._settings
        self._cluster = await client.cluster_id(settings.kafka_bootstrap_servers)
        async with client.group_consumer(
            settings.kafka_bootstrap_servers,
            self._service.name,
            session_timeout_ms=settings.consumer_session_timeout_ms,
        ) as consumer:
            topics = sorted(self._service.handlers)
            consumer.subscribe(topics, listener=_Revocations(self._held))
            watch = asyncio.create_task(self._watch())
            hints = asyncio.create_task(self._hint(consumer))
            try:
                while not stop.is_set():
                    for beside in (watch, hints):
                        if beside.done():
                            beside.result()
                    await self._turn(consumer)
            finally:
                watch.cancel()
                hints.cancel()
                await asyncio.gather(watch, hints, *self._work.values(), return_exceptions=True)
                await client.commit_hint(consumer, self._next_offsets())

    async def _turn(self, consumer: AIOKafkaConsumer) -> None:
        """Take over what is new, poll what is idle, start work on what came."""
        await self._take_over(consumer)
        self._resume(consumer)
        self._collect()
        idle = [tp for tp in self._held if tp not in self._work]
        busy = len(self._work)
        if busy >= self._settings.consumer_concurrency or (busy and not idle):
            await asyncio.wait(self._work.values(), return_when=asyncio.FIRST_COMPLETED)
            return
        if not idle:
            await asyncio.sleep(POLL_MS / 1_000)
            return
        polled = await consumer.getmany(
            *idle,
            timeout_ms=0 if busy else POLL_MS,
            max_records=self._settings.consumer_batch_max,
        )
        if not polled and busy:
            # Nothing new yet: wait for the work rather than spin beside it.
            await asyncio.wait(
                self._work.values(), timeout=BUSY_WAIT_S, return_when=asyncio.FIRST_COMPLETED
            )
        for tp, records in polled.items():
            if tp in self._held and records:
                work = self._apply(consumer, tp, self._held[tp], records)
                self._work[tp] = asyncio.create_task(work)

    def _collect(self) -> None:
        """Forget finished work; an error that must end the process surfaces here."""
        for tp in [tp for tp, task in self._work.items() if task.done()]:
            self._work.pop(tp).result()

    async def _take_over(self, consumer: AIOKafkaConsumer) -> None:
        """Seek newly assigned partitions to Postgres' offset, after checking the topic."""
        assigned = consumer.assignment()
        # Work of an earlier assignment may still move the offset; it is looked up after that.
        new = [tp for tp in assigned if tp not in self._held and tp not in self._work]
        if not new:
            self.ready = True
            return
        try:
            async with self._context.db.transaction() as tx:
                positions = await offsets.load(tx, new)
            await offsets.verify(self._settings.kafka_bootstrap_servers, self._cluster, positions)
        except Exception as error:
            if not isinstance(error, Unavailable) and not is_transient(error):
                raise
            logger.warning("take_over_waits", group=self._service.name, error=repr(error))
            await asyncio.sleep(PAUSE_FIRST_S + random.random())  # noqa: S311
            return
        for position in positions:
            tp = TopicPartition(position.topic, position.partition)
            # Revoked while we looked: the next turn sees the assignment as it is then.
            if tp in consumer.assignment():
                consumer.seek(tp, position.next_offset)
                self._held[tp] = Held(position, progress_at=monotonic())

    def _resume(self, consumer: AIOKafkaConsumer) -> None:
        """Let partitions go on whose pause is over."""
        paused = consumer.paused()
        for tp, held in self._held.items():
            if tp in paused and monotonic() >= held.resume_at:
                consumer.resume(tp)

    async def _apply(
        self,
        consumer: AIOKafkaConsumer,
        tp: TopicPartition,
        held: Held,
        records: "Sequence[ConsumerRecord[bytes, bytes]]",
    ) -> None:
        """Apply one partition's records; decide what an error means."""
        try:
            self._check_continuity(held.position, records)
            items = batch.parse(TOPICS[tp.topic], records)
            suspicious = held.position.attempts >= RESTARTS_BEFORE_BISECT
            causes = (batch.cause(record) for record in records)
            with telemetry.batch("process", tp.topic, causes, count=len(records)):
                await self._apply_or_bisect(held, items, suspicious=suspicious)
            self.applied += len(records)
            held.failures = 0
            held.progress_at = monotonic()
        except Fenced as fenced:
            # Somebody else has moved the offset. Look again where it stands, if it is still ours.
            metrics.fenced_total.labels(self._service.name).inc()
            logger.warning("fenced", group=self._service.name, detail=str(fenced))
            if self._held.get(tp) is held:
                del self._held[tp]
        except Exception as error:
            if not is_transient(error):
                raise
            self._pause(consumer, tp, held, error)

    def _check_continuity(
        self, position: Position, records: "Sequence[ConsumerRecord[bytes, bytes]]"
    ) -> None:
        """Refuse records that do not follow our offset: a reset, or a recreated topic (A15)."""
        first = records[0].offset
        gap_allowed = TOPICS[position.topic].compacted
        if first < position.next_offset or (first > position.next_offset and not gap_allowed):
            message = (
                f"{position.topic}/{position.partition}: expected offset {position.next_offset}, "
                f"got {first}; the topic was recreated or trimmed"
            )
            raise Stopped(message)

    def _pause(
        self, consumer: AIOKafkaConsumer, tp: TopicPartition, held: Held, error: Exception
    ) -> None:
        """Seek back and wait with growing, jittered pauses; the loop polls the others on."""
        held.failures += 1
        longest = min(PAUSE_FIRST_S * 2**held.failures, PAUSE_MAX_S)
        held.resume_at = monotonic() + random.uniform(longest / 2, longest)  # noqa: S311
        held.progress_at = held.resume_at
        logger.warning(
            "partition_paused",
            group=self._service.name,
            topic=tp.topic,
            partition=tp.partition,
            failures=held.failures,
            error=type(error).__name__,
        )
        if tp in consumer.assignment():
            consumer.seek(tp, held.position.next_offset)
            consumer.pause(tp)

    async def _apply_or_bisect(
        self, held: Held, items: Sequence[Item], *, suspicious: bool
    ) -> None:
        """Apply in one transaction; where the data is at fault, halve down to the event.

        ``suspicious``: this batch ended several processes, so a bug is its events' fault, too.
        """
        work = Batch(TOPICS[held.position.topic], held.position, items)
        try:
            async with self._context.db.transaction() as tx:
                applied = await batch.apply(tx, self._target(held.position.topic), work)
                await self._settle_attempts(tx, held, applied.position.next_offset, bugs=0)
        except Exception as error:  # noqa: BLE001  _reason raises what is not the data's fault
            reason = await self._reason(held, error, suspicious=suspicious)
            if len(items) > 1:
                for half in work.halves():
                    await self._apply_or_bisect(held, half, suspicious=suspicious)
                return
            await self._set_aside(held, work, reason, error)
        else:
            held.position = applied.position
            batch.count(self._service.name, work, applied)

    async def _settle_attempts(self, tx: Tx, held: Held, next_offset: int, *, bugs: int) -> None:
        """Carry the count of bugs in a row along, or end it; costs nothing where there is none."""
        if bugs or held.position.attempts or held.position.bugs_in_a_row:
            await offsets.set_bugs_in_a_row(tx, held.position, next_offset, bugs)

    async def _reason(self, held: Held, error: Exception, *, suspicious: bool) -> str:
        """Say why the batch's data is at fault, or let the error go on to who decides it."""
        if isinstance(error, Fenced) or is_transient(error):
            raise error
        if isinstance(error, Malformed):
            return error.code
        if is_data_error(error):
            return "refused_by_database"
        if suspicious:
            return "bug"
        async with self._context.db.transaction() as tx:
            attempts = await offsets.count_attempt(tx, held.position)
        message = f"{held.position.topic}/{held.position.partition}: attempt {attempts}"
        raise HandlerBug(message) from error

    async def _set_aside(self, held: Held, work: Batch, reason: str, error: Exception) -> None:
        """Dead-letter the one event of ``work`` and go on behind it."""
        bugs = held.position.bugs_in_a_row + 1 if reason == "bug" else 0
        if bugs > BUGS_IN_A_ROW_MAX:
            message = f"{bugs} events in a row failed by a bug; the last: {error!r}"
            raise Stopped(message) from error
        # The driver's message may quote values; only its kind is kept for those.
        detail = error.detail if isinstance(error, Malformed) else type(error).__name__
        poison = batch.letter(work, work.items[0], reason, detail)
        async with self._context.db.transaction() as tx:
            applied = await batch.apply(tx, self._target(held.position.topic), work, poison)
            await self._settle_attempts(tx, held, applied.position.next_offset, bugs=bugs)
        attempts = RESTARTS_BEFORE_BISECT if bugs else 0
        held.position = replace(applied.position, attempts=attempts, bugs_in_a_row=bugs)
        batch.count(self._service.name, work, applied)

    def _target(self, topic: str) -> Target:
        handler = self._service.handlers[topic]
        return Target(self._service.name, self._cluster, handler, self._context)

    def _next_offsets(self) -> dict[TopicPartition, int]:
        return {tp: held.position.next_offset for tp, held in self._held.items()}

    async def _hint(self, consumer: AIOKafkaConsumer) -> None:
        """Tell Kafka's lag tools how far we are; Postgres has the truth."""
        told: dict[TopicPartition, int] = {}
        while True:
            await asyncio.sleep(COMMIT_HINT_EVERY_S)
            now = self._next_offsets()
            moved = {tp: offset for tp, offset in now.items() if told.get(tp) != offset}
            await client.commit_hint(consumer, moved)
            told = now

    async def _watch(self) -> None:
        """Look from outside whether records wait that we do not get (A10)."""
        while True:
            await asyncio.sleep(self._settings.consumer_stall_s / 4)
            standing = {
                tp: (held.position.next_offset, held.progress_at) for tp, held in self._held.items()
            }
            level = await watchdog.check(
                self._settings.kafka_bootstrap_servers,
                self._service.name,
                standing,
                stall_s=self._settings.consumer_stall_s,
            )
            for tp in level & self._held.keys():
                self._held[tp].progress_at = monotonic()
