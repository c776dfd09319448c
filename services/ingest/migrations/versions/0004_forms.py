"""Interactions, forms, their submissions and the entries of sweepstakes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from shared.db.migrate import runtime_role

revision = "0004"
down_revision = "0003"


def _instant(name: str, *, nullable: bool = False) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    """Create the tables; a published version can be neither changed nor deleted."""
    op.create_table(
        "interaction",
        sa.Column("interaction_id", sa.Uuid, primary_key=True),
        sa.Column("body_sha256", sa.LargeBinary, nullable=False),
        _instant("received_at"),
    )
    op.create_index("interaction_received", "interaction", ["received_at"], postgresql_using="brin")
    op.create_table(
        "form",
        sa.Column("form_id", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_table(
        "form_version",
        sa.Column("form_id", sa.Text, sa.ForeignKey("form.form_id"), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("definition", sa.Text, nullable=False),
        sa.Column("published_by", sa.Text, nullable=False),
        _instant("published_at"),
        _instant("previous_until"),
    )
    op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON form_version FROM {runtime_role()}")
    _create_submissions()


def downgrade() -> None:
    """Drop them."""
    for table in ("form_entry", "form_submission", "form_version", "form", "interaction"):
        op.drop_table(table)


def _create_submissions() -> None:
    op.create_table(
        "form_submission",
        sa.Column("submission_id", sa.Uuid, primary_key=True),
        sa.Column("form_id", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("body_hmac", sa.LargeBinary, nullable=False),
        _instant("received_at"),
        sa.Column("consents", sa.Text, nullable=False),
        sa.Column("via", sa.Text, nullable=False),
        sa.Column("store_id", sa.Text),
        sa.Column("terminal_id", sa.Text),
        sa.Column("source", sa.Text),
        sa.Column("answers", sa.Text),
        sa.Column("person", sa.Text),
        sa.Column("identifier_hmacs", ARRAY(sa.LargeBinary), nullable=False),
        sa.Column("member_id", sa.Uuid),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        _instant("next_attempt_at"),
        sa.Column("failure", sa.Text),
        _instant("expires_at"),
        _instant("erased_at", nullable=True),
        sa.ForeignKeyConstraint(
            ["form_id", "version"], ["form_version.form_id", "form_version.version"]
        ),
        sa.CheckConstraint("state IN ('waiting', 'settled', 'failed')", name="submission_state"),
        sa.CheckConstraint(
            "erased_at IS NULL OR (answers IS NULL AND person IS NULL AND source IS NULL "
            "AND identifier_hmacs = '{}' AND state <> 'waiting')",
            name="submission_erased",
        ),
    )
    _index_submissions()
    op.create_table(
        "form_entry",
        sa.Column("form_id", sa.Text, primary_key=True),
        sa.Column("period", sa.Text, primary_key=True),
        sa.Column("entrant", sa.LargeBinary, primary_key=True),
        sa.Column(
            "submission_id",
            sa.Uuid,
            sa.ForeignKey("form_submission.submission_id"),
            nullable=False,
        ),
    )
    op.create_index("form_entry_submission", "form_entry", ["submission_id"])


def _index_submissions() -> None:
    op.create_index(
        "submission_page", "form_submission", ["form_id", "received_at", "submission_id"]
    )
    op.create_index(
        "submission_waiting",
        "form_submission",
        ["next_attempt_at"],
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "submission_member",
        "form_submission",
        ["member_id"],
        postgresql_where=sa.text("member_id IS NOT NULL"),
    )
    op.create_index(
        "submission_expires",
        "form_submission",
        ["expires_at"],
        postgresql_where=sa.text("erased_at IS NULL"),
    )
    op.create_index(
        "submission_identifiers", "form_submission", ["identifier_hmacs"], postgresql_using="gin"
    )
