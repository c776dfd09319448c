"""Loyalty's tables of gift cards and their money."""

import sqlalchemy as sa

from services.loyalty.store.tables import METADATA

_INSTANT = sa.DateTime(timezone=True)

gift_card = sa.Table(
    "gift_card",
    METADATA,
    sa.Column("gift_card_id", sa.Uuid, primary_key=True),
    sa.Column("code_hmac", sa.Text, nullable=False),
    sa.Column("code_tail", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=True),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("face_minor", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("state_by", sa.Text, nullable=False),
    sa.Column("state_at", _INSTANT, nullable=False),
    sa.Column("created_at", _INSTANT, nullable=False),
    sa.Column("activated_at", _INSTANT, nullable=True),
    sa.Column("expires_at", _INSTANT, nullable=True),
    sa.Column("available_minor", sa.BigInteger, nullable=False),
    sa.Column("held_minor", sa.BigInteger, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("code_hmac", name="gift_card_code"),
    sa.CheckConstraint("available_minor >= 0 AND held_minor >= 0", name="gift_card_not_overdrawn"),
)
"""A gift card, its running balances, and version and hash of its last entry.

Of its code there is a keyed hash, and the last characters. Whoever changes a card, its holds or
its entries holds this row's lock.
"""

gift_entry = sa.Table(
    "gift_entry",
    METADATA,
    sa.Column("gift_card_id", sa.Uuid, sa.ForeignKey(gift_card.c.gift_card_id), primary_key=True),
    sa.Column("version", sa.BigInteger, primary_key=True),
    sa.Column("cause_id", sa.Uuid, nullable=False),
    sa.Column("from_account", sa.Text, nullable=False),
    sa.Column("to_account", sa.Text, nullable=False),
    sa.Column("amount_minor", sa.BigInteger, nullable=False),
    sa.Column("available_after", sa.BigInteger, nullable=False),
    sa.Column("held_after", sa.BigInteger, nullable=False),
    sa.Column("hold_id", sa.Uuid, nullable=True),
    sa.Column("receipt_id", sa.Uuid, nullable=True),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("occurred_at", _INSTANT, nullable=False),
    sa.Column("posted_at", _INSTANT, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.CheckConstraint("amount_minor > 0", name="gift_entry_moves_something"),
    sa.CheckConstraint("from_account <> to_account", name="gift_entry_has_two_sides"),
)
"""The ledger of gift money: append-only, as ``entry`` is, with a chain of hashes for each card."""

gift_hold = sa.Table(
    "gift_hold",
    METADATA,
    sa.Column("hold_id", sa.Uuid, primary_key=True),
    sa.Column("gift_card_id", sa.Uuid, sa.ForeignKey(gift_card.c.gift_card_id), nullable=False),
    sa.Column("amount_minor", sa.BigInteger, nullable=False),
    sa.Column("opened_at", _INSTANT, nullable=False),
    sa.Column("expires_at", _INSTANT, nullable=False),
    sa.Column("opened_by", sa.Text, nullable=False),
    sa.Column("store_id", sa.Text, nullable=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("captured_minor", sa.BigInteger, nullable=False),
    sa.Column("lost_minor", sa.BigInteger, nullable=False),
    sa.Column("refunded_minor", sa.BigInteger, nullable=False),
    sa.Column("returned_minor", sa.BigInteger, nullable=False),
    sa.Column("receipt_id", sa.Uuid, nullable=True),
)
"""Money of a card that is kept for a till, and what became of it."""

gift_receipt = sa.Table(
    "gift_receipt",
    METADATA,
    sa.Column("receipt_id", sa.Uuid, primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
)
"""Up to which revision holds follow a receipt. Its row is locked before any card."""
