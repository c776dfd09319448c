"""Create the plumbing and the guestbook."""

import sqlalchemy as sa
from alembic import op

from shared.db import plumbing

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create everything."""
    plumbing.create_v1(op)
    plumbing.create_heartbeat(op)
    op.create_table(
        "note",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Drop everything."""
    op.drop_table("note")
    plumbing.drop_heartbeat(op)
    plumbing.drop_v1(op)
