"""The tables of the offers service; migrations create them, a test holds both equal."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

METADATA = sa.MetaData()

Row = sa.RowMapping
"""A row by the names of its columns."""


def _instant(name: str, *, nullable: bool = False) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _sums() -> list["sa.Column[object]"]:
    """Return the columns that ``domain.habits.Change`` adds to."""
    return [
        sa.Column("purchases", sa.BigInteger, nullable=False),
        sa.Column("weight", sa.Double, nullable=False),
        sa.Column("lines", sa.BigInteger, nullable=False),
        sa.Column("discounted_lines", sa.BigInteger, nullable=False),
        sa.Column("quantity_milli", sa.BigInteger, nullable=False),
        sa.Column("spend_minor", sa.BigInteger, nullable=False),
        _instant("first_at"),
        _instant("last_at"),
    ]


receipt = sa.Table(
    "receipt",
    METADATA,
    sa.Column("receipt_id", sa.Uuid, primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("member_id", sa.Uuid, nullable=True),
    _instant("bought_at"),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("lines", JSONB, nullable=False),
    sa.Column("offer_ids", ARRAY(sa.Uuid), nullable=False),
)
"""What each receipt has contributed: the state to subtract when a later revision arrives.

``lines`` are the kept ones: {"s": sku, "c": category, "q": quantity_milli, "a": amount_minor,
"d": discount_minor}.
"""
sa.Index("receipt_member", receipt.c.member_id, postgresql_where=receipt.c.member_id.is_not(None))

member_total = sa.Table(
    "member_total",
    METADATA,
    sa.Column("member_id", sa.Uuid, primary_key=True),
    *_sums(),
)
"""Sums over all of a member's purchases. Rows of one member are written by one partition."""

member_product = sa.Table(
    "member_product",
    METADATA,
    sa.Column("member_id", sa.Uuid, primary_key=True),
    sa.Column("sku", sa.Text, primary_key=True),
    sa.Column("category", sa.Text, nullable=True),
    *_sums(),
)
"""``category`` is the till's; the catalogue's goes first where it has one."""

member_category = sa.Table(
    "member_category",
    METADATA,
    sa.Column("member_id", sa.Uuid, primary_key=True),
    sa.Column("category", sa.Text, primary_key=True),
    *_sums(),
)

popularity = sa.Table(
    "popularity",
    METADATA,
    sa.Column("sku", sa.Text, primary_key=True),
    sa.Column("weight", sa.Double, nullable=False),
    sa.Column("share", sa.Double, nullable=False),
    sa.Column("spend_minor", sa.BigInteger, nullable=False),
    sa.Column("quantity_milli", sa.BigInteger, nullable=False),
    sa.Column("purchases", sa.BigInteger, nullable=False),
)
"""Sums over all members, made by the job; no purchase writes here, so no row is hot.

``share``: the part of all members' visits, recency-weighted, with the product.
"""
sa.Index("popularity_best", popularity.c.share.desc(), popularity.c.sku)

popularity_refresh = sa.Table(
    "popularity_refresh",
    METADATA,
    sa.Column("singleton", sa.Boolean, primary_key=True),
    _instant("refreshed_at"),
    sa.CheckConstraint("singleton", name="popularity_refresh_one_row"),
)

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

store = sa.Table(
    "store",
    METADATA,
    sa.Column("store_id", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("time_zone", sa.Text, nullable=False),
)

member = sa.Table(
    "member",
    METADATA,
    sa.Column("member_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
)

campaign = sa.Table(
    "campaign",
    METADATA,
    sa.Column("code", sa.Text, primary_key=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("draft", JSONB, nullable=False),
    sa.Column("published", JSONB, nullable=True),
    _instant("updated_at"),
    _instant("published_at", nullable=True),
    sa.CheckConstraint("status IN ('draft', 'published')", name="campaign_status"),
)
"""``draft`` is what was put last, ``published`` what issuing goes by."""

campaign_run = sa.Table(
    "campaign_run",
    METADATA,
    sa.Column("code", sa.Text, primary_key=True),
    sa.Column("period", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("pass_no", sa.Integer, nullable=False),
    _instant("as_of"),
    sa.Column("cursor", sa.Uuid, nullable=True),
    sa.Column("members_left", sa.BigInteger, nullable=False),
    sa.Column("offers", sa.BigInteger, nullable=False),
    sa.Column("budget_minor", sa.BigInteger, nullable=False),
    sa.Column("spent_minor", sa.BigInteger, nullable=False),
    _instant("finished_at", nullable=True),
    sa.CheckConstraint("state IN ('running', 'done')", name="campaign_run_state"),
    sa.CheckConstraint("spent_minor <= budget_minor", name="campaign_run_budget"),
)
"""How far issuing has come in a period: all that a run that died needs to go on."""

offer = sa.Table(
    "offer",
    METADATA,
    sa.Column("offer_id", sa.Uuid, primary_key=True),
    sa.Column("member_id", sa.Uuid, nullable=False),
    sa.Column("campaign", sa.Text, nullable=False),
    sa.Column("period", sa.Text, nullable=False),
    sa.Column("slot", sa.Integer, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("sku", sa.Text, nullable=True),
    sa.Column("category", sa.Text, nullable=True),
    sa.Column("product_name", sa.Text, nullable=True),
    sa.Column("percent", sa.Integer, nullable=True),
    sa.Column("amount_minor", sa.BigInteger, nullable=True),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("margin_floor_percent", sa.Integer, nullable=True),
    sa.Column("expected_cost_minor", sa.BigInteger, nullable=False),
    _instant("valid_from"),
    _instant("valid_until"),
    sa.Column("state", sa.Text, nullable=False, server_default="issued"),
    sa.Column("version", sa.Integer, nullable=False, server_default="1"),
    sa.Column("redeemed_by", sa.Uuid, nullable=True),
    _instant("redeemed_at", nullable=True),
    sa.Column("discount_minor", sa.BigInteger, nullable=True),
    sa.UniqueConstraint("member_id", "campaign", "period", "slot", name="offer_once_per_slot"),
    sa.CheckConstraint("state IN ('issued', 'redeemed')", name="offer_state"),
    sa.CheckConstraint("(state = 'redeemed') = (redeemed_by IS NOT NULL)", name="offer_redeemed"),
    sa.CheckConstraint("(sku IS NULL) <> (category IS NULL)", name="offer_target"),
    sa.CheckConstraint("(percent IS NULL) <> (amount_minor IS NULL)", name="offer_discount"),
)
"""A member's wallet. Expiry is read off ``valid_until``; ``version`` counts changes of state."""

offer_claim = sa.Table(
    "offer_claim",
    METADATA,
    sa.Column("offer_id", sa.Uuid, primary_key=True),
    sa.Column("receipt_id", sa.Uuid, primary_key=True),
    sa.Column("member_id", sa.Uuid, nullable=True),
    _instant("occurred_at"),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("discount_minor", sa.BigInteger, nullable=False),
)
"""Every offer that a receipt named, and what came of it at the receipt's newest revision."""
