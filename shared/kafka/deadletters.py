"""Dead letters: what could not be applied, what waits behind it, and the ways out.

One row of ``parked_key`` per parked key is locked by the consumer loop and by replay alike, so an
event is either parked before the replay drains its key, or applied after it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shared.contracts.envelope import Event
from shared.contracts.structs import Unreadable
from shared.contracts.topics import TOPICS
from shared.db import Database, Tx, bulk, outbox
from shared.db.plumbing import dead_letter, inbox, parked_key
from shared.errors import Malformed, Refused
from shared.service import Context, Service

REPLAY_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Letter:
    """One row of ``dead_letter``. ``value`` holds the record's original bytes."""

    id: UUID
    topic: str
    partition: int
    kafka_offset: int
    key: bytes | None
    event_id: UUID | None
    event_type: str | None
    state: str
    reason: str
    detail: str
    attempts: int
    value: bytes | None
    created_at: datetime | None = None
    closed_at: datetime | None = None

    def summary(self) -> dict[str, Any]:
        """Return everything but the payload, which may hold personal data."""
        shown = asdict(self)
        del shown["value"]
        shown["key"] = self.key.decode(errors="replace") if self.key is not None else None
        return shown


_COLUMNS = [
    getattr(dead_letter.c, name)
    for name in Letter.__dataclass_fields__  # the table's columns bear the same names
]


async def append(tx: Tx, group: str, letters: Sequence[Letter]) -> None:
    """Store letters, park their keys, and mirror the dead ones to ``<group>.dlq``."""
    rows = [
        {name: value for name, value in asdict(one).items() if not name.endswith("_at")}
        for one in letters
    ]
    await tx.execute(insert(dead_letter).on_conflict_do_nothing(), rows)
    keys = [
        {"topic": one.topic, "key": one.key}
        for one in letters
        if one.key is not None and one.state == "dead"
    ]
    if keys:
        await tx.execute(insert(parked_key).on_conflict_do_nothing(), keys)
    for one in letters:
        if one.state == "dead":
            headers = {
                "reason": one.reason,
                "position": f"{one.topic}/{one.partition}/{one.kafka_offset}",
                "attempts": str(one.attempts),
            }
            await outbox.append_original(
                tx, f"{group}.dlq", key=one.key, value=one.value, headers=headers
            )


async def known(tx: Tx, topic: str, partition: int, positions: Sequence[int]) -> set[int]:
    """Return those of ``positions`` that have a letter already, open or closed."""
    rows = await tx.execute(
        sa.select(dead_letter.c.kafka_offset).where(
            dead_letter.c.topic == topic,
            dead_letter.c.partition == partition,
            dead_letter.c.kafka_offset == sa.any_(bulk.array(sa.BigInteger(), positions)),
        )
    )
    return set(rows.scalars())


async def list_letters(
    tx: Tx, *, limit: int = 50, after: UUID | None = None, closed: bool = False
) -> list[Letter]:
    """Return open letters (or all of them) in the order of their ids."""
    statement = sa.select(*_COLUMNS).order_by(dead_letter.c.id).limit(limit)
    if not closed:
        statement = statement.where(dead_letter.c.closed_at.is_(None))
    if after is not None:
        statement = statement.where(dead_letter.c.id > after)
    return [Letter(*row) for row in await tx.execute(statement)]


async def load(tx: Tx, letter_id: UUID) -> Letter:
    """Return one letter; raises ``Refused`` (404) if there is none."""
    row = (
        await tx.execute(sa.select(*_COLUMNS).where(dead_letter.c.id == letter_id))
    ).one_or_none()
    if row is None:
        code, detail = "dead_letter_not_found", "There is no such dead letter."
        raise Refused(code, detail, status=404)
    return Letter(*row)


async def _lock(tx: Tx, letter: Letter) -> None:
    """Lock the letter's key against the consumer loop and other replays."""
    await tx.execute(
        sa.select(parked_key.c.key)
        .where(parked_key.c.topic == letter.topic, parked_key.c.key == letter.key)
        .with_for_update()
    )


