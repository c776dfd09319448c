"""Imports: uploaded files, their staged rows, and what was wrong with which."""

from alembic import op

from shared.imports import tables

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the tables."""
    tables.create_v1(op)


def downgrade() -> None:
    """Drop them again."""
    tables.drop_v1(op)
