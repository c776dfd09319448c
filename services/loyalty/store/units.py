"""What one request does to the books, written in one statement.

A batch appends by COPY, table by table; for a hold or its capture, the journeys to the server would
take longer than all else. The parts touch different tables, so their order does not matter.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, compress
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from services.loyalty.domain.accounts import MemberState
from services.loyalty.domain.lots import Drawn, Lot
from services.loyalty.domain.spending import Spend
from services.loyalty.store import ledger, lots, spends, tables
from shared.db import Tx, bulk
from shared.db.outbox import TRACED
from shared.db.plumbing import outbox


def _set(columns: Iterable[str], source: str) -> str:
    return ", ".join(f"{name} = {source}.{name}" for name in columns)


def _insert(table: sa.Table, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table.name} ({', '.join(columns)}) SELECT * FROM {{rows}}"  # noqa: S608  constants


def _update(table: sa.Table, columns: Sequence[str], key: Sequence[str]) -> str:
    same = " AND ".join(f"{table.name}.{name} = after.{name}" for name in key)
    values = _set(columns[len(key) :], "after")
    return f"UPDATE {table.name} SET {values} FROM {{rows}} WHERE {same}"  # noqa: S608  constants


_UPSERT = f" ON CONFLICT (spend_id) DO UPDATE SET {_set(spends.COLUMNS[1:], 'excluded')}"
_PARTS = (
    (tables.entry, ledger.ENTRY_COLUMNS, _insert(tables.entry, ledger.ENTRY_COLUMNS)),
    (
        tables.account,
        ledger.ACCOUNT_COLUMNS,
        _update(tables.account, ledger.ACCOUNT_COLUMNS, ["member_id"]),
    ),
    (tables.lot, lots.COLUMNS, _update(tables.lot, lots.COLUMNS, ["member_id", "lot_id"])),
    (tables.spend, spends.COLUMNS, _insert(tables.spend, spends.COLUMNS) + _UPSERT),
    (outbox, TRACED, _insert(outbox, TRACED)),
)


@cache
def _statement(present: tuple[bool, ...]) -> str:
    """Return the statement of the parts that there are rows for; each of their columns is an array.

    A hold and its capture differ in them, and little else is written so: a few texts in all.
    """
    number = 0
    parts: list[str] = []
    for table, columns, text in compress(_PARTS, present):
        kinds = [table.c[name].type.compile(dialect=postgresql.dialect()) for name in columns]
        arrays = [f"${number + at}::{kind}[]" for at, kind in enumerate(kinds, 1)]
        rows = f"unnest({', '.join(arrays)}) AS after ({', '.join(columns)})"
        parts.append(f"{table.name}_part AS ({text.format(rows=rows)})")
        number += len(columns)
    return f"WITH {', '.join(parts)} SELECT"


@dataclass(frozen=True, slots=True)
class Unit:
    """What is written together."""

    entries: Collection[Sequence[Any]]
    """Rows of ``ledger.entry_rows``, which brings the accounts' chains up to date."""
    members: Mapping[UUID, MemberState]
    lots: Sequence[tuple[Lot, Drawn]]
    """Those that are there already, and changed."""
    spends: Sequence[Spend]
    """New ones, and those that changed."""
    told: Collection[Sequence[Any]]
    """Rows of ``outbox.rows``."""


async def write(tx: Tx, unit: Unit) -> None:
    """Append entries and events, write over accounts and lots, and insert or write over spends."""
    parts = (
        _columns(unit.entries),
        ledger.account_columns(unit.members),
        _columns([lots.as_row(*one) for one in unit.lots]),
        _columns([spends.as_row(one) for one in unit.spends]),
        _columns(unit.told),
    )
    text = _statement(tuple(map(bool, parts)))
    await (await bulk.driver(tx)).execute(text, *chain.from_iterable(parts))


def _columns(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