async def _open_of_key(tx: Tx, letter: Letter) -> list[Letter]:
    """Return the open letters of the letter's key in offset order (or the one without a key)."""
    same = (
        dead_letter.c.id == letter.id
        if letter.key is None
        else sa.and_(dead_letter.c.topic == letter.topic, dead_letter.c.key == letter.key)
    )
    rows = await tx.execute(
        sa.select(*_COLUMNS)
        .where(same, dead_letter.c.closed_at.is_(None))
        .order_by(dead_letter.c.partition, dead_letter.c.kafka_offset)
        .limit(REPLAY_MAX + 1)
        .with_for_update()
    )
    found = [Letter(*row) for row in rows]
    if len(found) > REPLAY_MAX:
        code, detail = "too_many_parked", f"More than {REPLAY_MAX} events wait behind this key."
        raise Refused(code, detail)
    return found


def _parse(letters: Sequence[Letter]) -> list[Event]:
    try:
        return [TOPICS[one.topic].read(one.value or b"") for one in letters]
    except Unreadable as error:
        code, detail = "still_malformed", "The record still does not parse; drop it, or upgrade."
        raise Refused(code, detail) from error


async def replay(db: Database, service: Service, letter_id: UUID, context: Context) -> int:
    """Apply a letter and everything parked behind its key, in order, in one transaction.

    Safe to repeat: what is closed already is not applied again. Returns how many were applied.
    Raises ``Refused`` if the events still can not be applied; nothing has changed then.
    """
    async with db.transaction() as tx:
        letter = await load(tx, letter_id)
        await _lock(tx, letter)
        waiting = await _open_of_key(tx, letter)
        if not waiting:
            return 0
        events = _parse(waiting)
        done = await _inbox_states(tx, [event.id for event in events])
        todo = {event.id: event for event in events if done.get(event.id) not in _DONE}
        try:
            await service.handlers[letter.topic](tx, list(todo.values()), context)
        except Malformed as error:
            code = "still_refused"
            raise Refused(code, error.detail, reason=error.code) from error
        await _mark_inbox(tx, list(todo), "applied")
        await _close(tx, [one.id for one in waiting], "replayed")
        await _unpark(tx, letter)
        return len(todo)


_DONE = frozenset({"applied", "dropped"})


async def drop(db: Database, letter_id: UUID) -> None:
    """Give one letter up for good; what is parked behind it stays, to be replayed next."""
    async with db.transaction() as tx:
        letter = await load(tx, letter_id)
        await _lock(tx, letter)
        if letter.closed_at is not None:
            return
        if letter.event_id is not None:
            await _mark_inbox(tx, [letter.event_id], "dropped")
        await _close(tx, [letter.id], "dropped")
        if letter.key is not None and not await _open_of_key(tx, letter):
            await _unpark(tx, letter)


async def _inbox_states(tx: Tx, event_ids: Sequence[UUID]) -> dict[UUID, str]:
    rows = await tx.execute(
        sa.select(inbox.c.event_id, inbox.c.state).where(
            inbox.c.event_id == sa.any_(bulk.array(sa.Uuid(), event_ids))
        )
    )
    return {row.event_id: row.state for row in rows}


async def _mark_inbox(tx: Tx, event_ids: Sequence[UUID], state: str) -> None:
    if not event_ids:
        return
    statement = insert(inbox)
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=["event_id"], set_={"state": statement.excluded.state}
        ),
        [{"event_id": event_id, "state": state} for event_id in event_ids],
    )


async def _close(tx: Tx, letter_ids: Sequence[UUID], state: str) -> None:
    await tx.execute(
        dead_letter.update()
        .where(dead_letter.c.id == sa.any_(bulk.array(sa.Uuid(), letter_ids)))
        .values(state=state, closed_at=sa.func.now())
    )


async def _unpark(tx: Tx, letter: Letter) -> None:
    """Delete the key's row last: a consumer that waits for it sees everything drained."""
    await tx.execute(
        parked_key.delete().where(
            parked_key.c.topic == letter.topic, parked_key.c.key == letter.key
        )
    )
