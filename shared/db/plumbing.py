"""The tables that every service has: inbox, outbox, offsets, dead letters, keys, idempotency.

They are created by each service's first migration through ``create_v1`` and are the same in all
of them, so that the consumer loop, the relay and the commands know one shape.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

PLUMBING = sa.MetaData()
_NOW = sa.text("now()")


def _instant(name: str, *, nullable: bool = True) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _created(name: str) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=_NOW)


inbox = sa.Table(
    "inbox",
    PLUMBING,
    sa.Column("event_id", sa.Uuid, primary_key=True),
    sa.Column("state", sa.Text, nullable=False, server_default="applied"),
    _created("received_at"),
    sa.CheckConstraint("state IN ('applied', 'parked', 'dropped')", name="inbox_state"),
)
"""Every event this service has taken in, once for ever within the retention."""

sa.Index("inbox_received", inbox.c.received_at, postgresql_using="brin")

outbox = sa.Table(
    "outbox",
    PLUMBING,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("key", sa.LargeBinary, nullable=True),
    sa.Column("event_id", sa.Uuid, nullable=True),
    sa.Column("value", sa.LargeBinary, nullable=True),
    sa.Column("headers", JSONB, nullable=True),
    _created("created_at"),
    _instant("published_at"),
    sa.Column("partition", sa.Integer, nullable=True),
    sa.Column("kafka_offset", sa.BigInteger, nullable=True),
)
"""Events to publish. ``partition`` and ``kafka_offset`` say where the relay put them.

Rows of one key are appended after its aggregate was locked, so their ids follow commit order.
"""
sa.Index("outbox_unpublished", outbox.c.id, postgresql_where=outbox.c.published_at.is_(None))
sa.Index("outbox_published", outbox.c.published_at, postgresql_using="brin")

consumer_offset = sa.Table(
    "consumer_offset",
    PLUMBING,
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True),
    sa.Column("next_offset", sa.BigInteger, nullable=False),
    sa.Column("cluster_id", sa.Text, nullable=True),
    sa.Column("last_event_id", sa.Text, nullable=True),
    _created("updated_at"),
)
"""The truth about what has been applied; moved by compare-and-set in the batch's transaction.

``last_event_id`` is the id of the event at ``next_offset - 1``: read back on assignment, it tells
a recreated topic from the one we know. Rows are seeded by ``migrate``.
"""

consumer_attempt = sa.Table(
    "consumer_attempt",
    PLUMBING,
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True),
    sa.Column("next_offset", sa.BigInteger, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("bugs_in_a_row", sa.Integer, nullable=False, server_default="0"),
)
"""How often the batch at an offset ended a process; kept outside the batch's transaction."""

dead_letter = sa.Table(
    "dead_letter",
    PLUMBING,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("kafka_offset", sa.BigInteger, nullable=False),
    sa.Column("key", sa.LargeBinary, nullable=True),
    sa.Column("event_id", sa.Uuid, nullable=True),
    sa.Column("event_type", sa.Text, nullable=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("value", sa.LargeBinary, nullable=True),
    _created("created_at"),
    _instant("closed_at"),
    sa.UniqueConstraint("topic", "partition", "kafka_offset", name="dead_letter_position"),
    sa.CheckConstraint(
        "state IN ('dead', 'parked', 'replayed', 'dropped')", name="dead_letter_state"
    ),
)
"""Events set aside: ``dead`` is the culprit, ``parked`` waits behind one of the same key."""
sa.Index(
    "dead_letter_open",
    dead_letter.c.topic,
    dead_letter.c.key,
    postgresql_where=dead_letter.c.closed_at.is_(None),
)

parked_key = sa.Table(
    "parked_key",
    PLUMBING,
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("key", sa.LargeBinary, primary_key=True),
    _created("parked_at"),
)
"""Keys whose events go to ``dead_letter`` until it is drained; locked by loop and replay alike."""

credential = sa.Table(
    "credential",
    PLUMBING,
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("secret_sha256", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("store_id", sa.Text, nullable=True),
    sa.Column("terminal_id", sa.Text, nullable=True),
    _instant("not_before"),
    _instant("expires_at"),
    _instant("revoked_at"),
)
"""Hashed API keys: ingest's rows are the truth, the others' follow the ``credentials`` topic."""

FOLLOWERS = sa.MetaData()

credential_heartbeat = sa.Table(
    "credential_heartbeat",
    FOLLOWERS,
    sa.Column("singleton", sa.Boolean, primary_key=True),
    sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("singleton", name="credential_heartbeat_is_one_row"),
)
"""Up to when a service that follows ``credentials`` knows every change; not in ingest."""

idempotency = sa.Table(
    "idempotency",
    PLUMBING,
    sa.Column("scope", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("body_sha256", sa.LargeBinary, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("status", sa.Integer, nullable=True),
    sa.Column("body", sa.LargeBinary, nullable=True),
    sa.Column("content_type", sa.Text, nullable=True),
    _created("created_at"),
    sa.CheckConstraint("state IN ('running', 'done')", name="idempotency_state"),
)
"""Answers given under an ``Idempotency-Key``."""


def create_v1(op: Any) -> None:  # noqa: ANN401  ``alembic.op`` is a module
    """Create the plumbing's tables as of their first version."""
    PLUMBING.create_all(op.get_bind(), checkfirst=False)
    # A queue churns: vacuum by the thousand rows, not by a share of a week of published ones.
    op.execute(
        "ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, "
        "autovacuum_vacuum_threshold = 20000, autovacuum_analyze_scale_factor = 0.02)"
    )


def create_heartbeat(op: Any) -> None:  # noqa: ANN401  as above
    """Create what a service that follows ``credentials`` keeps of ingest's heartbeat."""
    FOLLOWERS.create_all(op.get_bind(), checkfirst=False)


def drop_heartbeat(op: Any) -> None:  # noqa: ANN401  as above
    """Drop it again."""
    FOLLOWERS.drop_all(op.get_bind(), checkfirst=False)


def drop_v1(op: Any) -> None:  # noqa: ANN401  as above
    """Drop them again."""
    PLUMBING.drop_all(op.get_bind(), checkfirst=False)
