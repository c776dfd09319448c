"""Imports: uploaded files, and the lots and members that came by them."""

from alembic import op

from shared.db.migrate import runtime_role
from shared.imports import tables

revision = "0003"
down_revision = "0002"

OPENING_LOT = """
    CREATE TABLE opening_lot (
        lot_id uuid PRIMARY KEY,
        member_id uuid NOT NULL,
        points bigint NOT NULL,
        earned_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        CONSTRAINT opening_lot_points CHECK (points > 0)
    )
"""


def upgrade() -> None:
    """Create the tables; say of each member whether they were imported."""
    tables.create_v1(op)
    op.execute("ALTER TABLE member ADD COLUMN imported boolean NOT NULL DEFAULT false")
    op.execute(OPENING_LOT)
    op.execute("CREATE INDEX opening_lot_member ON opening_lot (member_id)")
    # As with entries: what was taken over is written once.
    op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON opening_lot FROM {runtime_role()}")


def downgrade() -> None:
    """Drop them again."""
    op.execute("DROP TABLE opening_lot")
    op.execute("ALTER TABLE member DROP COLUMN imported")
    tables.drop_v1(op)
