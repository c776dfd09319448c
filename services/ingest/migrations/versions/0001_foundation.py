"""Receipts, returns, the identity index, stores and products, and the plumbing."""

import sqlalchemy as sa
from alembic import op

from shared.db import plumbing
from shared.db.migrate import runtime_role

revision = "0001"
down_revision = None

KEPT_FOR_EVER = "receipt, receipt_return"


def _instant(name: str) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def upgrade() -> None:
    """Create everything."""
    plumbing.create_v1(op)
    # Here alone an event is looked up in the outbox: by who asks what became of it.
    op.create_index("outbox_event", "outbox", ["event_id"])
    _create_receipts()
    _create_members()
    _create_catalogue()
    op.execute(f"REVOKE DELETE, TRUNCATE ON {KEPT_FOR_EVER} FROM {runtime_role()}")


def downgrade() -> None:
    """Drop everything."""
    for table in ("product", "store", "member_identifier", "member", "receipt_return", "receipt"):
        op.drop_table(table)
    plumbing.drop_v1(op)


def _create_receipts() -> None:
    op.create_table(
        "receipt",
        sa.Column("receipt_id", sa.Uuid, primary_key=True),
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.Column("body_sha256", sa.LargeBinary, nullable=False),
        sa.Column("store_id", sa.Text, nullable=False),
        sa.Column("terminal_id", sa.Text, nullable=False),
        sa.Column("terminal_seq", sa.BigInteger),
        _instant("occurred_at"),
        _instant("received_at"),
        sa.Column("identified_by", sa.Text),
        sa.Column("identifier_hmac", sa.LargeBinary),
        sa.Column("claim_sha256", sa.LargeBinary),
        sa.Column("member_id", sa.Uuid),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("recorded", sa.Text, nullable=False),
        sa.Column("state", sa.Text),
        sa.CheckConstraint("revision >= 1", name="receipt_revision"),
        sa.CheckConstraint("(state IS NULL) = (revision = 1)", name="receipt_state"),
    )
    op.create_index("receipt_event", "receipt", ["event_id"], unique=True)
    op.create_index(
        "receipt_unmatched",
        "receipt",
        ["identifier_hmac"],
        postgresql_where=sa.text("member_id IS NULL AND identifier_hmac IS NOT NULL"),
    )
    op.create_index(
        "receipt_claim",
        "receipt",
        ["claim_sha256"],
        unique=True,
        postgresql_where=sa.text("claim_sha256 IS NOT NULL"),
    )
    op.create_table(
        "receipt_return",
        sa.Column("return_id", sa.Uuid, primary_key=True),
        sa.Column("sale_id", sa.Uuid, nullable=False),
        sa.Column("body_sha256", sa.LargeBinary, nullable=False),
        sa.Column("store_id", sa.Text, nullable=False),
        sa.Column("terminal_id", sa.Text, nullable=False),
        _instant("occurred_at"),
        _instant("received_at"),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("published_event_id", sa.Uuid),
        sa.Column("refusal", sa.Text),
        sa.CheckConstraint("state IN ('withheld', 'applied', 'refused')", name="return_state"),
    )
    op.create_index(
        "return_withheld",
        "receipt_return",
        ["sale_id"],
        postgresql_where=sa.text("state = 'withheld'"),
    )


def _create_members() -> None:
    op.create_table(
        "member",
        sa.Column("member_id", sa.Uuid, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("merged_into", sa.Uuid),
    )
    op.create_table(
        "member_identifier",
        sa.Column("identifier_hmac", sa.LargeBinary, primary_key=True),
        sa.Column("member_id", sa.Uuid, primary_key=True),
        _instant("linked_at"),
    )
    op.create_index("member_identifier_member", "member_identifier", ["member_id"])


def _create_catalogue() -> None:
    op.create_table(
        "store",
        sa.Column("store_id", sa.Text, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("time_zone", sa.Text, nullable=False),
        sa.Column("address", sa.Text),
        sa.Column("country", sa.Text),
    )
    op.create_table(
        "product",
        sa.Column("sku", sa.Text, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("category", sa.Text),
        sa.Column("brand", sa.Text),
        sa.Column("cost_minor", sa.BigInteger),
        sa.Column("currency", sa.Text),
    )
