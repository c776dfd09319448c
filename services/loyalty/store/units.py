"""What one request does to the books, written in one statement.

A batch appends by COPY, table by table; for a hold or its capture, the journeys to the server would
take longer than all else. The parts touch different tables, so their order does not matter.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.dialects import postgresql

from services.loyalty.domain.accounts import MemberState
from services.loyalty.domain.lots import Drawn, Lot
from services.loyalty.domain.spending import Spend
from services.loyalty.store import ledger, lots, spends, tables
from shared.db import Tx, bulk
from shared.db.outbox import TRACED
from shared.db.plumbing import outbox

_PARTS = (
    (tables.entry, ledger.ENTRY_COLUMNS),
    (tables.account, ledger.ACCOUNT_COLUMNS),
    (tables.lot, lots.COLUMNS),
    (tables.spend, spends.COLUMNS),
    (outbox, TRACED),
)


def _write() -> str:
    """Return the statement; each column of each part is one array."""
    number = 0
    rows: list[str] = []
    for table, columns in _PARTS:
        kinds = [table.c[name].type.compile(dialect=postgresql.dialect()) for name in columns]
        arrays = [f"${number + at}::{kind}[]" for at, kind in enumerate(kinds, 1)]
        rows.append(f"unnest({', '.join(arrays)}) AS after ({', '.join(columns)})")
        number += len(columns)
    entry, account, lot, spend, told = rows
    return f"""
        WITH entries AS (
            INSERT INTO entry ({", ".join(ledger.ENTRY_COLUMNS)}) SELECT * FROM {entry}
        ), accounts AS (
            UPDATE account SET {_set(ledger.ACCOUNT_COLUMNS[1:], "after")} FROM {account}
            WHERE account.member_id = after.member_id
        ), lots AS (
            UPDATE lot SET {_set(lots.COLUMNS[2:], "after")} FROM {lot}
            WHERE lot.member_id = after.member_id AND lot.lot_id = after.lot_id
        ), spends AS (
            INSERT INTO spend ({", ".join(spends.COLUMNS)}) SELECT * FROM {spend}
            ON CONFLICT (spend_id) DO UPDATE SET {_set(spends.COLUMNS[1:], "excluded")}
        )
        INSERT INTO outbox ({", ".join(TRACED)}) SELECT * FROM {told}
    """  # noqa: S608  constants


def _set(columns: Iterable[str], source: str) -> str:
    return ", ".join(f"{name} = {source}.{name}" for name in columns)


WRITE = _write()


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
    arrays = [
        *_columns(ledger.ENTRY_COLUMNS, unit.entries),
        *ledger.account_columns(unit.members),
        *_columns(lots.COLUMNS, [lots.as_row(*one) for one in unit.lots]),
        *_columns(spends.COLUMNS, [spends.as_row(one) for one in unit.spends]),
        *_columns(TRACED, unit.told),
    ]
    await (await bulk.driver(tx)).execute(WRITE, *arrays)


def _columns(names: Sequence[str], rows: Collection[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in names]
