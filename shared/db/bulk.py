"""Set-based writes: one statement for a batch, however many rows it has."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.selectable import TableValuedAlias

from shared.db.engine import Tx

Column = tuple["sa.types.TypeEngine[Any]", Sequence[Any]]


def array(kind: "sa.types.TypeEngine[Any]", values: Sequence[Any]) -> "sa.Cast[Any]":
    """Return ``values`` as one array parameter, for ``column == sa.any_(bulk.array(…))``.

    Unlike ``IN`` with a list, the statement's text does not depend on how many there are.
    """
    return sa.cast(sa.bindparam(None, list(values), ARRAY(kind), unique=True), ARRAY(kind))


def unnest(name: str, columns: Mapping[str, Column]) -> TableValuedAlias:
    """Return a FROM clause ``name`` whose rows are the given columns side by side.

    ``columns`` maps each column's name to its SQL type and values; all of one length. Use it in
    ``INSERT … SELECT``, ``UPDATE … FROM`` and ``DELETE … USING``: each column travels as one
    array parameter, so the statement's text stays the same for any number of rows.
    """
    lengths = {len(values) for _, values in columns.values()}
    if len(lengths) != 1:
        message = f"columns of {name} have different lengths: {sorted(lengths)}"
        raise ValueError(message)
    arrays = [array(kind, values) for kind, values in columns.values()]
    return _side_by_side(name, arrays, {field: kind for field, (kind, _) in columns.items()})


class Rows:
    """``unnest`` for a statement that is built once and runs for every batch.

    Building a statement and the key of its cached text takes SQLAlchemy longer than a small batch
    takes Postgres. Make the statement a constant from ``c``, and give ``values`` to ``execute``.
    """

    def __init__(self, name: str, columns: Mapping[str, "sa.types.TypeEngine[Any]"]) -> None:
        """Name the rows, and give each column its SQL type."""
        self._name = name
        self._parameters = {field: f"{name}__{field}" for field in columns}
        arrays = [
            sa.cast(sa.bindparam(self._parameters[field], type_=ARRAY(kind)), ARRAY(kind))
            for field, kind in columns.items()
        ]
        self.source = _side_by_side(name, arrays, columns)
        self.c = self.source.c

    def values(self, columns: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
        """Return the parameters of one execution; all columns, all of one length."""
        lengths = {len(values) for values in columns.values()}
        if columns.keys() != self._parameters.keys() or len(lengths) != 1:
            message = f"columns of {self._name}: {sorted(columns)} of lengths {lengths}"
            raise ValueError(message)
        return {self._parameters[field]: values for field, values in columns.items()}


def _side_by_side(
    name: str,
    arrays: Sequence["sa.Cast[Any]"],
    columns: Mapping[str, "sa.types.TypeEngine[Any]"],
) -> TableValuedAlias:
    fields = [sa.column(field, kind) for field, kind in columns.items()]
    return sa.func.unnest(*arrays).table_valued(*fields, name=name).render_derived()


async def driver(tx: Tx) -> asyncpg.Connection:
    """Return asyncpg's own connection below ``tx``, inside the same transaction.

    For COPY and for hot statements whose compilation would cost more than their execution.
    """
    raw = await tx.get_raw_connection()
    connection = cast("asyncpg.Connection", raw.driver_connection)
    if not connection.is_in_transaction():
        # SQLAlchemy begins lazily, with the first statement that it sends itself.
        await tx.execute(sa.text("SELECT 1"))
    return connection


async def copy_rows(
    tx: Tx, table: sa.Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Append ``rows`` by binary COPY: the fastest way in, for tables without conflicts.

    Values must have asyncpg's types (a jsonb column takes text).
    """
    connection = await driver(tx)
    await connection.copy_records_to_table(table.name, records=rows, columns=list(columns))
