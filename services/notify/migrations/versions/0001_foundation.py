"""Members, consents, preferences, messages, templates, and the plumbing."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from shared.db import plumbing
from shared.db.migrate import runtime_role

revision = "0001"
down_revision = None

APPEND_ONLY = "consent, template"
_INSTANT = sa.DateTime(timezone=True)
_OPEN = sa.text("state IN ('waiting', 'queued')")


def _instant(name: str, *, nullable: bool = False) -> "sa.Column[object]":
    return sa.Column(name, _INSTANT, nullable=nullable)


def _texts(*names: str, nullable: bool = False) -> "tuple[sa.Column[object], ...]":
    return tuple(sa.Column(name, sa.Text, nullable=nullable) for name in names)


def upgrade() -> None:
    """Create everything."""
    plumbing.create_v1(op)
    _create_members()
    _create_choices()
    _create_offer_and_template()
    _create_message()
    op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {APPEND_ONLY} FROM {runtime_role()}")
    # Messages are the record of what was said, and not said, to whom.
    op.execute(f"REVOKE DELETE, TRUNCATE ON message FROM {runtime_role()}")


def downgrade() -> None:
    """Drop everything."""
    for table in ("message_offer", "message", "template", "offer", "suppression", "preference"):
        op.drop_table(table)
    for table in ("consent", "contact", "member"):
        op.drop_table(table)
    plumbing.drop_v1(op)


def _create_members() -> None:
    op.create_table(
        "member",
        sa.Column("member_id", sa.Uuid, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        *_texts("status"),
        *_texts("locale", "time_zone", nullable=True),
        _instant("known_since"),
    )
    op.create_table(
        "contact",
        sa.Column("member_id", sa.Uuid, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        *_texts("name", "email", "phone", "locale", "time_zone", nullable=True),
    )
    op.create_table(
        "suppression",
        sa.Column("member_id", sa.Uuid, primary_key=True),
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("address_sha256", sa.LargeBinary, nullable=False),
        *_texts("reason"),
        _instant("since"),
    )


def _create_choices() -> None:
    op.create_table(
        "consent",
        sa.Column("consent_id", sa.Uuid, primary_key=True),
        sa.Column("member_id", sa.Uuid, nullable=False),
        *_texts("purpose", "channel", "decision", "wording_id"),
        sa.Column("wording_version", sa.Integer, nullable=False),
        *_texts("source"),
        _instant("recorded_at"),
        _instant("decided_at"),
        _instant("received_at"),
        sa.CheckConstraint("decision IN ('given', 'withdrawn')", name="consent_decision"),
    )
    latest = ["member_id", "purpose", "channel", sa.text("decided_at DESC")]
    op.create_index("consent_latest", "consent", latest)
    op.create_table(
        "preference",
        sa.Column("member_id", sa.Uuid, primary_key=True),
        sa.Column("topic", sa.Text, primary_key=True),
        sa.Column("channel", sa.Text, primary_key=True),
        *_texts("frequency"),
        _instant("updated_at"),
    )


def _create_offer_and_template() -> None:
    op.create_table(
        "offer",
        sa.Column("offer_id", sa.Uuid, primary_key=True),
        sa.Column("member_id", sa.Uuid, nullable=False),
        *_texts("title", "reason"),
        sa.Column("percent", sa.Integer),
        sa.Column("amount_minor", sa.BigInteger),
        *_texts("currency"),
        _instant("valid_from"),
        _instant("valid_until"),
        *_texts("state"),
        sa.CheckConstraint("state IN ('issued', 'redeemed')", name="offer_state"),
    )
    op.create_table(
        "template",
        sa.Column("code", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        *_texts("topic"),
        sa.Column("source", JSONB, nullable=False),
        sa.Column("compiled", JSONB, nullable=False),
        *_texts("created_by"),
        sa.Column("created_at", _INSTANT, nullable=False, server_default=sa.text("now()")),
        sa.CheckConstraint("version >= 1", name="template_version_positive"),
    )


def _create_message() -> None:
    op.create_table(
        "message",
        sa.Column("message_id", sa.Uuid, primary_key=True),
        sa.Column("member_id", sa.Uuid, nullable=False),
        *_texts("topic", "channel", "template"),
        sa.Column("template_version", sa.Integer),
        sa.Column("cause_id", sa.Uuid, nullable=False),
        _instant("caused_at"),
        *_texts("collect_key", nullable=True),
        sa.Column("template_values", JSONB, nullable=False),
        *_texts("state"),
        *_texts("reason", nullable=True),
        sa.Column("gates", JSONB),
        sa.Column("content", JSONB),
        _instant("created_at"),
        _instant("not_before"),
        sa.Column("claim_id", sa.Uuid),
        _instant("lease_until", nullable=True),
        _instant("attempted_at", nullable=True),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("uncertain", sa.Integer, nullable=False, server_default="0"),
        _instant("closed_at", nullable=True),
        _instant("read_at", nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'queued', 'claimed', 'sent', 'suppressed', 'unknown', 'failed')",
            name="message_state",
        ),
        sa.CheckConstraint(
            "(state = 'claimed') = (claim_id IS NOT NULL)"
            " AND (state = 'claimed') = (lease_until IS NOT NULL)",
            name="message_claim",
        ),
        postgresql_with={"fillfactor": 80},
    )
    due = ["channel", "not_before"]
    op.create_index("message_due", "message", due, postgresql_where=_OPEN)
    op.create_index("message_open_of_member", "message", ["member_id"], postgresql_where=_OPEN)
    claimed = sa.text("state = 'claimed'")
    op.create_index("message_leased", "message", ["lease_until"], postgresql_where=claimed)
    inbox = ["member_id", sa.text("closed_at DESC"), "message_id"]
    in_inbox = sa.text("channel = 'inbox' AND state = 'sent'")
    op.create_index("message_inbox", "message", inbox, postgresql_where=in_inbox)
    op.create_table(
        "message_offer",
        sa.Column("message_id", sa.Uuid, sa.ForeignKey("message.message_id"), primary_key=True),
        sa.Column("offer_id", sa.Uuid, sa.ForeignKey("offer.offer_id"), primary_key=True),
        sa.Column("position", sa.BigInteger, sa.Identity(), nullable=False),
    )
