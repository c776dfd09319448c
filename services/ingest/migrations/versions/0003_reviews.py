"""Receipts that people must accept, and the running numbers of tills."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_STATES = "state IN ('pending', 'accepted', 'rejected')"
_DECIDED = (
    "(state = 'pending') = (decided_at IS NULL) AND (state = 'pending') = (decided_by IS NULL)"
)
_NUMBERED = ("receipt", "receipt_change")


def upgrade() -> None:
    """Add the list of reviews, and an index for gaps."""
    op.create_table(
        "receipt_review",
        sa.Column("receipt_id", sa.Uuid, primary_key=True),
        sa.Column("state", sa.Text, nullable=False, server_default="pending"),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.Column("decided_by", sa.Text),
        sa.Column("note", sa.Text),
        sa.CheckConstraint(_STATES, name="review_state"),
        sa.CheckConstraint(_DECIDED, name="review_decided"),
    )
    op.create_index("review_list", "receipt_review", ["state", "asked_at", "receipt_id"])
    for table in _NUMBERED:
        op.create_index(
            f"{table}_seq",
            table,
            ["terminal_id", "store_id", "terminal_seq"],
            postgresql_where=sa.text("terminal_seq IS NOT NULL"),
        )


def downgrade() -> None:
    """Drop them."""
    for table in _NUMBERED:
        op.drop_index(f"{table}_seq", table)
    op.drop_table("receipt_review")
