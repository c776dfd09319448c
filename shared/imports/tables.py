"""The tables of imports: each service that imports has its own, made by ``create``."""

from typing import Any

import sqlalchemy as sa

METADATA = sa.MetaData()


def _instant(name: str, *, nullable: bool = False) -> "sa.Column[Any]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _count(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


STATES = ("receiving", "waiting", "applying", "done", "cancelled", "incomplete")

import_run = sa.Table(
    "import_run",
    METADATA,
    sa.Column("import_id", sa.Uuid, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("dry_run", sa.Boolean, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    _instant("created_at"),
    _instant("touched_at"),
    _instant("ended_at", nullable=True),
    _count("through_row"),
    _count("bytes_read"),
    _count("rows_read"),
    _count("rows_invalid"),
    _count("rows_applied"),
    _count("rows_unchanged"),
    _count("problems"),
    sa.CheckConstraint(f"state IN {STATES}", name="import_run_state"),
    # Updated with each chunk; free space keeps that on its page.
    postgresql_with={"fillfactor": 50},
)
"""One uploaded file and how far it has come.

``receiving`` → ``waiting`` → ``applying`` → ``done``; ``cancelled`` by its operator, or
``incomplete`` where the upload broke off or could not be read, and nothing of it was applied.
``through_row`` is the line of the last row that is settled; ``problems`` counts those kept in
``import_problem``.
"""
sa.Index(
    "import_run_open",
    import_run.c.created_at,
    postgresql_where=import_run.c.ended_at.is_(None),
)

import_row = sa.Table(
    "import_row",
    METADATA,
    sa.Column("import_id", sa.Uuid, sa.ForeignKey("import_run.import_id"), primary_key=True),
    sa.Column("row_no", sa.BigInteger, primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
"""Rows that are still to be applied, as JSON; they may hold personal data, so they are deleted
in the transaction that applies them."""

import_problem = sa.Table(
    "import_problem",
    METADATA,
    sa.Column(
        "import_id",
        sa.Uuid,
        sa.ForeignKey("import_run.import_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("row_no", sa.BigInteger, primary_key=True),
    sa.Column("ordinal", sa.Integer, primary_key=True),
    sa.Column("field", sa.Text, nullable=True),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
)
"""What is wrong with which row; never the value itself."""


def create_v1(op: Any) -> None:  # noqa: ANN401  ``alembic.op`` is a module
    """Create the tables as of their first version."""
    METADATA.create_all(op.get_bind(), checkfirst=False)
    # A queue churns: vacuum by the thousand rows, not by a share of what a full file was.
    op.execute(
        "ALTER TABLE import_row SET (autovacuum_vacuum_scale_factor = 0, "
        "autovacuum_vacuum_threshold = 20000)"
    )


def drop_v1(op: Any) -> None:  # noqa: ANN401  as above
    """Drop them again."""
    METADATA.drop_all(op.get_bind(), checkfirst=False)
