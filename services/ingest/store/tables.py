"""The tables that only ingest has; those of the plumbing are in ``shared.db.plumbing``."""

import sqlalchemy as sa

METADATA = sa.MetaData()


def _instant(name: str, *, nullable: bool = False) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


receipt = sa.Table(
    "receipt",
    METADATA,
    sa.Column("receipt_id", sa.Uuid, primary_key=True),
    sa.Column("event_id", sa.Uuid, nullable=False),
    sa.Column("body_sha256", sa.LargeBinary, nullable=False),
    sa.Column("store_id", sa.Text, nullable=False),
    sa.Column("terminal_id", sa.Text, nullable=False),
    sa.Column("terminal_seq", sa.BigInteger, nullable=True),
    _instant("occurred_at"),
    _instant("received_at"),
    sa.Column("identified_by", sa.Text, nullable=True),
    sa.Column("identifier_hmac", sa.LargeBinary, nullable=True),
    sa.Column("claim_sha256", sa.LargeBinary, nullable=True),
    sa.Column("member_id", sa.Uuid, nullable=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("recorded", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=True),
    sa.CheckConstraint("revision >= 1", name="receipt_revision"),
    # A receipt at its first revision has no second copy of its state.
    sa.CheckConstraint("(state IS NULL) = (revision = 1)", name="receipt_state"),
)
"""Every receipt, for ever: the archive, and what a repeat is compared with.

``recorded`` is the net state (JSON of ``contracts.purchases.Receipt``) of revision 1 and never
changes; ``state`` is that of the current revision once there was a return or an attribution.
``claim_sha256`` is the hash of the token that an anonymous or unmatched receipt was given.
"""
sa.Index("receipt_event", receipt.c.event_id, unique=True)
sa.Index(
    "receipt_unmatched",
    receipt.c.identifier_hmac,
    postgresql_where=sa.and_(receipt.c.member_id.is_(None), receipt.c.identifier_hmac.is_not(None)),
)
sa.Index(
    "receipt_claim",
    receipt.c.claim_sha256,
    unique=True,
    postgresql_where=receipt.c.claim_sha256.is_not(None),
)

sa.Index(
    "receipt_seq",
    receipt.c.terminal_id,
    receipt.c.store_id,
    receipt.c.terminal_seq,
    postgresql_where=receipt.c.terminal_seq.is_not(None),
)

receipt_change = sa.Table(
    "receipt_change",
    METADATA,
    sa.Column("change_id", sa.Uuid, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("sale_id", sa.Uuid, nullable=True),
    sa.Column("amendment", sa.Integer, nullable=False),
    sa.Column("body_sha256", sa.LargeBinary, nullable=False),
    sa.Column("store_id", sa.Text, nullable=False),
    sa.Column("terminal_id", sa.Text, nullable=False),
    sa.Column("terminal_seq", sa.BigInteger, nullable=True),
    _instant("occurred_at"),
    _instant("received_at"),
    sa.Column("facts", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("published_event_id", sa.Uuid, nullable=True),
    sa.Column("refusal", sa.Text, nullable=True),
    sa.CheckConstraint(
        "state IN ('withheld', 'applied', 'unchanged', 'refused', 'unlinked')",
        name="change_state",
    ),
    sa.CheckConstraint("kind IN ('return', 'void', 'amendment', 'claim')", name="change_kind"),
    sa.CheckConstraint(
        "(state = 'unlinked') = (sale_id IS NULL) AND (kind = 'amendment') = (amendment > 0)",
        name="change_shape",
    ),
)
"""Every return, void, amendment and claim, for ever: what happened to a sale after it.

``withheld`` waits for its sale; ``applied`` made a revision (or, released late, left the sale as
it was: then no event is named); ``unchanged`` left it as it was at once; ``refused`` turned out
not to fit when its sale arrived; ``unlinked`` is a return that names no sale. ``amendment`` is
the till's count of corrections, 0 for the other kinds.
"""
sa.Index(
    "change_withheld",
    receipt_change.c.sale_id,
    postgresql_where=receipt_change.c.state == "withheld",
)
sa.Index(
    "change_standing",
    receipt_change.c.sale_id,
    postgresql_where=receipt_change.c.kind.in_(("void", "amendment")),
)
sa.Index(
    "receipt_change_seq",
    receipt_change.c.terminal_id,
    receipt_change.c.store_id,
    receipt_change.c.terminal_seq,
    postgresql_where=receipt_change.c.terminal_seq.is_not(None),
)
sa.Index(
    "change_exception",
    receipt_change.c.received_at,
    receipt_change.c.change_id,
    postgresql_where=receipt_change.c.state.in_(("withheld", "refused", "unlinked")),
)

receipt_review = sa.Table(
    "receipt_review",
    METADATA,
    sa.Column("receipt_id", sa.Uuid, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    _instant("asked_at"),
    _instant("decided_at", nullable=True),
    sa.Column("decided_by", sa.Text, nullable=True),
    sa.Column("note", sa.Text, nullable=True),
    sa.CheckConstraint("state IN ('pending', 'accepted', 'rejected')", name="review_state"),
    sa.CheckConstraint(
        "(state = 'pending') = (decided_at IS NULL) AND (state = 'pending') = (decided_by IS NULL)",
        name="review_decided",
    ),
)
"""Receipts that came so late that people decide on them, and who decided what (a key's id).
Until one is accepted, it is to everything else as if it had not come."""
sa.Index(
    "review_list", receipt_review.c.state, receipt_review.c.asked_at, receipt_review.c.receipt_id
)

member = sa.Table(
    "member",
    METADATA,
    sa.Column("member_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("merged_into", sa.Uuid, nullable=True),
)
"""Members as the ``members`` topic tells them; no personal data."""

member_identifier = sa.Table(
    "member_identifier",
    METADATA,
    sa.Column("identifier_hmac", sa.LargeBinary, primary_key=True),
    sa.Column("member_id", sa.Uuid, primary_key=True),
    sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
)
"""Which member an identifier belongs to. While a card moves from one member to another the two
events may arrive in either order, so for a moment it can have two; the later link counts."""
sa.Index("member_identifier_member", member_identifier.c.member_id)

credential_audit = sa.Table(
    "credential_audit",
    METADATA,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    _instant("at"),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("by_key_id", sa.Text, nullable=True),
    sa.Column("service", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=True),
    sa.Column("store_id", sa.Text, nullable=True),
    sa.Column("terminal_id", sa.Text, nullable=True),
    sa.Column("attempts", sa.BigInteger, nullable=False, server_default="1"),
    sa.CheckConstraint(
        "action IN ('made', 'given', 'revoked', 'refused')", name="credential_audit_action"
    ),
)
"""What happened to keys; rows are only ever added. ``given`` is a key of the environment, which
nobody made; ``refused`` is a call for another store or terminal, which ``store_id`` names (none:
for several others)."""
sa.Index("credential_audit_key", credential_audit.c.key_id, credential_audit.c.id)

credential_use = sa.Table(
    "credential_use",
    METADATA,
    sa.Column("key_id", sa.Text, primary_key=True),
    _instant("last_used_at"),
)
"""When each key was last used, anywhere; told in batches by ``credential-uses``."""

store = sa.Table(
    "store",
    METADATA,
    sa.Column("store_id", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("time_zone", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=True),
    sa.Column("country", sa.Text, nullable=True),
)
"""Shops. ``country`` (ISO 3166 alpha-2) reads phone numbers that lack a country code."""

product = sa.Table(
    "product",
    METADATA,
    sa.Column("sku", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("category", sa.Text, nullable=True),
    sa.Column("brand", sa.Text, nullable=True),
    sa.Column("cost_minor", sa.BigInteger, nullable=True),
    sa.Column("currency", sa.Text, nullable=True),
)
"""Articles."""
