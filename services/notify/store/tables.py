"""Notify's own tables."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

METADATA = sa.MetaData()
_INSTANT = sa.DateTime(timezone=True)
_NOW = sa.text("now()")

member = sa.Table(
    "member",
    METADATA,
    sa.Column("member_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("locale", sa.Text, nullable=True),
    sa.Column("time_zone", sa.Text, nullable=True),
    sa.Column("known_since", _INSTANT, nullable=False),
)
"""Who is a member, as the ``members`` topic says."""

contact = sa.Table(
    "contact",
    METADATA,
    sa.Column("member_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("name", sa.Text, nullable=True),
    sa.Column("email", sa.Text, nullable=True),
    sa.Column("phone", sa.Text, nullable=True),
    sa.Column("locale", sa.Text, nullable=True),
    sa.Column("time_zone", sa.Text, nullable=True),
)
"""How to reach a member. The only personal data here, deleted when the member is erased."""

consent = sa.Table(
    "consent",
    METADATA,
    sa.Column("consent_id", sa.Uuid, primary_key=True),
    sa.Column("member_id", sa.Uuid, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("decision", sa.Text, nullable=False),
    sa.Column("wording_id", sa.Text, nullable=False),
    sa.Column("wording_version", sa.Integer, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("recorded_at", _INSTANT, nullable=False),
    sa.Column("decided_at", _INSTANT, nullable=False),
    sa.Column("received_at", _INSTANT, nullable=False),
    sa.CheckConstraint("decision IN ('given', 'withdrawn')", name="consent_decision"),
)
"""Every yes and no with its evidence: append-only, the runtime role may not change a row.

``recorded_at`` is what the evidence says. ``decided_at`` is that, but never after we heard of it:
a till whose clock runs ahead must not outlast a withdrawal. The latest ``decided_at`` holds.
"""
sa.Index(
    "consent_latest",
    consent.c.member_id,
    consent.c.purpose,
    consent.c.channel,
    consent.c.decided_at.desc(),
)

preference = sa.Table(
    "preference",
    METADATA,
    sa.Column("member_id", sa.Uuid, primary_key=True),
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("frequency", sa.Text, nullable=False),
    sa.Column("updated_at", _INSTANT, nullable=False),
)
"""What members chose; where there is no row, the default of the matrix holds."""

suppression = sa.Table(
    "suppression",
    METADATA,
    sa.Column("member_id", sa.Uuid, primary_key=True),
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("address_sha256", sa.LargeBinary, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("since", _INSTANT, nullable=False),
)
"""Addresses that refused for good. A member's new address is free again."""

offer = sa.Table(
    "offer",
    METADATA,
    sa.Column("offer_id", sa.Uuid, primary_key=True),
    sa.Column("member_id", sa.Uuid, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("percent", sa.Integer, nullable=True),
    sa.Column("amount_minor", sa.BigInteger, nullable=True),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("valid_from", _INSTANT, nullable=False),
    sa.Column("valid_until", _INSTANT, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.CheckConstraint("state IN ('issued', 'redeemed')", name="offer_state"),
)
"""Offers as far as messages tell of them; says whether one can still be used."""

STATES = ("waiting", "queued", "claimed", "sent", "suppressed", "unknown", "failed")

message = sa.Table(
    "message",
    METADATA,
    sa.Column("message_id", sa.Uuid, primary_key=True),
    sa.Column("member_id", sa.Uuid, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("template", sa.Text, nullable=False),
    sa.Column("template_version", sa.Integer, nullable=True),
    sa.Column("cause_id", sa.Uuid, nullable=False),
    sa.Column("caused_at", _INSTANT, nullable=False),
    sa.Column("collect_key", sa.Text, nullable=True),
    sa.Column("template_values", JSONB, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=True),
    sa.Column("gates", JSONB, nullable=True),
    sa.Column("content", JSONB, nullable=True),
    sa.Column("created_at", _INSTANT, nullable=False),
    sa.Column("not_before", _INSTANT, nullable=False),
    sa.Column("claim_id", sa.Uuid, nullable=True),
    sa.Column("lease_until", _INSTANT, nullable=True),
    sa.Column("attempted_at", _INSTANT, nullable=True),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("uncertain", sa.Integer, nullable=False, server_default="0"),
    sa.Column("closed_at", _INSTANT, nullable=True),
    sa.Column("read_at", _INSTANT, nullable=True),
    sa.CheckConstraint(f"state IN {STATES}", name="message_state"),
    sa.CheckConstraint(
        "(state = 'claimed') = (claim_id IS NOT NULL)"
        " AND (state = 'claimed') = (lease_until IS NOT NULL)",
        name="message_claim",
    ),
    # Each message is updated three times; free space keeps that on its page.
    postgresql_with={"fillfactor": 80},
)
"""Every message and what became of it.

``claimed`` without ``attempted_at`` has not been tried; with it, it may have left. ``uncertain``
counts the attempts whose end nobody saw. ``gates`` is the decision. ``content`` is what the inbox
shows; the text of an e-mail is not kept.
"""
_OPEN = message.c.state.in_(("waiting", "queued"))
sa.Index("message_due", message.c.channel, message.c.not_before, postgresql_where=_OPEN)
sa.Index("message_open_of_member", message.c.member_id, postgresql_where=_OPEN)
sa.Index("message_leased", message.c.lease_until, postgresql_where=message.c.state == "claimed")
sa.Index(
    "message_inbox",
    message.c.member_id,
    message.c.closed_at.desc(),
    message.c.message_id,
    postgresql_where=sa.and_(message.c.channel == "inbox", message.c.state == "sent"),
)

message_offer = sa.Table(
    "message_offer",
    METADATA,
    sa.Column(
        "message_id",
        sa.Uuid,
        sa.ForeignKey("message.message_id"),
        primary_key=True,
    ),
    sa.Column("offer_id", sa.Uuid, sa.ForeignKey("offer.offer_id"), primary_key=True),
    sa.Column("position", sa.BigInteger, sa.Identity(), nullable=False),
)
"""Which offers a digest tells of, in the order in which they were issued."""

template = sa.Table(
    "template",
    METADATA,
    sa.Column("code", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("source", JSONB, nullable=False),
    sa.Column("compiled", JSONB, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("created_at", _INSTANT, nullable=False, server_default=_NOW),
    sa.CheckConstraint("version >= 1", name="template_version_positive"),
)
"""Templates saved by marketers, every version for ever. The shipped ones are version 0."""
