"""Remember what happened to API keys, and when each was last used."""

import sqlalchemy as sa
from alembic import op

from shared.db.migrate import runtime_role

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the audit, which only grows, and the uses."""
    op.create_table(
        "credential_audit",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("by_key_id", sa.Text),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("role", sa.Text),
        sa.Column("store_id", sa.Text),
        sa.Column("terminal_id", sa.Text),
        sa.Column("attempts", sa.BigInteger, nullable=False, server_default="1"),
        sa.CheckConstraint(
            "action IN ('made', 'given', 'revoked', 'refused')", name="credential_audit_action"
        ),
    )
    op.create_index("credential_audit_key", "credential_audit", ["key_id", "id"])
    op.create_table(
        "credential_use",
        sa.Column("key_id", sa.Text, primary_key=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON credential_audit FROM {runtime_role()}")


def downgrade() -> None:
    """Drop both."""
    op.drop_table("credential_use")
    op.drop_table("credential_audit")
