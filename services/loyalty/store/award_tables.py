"""Loyalty's tables beside those of the ledger: challenges, awards, referrals, rewards, merges."""

import sqlalchemy as sa

from services.loyalty.store.tables import METADATA

_INSTANT = sa.DateTime(timezone=True)

progress = sa.Table(
    "progress",
    METADATA,
    sa.Column("member_id", sa.Uuid, primary_key=True),
    sa.Column("rule", sa.Text, primary_key=True),
    sa.Column("period", sa.Integer, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
    sa.Column("reached_at", _INSTANT, nullable=True),
    sa.Column("begins_at", _INSTANT, nullable=True),
    postgresql_with={"fillfactor": 70},
)
"""What counts for a challenge, by period (see ``domain.periods``); ``reached_at`` is the sale that
came to its goal. Whoever writes one has locked the member's account."""

award = sa.Table(
    "award",
    METADATA,
    sa.Column("award_id", sa.Uuid, primary_key=True),
    sa.Column("member_id", sa.Uuid, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("period", sa.Integer, nullable=False),
    sa.Column("points", sa.BigInteger, nullable=False),
    sa.Column("programme_version", sa.Text, nullable=False),
    sa.Column("earned_at", _INSTANT, nullable=False),
    sa.Column("begins_at", _INSTANT, nullable=False),
    sa.Column("expires_at", _INSTANT, nullable=True),
    sa.CheckConstraint("points >= 0", name="award_points"),
    sa.CheckConstraint("kind IN ('challenge', 'birthday', 'referral')", name="award_kind"),
)
"""What was posted so far beside what receipts earn; 0 points where it was taken back.

A lot has its id. Whoever writes one has locked the member's account.
"""
sa.Index("award_member", award.c.member_id, award.c.rule)

referral_code = sa.Table(
    "referral_code",
    METADATA,
    sa.Column("code", sa.Text, primary_key=True),
    sa.Column("member_id", sa.Uuid, sa.ForeignKey("member.member_id"), nullable=False),
    sa.UniqueConstraint("member_id", name="referral_code_member"),
)
"""What members give to friends; made when one is first asked for."""

referral = sa.Table(
    "referral",
    METADATA,
    sa.Column("referred_id", sa.Uuid, sa.ForeignKey("member.member_id"), primary_key=True),
    sa.Column("member_id", sa.Uuid, sa.ForeignKey("member.member_id"), nullable=False),
    sa.Column("programme_version", sa.Text, nullable=False),
    sa.Column("minimum_minor", sa.BigInteger, nullable=False),
    sa.Column("counts_from", _INSTANT, nullable=False),
    sa.Column("counts_until", _INSTANT, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("receipt_id", sa.Uuid, nullable=True),
    sa.Column("survives_at", _INSTANT, nullable=True),
    sa.CheckConstraint(
        "state IN ('waiting', 'pending', 'earned', 'lapsed')", name="referral_state"
    ),
)
"""Who brought whom (``member_id`` the referrer), and how far that has come.

``earned`` and ``lapsed`` are decided once. Whoever changes one has locked both accounts.
"""
sa.Index("referral_member", referral.c.member_id)
sa.Index(
    "referral_open",
    referral.c.referred_id,
    postgresql_where=referral.c.state.in_(("waiting", "pending")),
)

reward_stock = sa.Table(
    "reward_stock",
    METADATA,
    sa.Column("reward_id", sa.Text, primary_key=True),
    sa.Column("stock", sa.BigInteger, nullable=True),
    sa.Column("taken", sa.BigInteger, nullable=False, server_default="0"),
    sa.CheckConstraint("stock >= 0 AND taken >= 0", name="reward_stock_counts"),
)
"""Pieces or seats of a reward: how many there are (null: no end), how many holds have one.

``taken`` is the number of rows of ``spend`` that take points for it. Whoever changes it has locked
the accounts of those members first, then these rows in the order of their ids.
"""

merge = sa.Table(
    "merge",
    METADATA,
    sa.Column("merge_id", sa.Uuid, primary_key=True),
    sa.Column("member_id", sa.Uuid, sa.ForeignKey("member.member_id"), nullable=False),
    sa.Column("into_id", sa.Uuid, sa.ForeignKey("member.member_id"), nullable=False),
    sa.Column("merged_at", _INSTANT, nullable=False),
    sa.Column("merged_by", sa.Text, nullable=False),
    sa.Column("undone_at", _INSTANT, nullable=True),
    sa.Column("undone_by", sa.Text, nullable=True),
    sa.CheckConstraint("member_id <> into_id", name="merge_two_members"),
    sa.CheckConstraint("(undone_at IS NULL) = (undone_by IS NULL)", name="merge_undone"),
)
"""Who was merged into whom. Rows are never deleted, and only undoing a merge changes one.

Whoever writes one has locked both accounts. A debt that came with it is a spend of its id.
"""
sa.Index(
    "merge_stands", merge.c.member_id, unique=True, postgresql_where=merge.c.undone_at.is_(None)
)
sa.Index("merge_into", merge.c.into_id, postgresql_where=merge.c.undone_at.is_(None))
sa.Index("merge_member", merge.c.member_id)
