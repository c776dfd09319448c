"""Create the plumbing and the tally."""

import sqlalchemy as sa
from alembic import op

from shared.db import plumbing

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create everything."""
    plumbing.create_v1(op)
    op.create_table(
        "tally",
        sa.Column("member_id", sa.Text, primary_key=True),
        sa.Column("total_minor", sa.BigInteger, nullable=False),
        sa.Column("trail", sa.Text, nullable=False, server_default=""),
    )


def downgrade() -> None:
    """Drop everything."""
    op.drop_table("tally")
    plumbing.drop_v1(op)
