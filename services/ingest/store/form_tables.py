"""Tables of interactions and forms."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from services.ingest.store.tables import METADATA


def _instant(name: str, *, nullable: bool = False) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


interaction = sa.Table(
    "interaction",
    METADATA,
    sa.Column("interaction_id", sa.Uuid, primary_key=True),
    sa.Column("body_sha256", sa.LargeBinary, nullable=False),
    _instant("received_at"),
)
sa.Index("interaction_received", interaction.c.received_at, postgresql_using="brin")
"""Which interactions were taken in, so that a repeat is known; what they say is on the topic."""

form = sa.Table(
    "form",
    METADATA,
    sa.Column("form_id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
)
"""The current version of each form; its row is locked while a new one is published."""

form_version = sa.Table(
    "form_version",
    METADATA,
    sa.Column("form_id", sa.Text, sa.ForeignKey("form.form_id"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("definition", sa.Text, nullable=False),
    sa.Column("published_by", sa.Text, nullable=False),
    _instant("published_at"),
    _instant("previous_until"),
)
"""What people were shown, for ever: ``definition`` is JSON of ``domain.forms.Form``.
``previous_until``: when all versions before this one cease to count."""

form_submission = sa.Table(
    "form_submission",
    METADATA,
    sa.Column("submission_id", sa.Uuid, primary_key=True),
    sa.Column("form_id", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("body_hmac", sa.LargeBinary, nullable=False),
    _instant("received_at"),
    sa.Column("consents", sa.Text, nullable=False),
    sa.Column("via", sa.Text, nullable=False),
    sa.Column("store_id", sa.Text, nullable=True),
    sa.Column("terminal_id", sa.Text, nullable=True),
    sa.Column("source", sa.Text, nullable=True),
    sa.Column("answers", sa.Text, nullable=True),
    sa.Column("person", sa.Text, nullable=True),
    sa.Column("identifier_hmacs", ARRAY(sa.LargeBinary), nullable=False),
    sa.Column("member_id", sa.Uuid, nullable=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    _instant("next_attempt_at"),
    sa.Column("failure", sa.Text, nullable=True),
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
"""What was sent. The version, the consents and the time stay; ``answers``, ``person``,
``identifier_hmacs`` and ``source`` (JSON all, and personal) go with erasure or at ``expires_at``.
``waiting``: a sign-up that is not a member yet. ``via``: ``hosted`` or the caller's role.
"""
sa.Index(
    "submission_page",
    form_submission.c.form_id,
    form_submission.c.received_at,
    form_submission.c.submission_id,
)
sa.Index(
    "submission_waiting",
    form_submission.c.next_attempt_at,
    postgresql_where=form_submission.c.state == "waiting",
)
sa.Index(
    "submission_member",
    form_submission.c.member_id,
    postgresql_where=form_submission.c.member_id.is_not(None),
)
sa.Index(
    "submission_expires",
    form_submission.c.expires_at,
    postgresql_where=form_submission.c.erased_at.is_(None),
)
sa.Index("submission_identifiers", form_submission.c.identifier_hmacs, postgresql_using="gin")

form_entry = sa.Table(
    "form_entry",
    METADATA,
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
"""Who has entered in which period, by keyed hash. One submission has a row for each identifier
that entries are counted by, and one for the member if known; any of them taken means no."""
sa.Index("form_entry_submission", form_entry.c.submission_id)
