"""How far members have come with their challenges."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.loyalty.domain.challenges import Counter
from services.loyalty.domain.progress import Key
from services.loyalty.store.award_tables import progress
from shared.db import Tx, bulk

_KEYS = bulk.Rows("wanted", {name: progress.c[name].type for name in Key._fields})
_COLUMNS = [progress.c[name] for name in (*Key._fields, "value", "reached_at", "begins_at")]
_LOAD = sa.select(*_COLUMNS).join(
    _KEYS.source,
    sa.and_(*(progress.c[name] == _KEYS.c[name] for name in Key._fields)),
)
_ROWS = bulk.Rows("after", {column.name: column.type for column in _COLUMNS})
_INSERT = insert(progress).from_select(
    [column.name for column in _COLUMNS],
    sa.select(*(_ROWS.c[column.name] for column in _COLUMNS)),
)
_UPSERT = _INSERT.on_conflict_do_update(
    index_elements=list(Key._fields),
    set_={name: _INSERT.excluded[name] for name in ("value", "reached_at", "begins_at")},
)


async def load(tx: Tx, keys: Collection[Key]) -> dict[Key, Counter]:
    """Return those periods that something counted in; their members' accounts are locked."""
    columns = zip(Key._fields, map(list, zip(*keys, strict=True)), strict=True)
    return _counters(await tx.execute(_LOAD, _KEYS.values(dict(columns))))


async def load_all(tx: Tx, pairs: Collection[tuple[UUID, str]]) -> dict[Key, Counter]:
    """Return all periods of those members in those challenges."""
    wanted = bulk.unnest(
        "wanted",
        {
            "member_id": (sa.Uuid(), [member_id for member_id, _ in pairs]),
            "rule": (sa.Text(), [rule for _, rule in pairs]),
        },
    )
    statement = sa.select(*_COLUMNS).join(
        wanted,
        sa.and_(progress.c.member_id == wanted.c.member_id, progress.c.rule == wanted.c.rule),
    )
    return _counters(await tx.execute(statement))


async def write(tx: Tx, counters: Mapping[Key, Counter]) -> None:
    """Write periods as they are now."""
    # In one order, lest two that write the same rows wait for each other.
    rows = [
        (*key, one.value, one.reached_at, one.begins_at) for key, one in sorted(counters.items())
    ]
    names = [column.name for column in _COLUMNS]
    columns = zip(names, map(list, zip(*rows, strict=True)), strict=True)
    await tx.execute(_UPSERT, _ROWS.values(dict(columns)))


def _counters(rows: "sa.CursorResult[Any]") -> dict[Key, Counter]:
    return {
        Key(row.member_id, row.rule, row.period): Counter(row.value, row.reached_at, row.begins_at)
        for row in rows
    }
