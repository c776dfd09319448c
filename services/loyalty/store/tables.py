"""Loyalty's own tables."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSON, JSONB

METADATA = sa.MetaData()
_INSTANT = sa.DateTime(timezone=True)
_NOW = sa.text("now()")

member = sa.Table(
    "member",
    METADATA,
    sa.Column("member_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("status", sa.Text, nullable=False, server_default="active"),
    sa.Column("external_id", sa.Text, nullable=True),
    sa.Column("name", sa.Text, nullable=True),
    sa.Column("email", sa.Text, nullable=True),
    sa.Column("phone", sa.Text, nullable=True),
    sa.Column("birth_date", sa.Date, nullable=True),
    sa.Column("locale", sa.Text, nullable=True),
    sa.Column("time_zone", sa.Text, nullable=True),
    sa.Column("home_store", sa.Text, nullable=True),
    sa.Column("tier", sa.Text, nullable=True),
    sa.Column("enrolled_at", _INSTANT, nullable=False),
    sa.Column("request_sha256", sa.LargeBinary, nullable=False),
    sa.Column("imported", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.UniqueConstraint("external_id", name="member_external_id"),
    sa.Column("merged_into", sa.Uuid, sa.ForeignKey("member.member_id"), nullable=True),
    sa.CheckConstraint("status IN ('active', 'merged', 'erased')", name="member_status"),
    sa.CheckConstraint("(status = 'merged') = (merged_into IS NOT NULL)", name="member_merged"),
)
"""Who is in the programme. ``tier`` follows the spend, so that ``members`` can announce it."""

identifier = sa.Table(
    "identifier",
    METADATA,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("hmac", sa.Text, primary_key=True),
    sa.Column("member_id", sa.Uuid, sa.ForeignKey("member.member_id"), nullable=False),
    sa.Column("masked", sa.Text, nullable=False),
    sa.Column("added_at", _INSTANT, nullable=False, server_default=_NOW),
    sa.Column("given_to", sa.Uuid, nullable=True),
    sa.CheckConstraint("kind IN ('card', 'phone', 'email', 'app_id')", name="identifier_kind"),
)
"""What a member is recognised by: keyed hashes, never the number itself.

``given_to`` says whose it was before merges; null where that is ``member_id``.
"""
sa.Index("identifier_member", identifier.c.member_id)

account = sa.Table(
    "account",
    METADATA,
    sa.Column("member_id", sa.Uuid, primary_key=True),
    sa.Column("available", sa.BigInteger, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("last_event_at", _INSTANT, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False, server_default=""),
    sa.Column("pending", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("held", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("debt", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("drawn_at", _INSTANT, nullable=True),
    sa.Column("tier", sa.Text, nullable=True),
    sa.Column("tier_at", _INSTANT, nullable=True),
    sa.Column("tier_review_at", _INSTANT, nullable=True),
    sa.Column("merged_into", sa.Uuid, nullable=True),
    sa.Column("lost", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("idle_at", _INSTANT, nullable=True),
    sa.CheckConstraint(
        "available >= 0 AND pending >= 0 AND held >= 0 AND debt >= 0 AND lost >= 0"
        " AND (available = 0 OR debt = 0)",
        name="account_not_overdrawn",
    ),
    # Free space in each page keeps an update of a balance on its page, away from the index.
    postgresql_with={"fillfactor": 70},
)
"""A member's running balances, and version and hash of the last entry.

``drawn_at`` is null while every lot of the member is whole: nothing was spent, nothing has ended.
``tier`` was announced last, as of ``tier_at``; at ``tier_review_at`` the clock may change it.
``merged_into`` says whose account is to be locked with it, also of members who were erased since.
``lost`` is what the programme bears of what the member took. ``idle_at`` is not after the next end
of a lot by inactivity: what the member does only moves that further, so that sales need not.
No foreign key, since a purchase may arrive before its member.
"""
sa.Index(
    "account_tier_review",
    account.c.tier_review_at,
    postgresql_where=account.c.tier_review_at.is_not(None),
)
sa.Index(
    "account_idle",
    account.c.idle_at,
    account.c.member_id,
    postgresql_where=account.c.idle_at.is_not(None),
)

entry = sa.Table(
    "entry",
    METADATA,
    sa.Column("member_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, primary_key=True),
    sa.Column("cause_id", sa.Uuid, nullable=False),
    sa.Column("from_account", sa.Text, nullable=False),
    sa.Column("to_account", sa.Text, nullable=False),
    sa.Column("points", sa.BigInteger, nullable=False),
    sa.Column("available_after", sa.BigInteger, nullable=False),
    sa.Column("receipt_id", sa.Uuid, nullable=True),
    sa.Column("programme_version", sa.Text, nullable=True),
    sa.Column("explain", JSON, nullable=False),
    sa.Column("occurred_at", _INSTANT, nullable=False),
    sa.Column("posted_at", _INSTANT, nullable=False, server_default=_NOW),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.CheckConstraint("points > 0", name="entry_moves_something"),
    sa.CheckConstraint("from_account <> to_account", name="entry_has_two_sides"),
)
"""The ledger: append-only, the runtime role may neither change nor delete a row.

A row takes points from one account and gives them to another, so it balances by itself; the view
``entry_leg`` shows both sides as rows of their own. ``hash`` chains a member's entries (see
``domain.chain``). ``explain`` is json and not jsonb: it is written a million times a day, read a
few times, and keeps the text that was hashed.
"""
sa.Index("entry_posted", entry.c.posted_at, postgresql_using="brin")

lot = sa.Table(
    "lot",
    METADATA,
    sa.Column("member_id", sa.Uuid, primary_key=True),
    sa.Column("lot_id", sa.Uuid, primary_key=True),
    sa.Column("points", sa.BigInteger, nullable=False),
    sa.Column("remaining", sa.BigInteger, nullable=False),
    sa.Column("activates_at", _INSTANT, nullable=False),
    sa.Column("expires_at", _INSTANT, nullable=True),
    sa.Column("active", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("expired", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("passed", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("inactive_months", sa.SmallInteger, nullable=True),
    sa.CheckConstraint(
        "points > 0 AND remaining >= 0 AND expired >= 0 AND passed >= 0"
        " AND remaining + expired + passed <= points"
        " AND (active OR remaining + passed = points)",
        name="lot_remaining",
    ),
)
"""Points earned together, with one end (null: none). A lot from a receipt has the receipt's id.

``active`` says whether its points are posted as available, or still as pending; ``passed`` are
with the member who took over, in a lot of their own. One that ends after ``inactive_months`` has no
``expires_at`` until that has come.
"""
sa.Index("lot_begins", lot.c.activates_at, postgresql_where=~lot.c.active & (lot.c.remaining > 0))
sa.Index(
    "lot_ends",
    lot.c.expires_at,
    lot.c.member_id,
    postgresql_where=lot.c.active & (lot.c.remaining > 0),
)

spend = sa.Table(
    "spend",
    METADATA,
    sa.Column("spend_id", sa.Uuid, primary_key=True),
    sa.Column("member_id", sa.Uuid, nullable=False),
    sa.Column("points", sa.BigInteger, nullable=False),
    sa.Column("taken", sa.BigInteger, nullable=False),
    sa.Column("captured", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("at", _INSTANT, nullable=False),
    sa.Column("expires_at", _INSTANT, nullable=False),
    sa.Column("identified_by", sa.Text, nullable=False),
    sa.Column("opened_by", sa.Text, nullable=False),
    sa.Column("store_id", sa.Text, nullable=True),
    sa.Column("closed_at", _INSTANT, nullable=True),
    sa.Column("receipt_id", sa.Uuid, nullable=True),
    sa.Column("receipt_revision", sa.Integer, nullable=False),
    sa.Column("reward_id", sa.Text, nullable=True),
    sa.Column("programme_version", sa.Text, nullable=True),
    sa.Column("gift_card_minor", sa.BigInteger, nullable=True),
    sa.CheckConstraint("state IN ('held', 'captured', 'released', 'expired')", name="spend_state"),
    sa.CheckConstraint(
        "points > 0 AND captured BETWEEN 0 AND points AND taken BETWEEN 0 AND points"
        " AND (state = 'held' OR taken <= captured)",
        name="spend_amounts",
    ),
    sa.CheckConstraint(
        "(reward_id IS NULL) = (programme_version IS NULL)"
        " AND (reward_id IS NULL OR taken IN (0, points))"
        " AND (gift_card_minor IS NULL OR reward_id IS NOT NULL AND gift_card_minor > 0)",
        name="spend_reward",
    ),
)
"""Holds and what became of them. Whoever writes one has locked its member's account.

One with a ``reward_id`` is the price of that reward by the terms of ``programme_version``.
"""
sa.Index("spend_member", spend.c.member_id, postgresql_where=spend.c.taken > 0)
sa.Index("spend_open", spend.c.expires_at, postgresql_where=spend.c.state == "held")
sa.Index("spend_receipt", spend.c.receipt_id, postgresql_where=spend.c.receipt_id.is_not(None))

opening_lot = sa.Table(
    "opening_lot",
    METADATA,
    sa.Column("lot_id", sa.Uuid, primary_key=True),
    sa.Column("member_id", sa.Uuid, nullable=False),
    sa.Column("points", sa.BigInteger, nullable=False),
    sa.Column("earned_at", _INSTANT, nullable=False),
    sa.Column("expires_at", _INSTANT, nullable=False),
)
"""Lots brought over from another system, as they were then."""
sa.Index("opening_lot_member", opening_lot.c.member_id)

receipt = sa.Table(
    "receipt",
    METADATA,
    sa.Column("receipt_id", sa.Uuid, primary_key=True),
    sa.Column("member_id", sa.Uuid, nullable=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("posted", sa.BigInteger, nullable=False),
    sa.Column("qualifying_minor", sa.BigInteger, nullable=False),
    sa.Column("year", sa.SmallInteger, nullable=False),
    sa.Column("desired", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("occurred_at", _INSTANT, nullable=True),
    sa.Column("store_id", sa.Text, nullable=True),
    sa.Column("programme_version", sa.Text, nullable=True),
    sa.Column("begins_at", _INSTANT, nullable=True),
    sa.Column("counts", JSON, nullable=True),
    sa.Column("returns", JSON, nullable=True),
    sa.Column("approval", sa.Text, nullable=True),
    sa.Column("approved_at", _INSTANT, nullable=True),
    sa.Column("due_at", _INSTANT, nullable=True),
    sa.Column("by_level", JSON, nullable=True),
    sa.Column("level", sa.SmallInteger, nullable=True),
    sa.Column("sold_at", _INSTANT, nullable=True),
    sa.Column("birthday", sa.SmallInteger, nullable=True),
    sa.CheckConstraint("(by_level IS NULL) = (level IS NULL)", name="receipt_level"),
    sa.CheckConstraint("birthday BETWEEN 0 AND 3", name="receipt_birthday"),
    sa.CheckConstraint(
        "approval IS NOT NULL AND approval IN ('waiting', 'approved', 'rejected')"
        " AND (approval = 'approved') = (approved_at IS NOT NULL)"
        " AND (approval = 'waiting') = (due_at IS NOT NULL)"
        " OR approval IS NULL AND approved_at IS NULL AND due_at IS NULL",
        name="receipt_approval",
    ),
)
"""What was posted so far for each receipt, at its highest revision.

``desired`` is what it would be worth if nothing were capped, ``counts`` what it adds to each
challenge of its version, null where to none. ``year`` is the period in which it
counts for a tier, as in ``qualifying_spend``. ``returns`` is null where nothing that counts came
back; else when how much did, and how many points that took, so that ``qualifying_minor`` and
``desired`` with their sums are what was sold.
``approval`` is null for one that need not wait for the staff; what was decided is in ``approval``
as well, the table. ``due_at`` says when points would begin that wait. ``by_level`` is what it would
be worth at each level of the tiers, and ``level`` the one that was held just before the sale: null
where it is worth the same at all. ``sold_at`` is null unless the till's clock was ahead: then it is
when we heard of it. ``birthday`` says whether it was the member's (1: the day, 2: the month), as we
knew when it was first settled for that member; null where no rule asked.
"""
sa.Index(
    "receipt_waiting",
    receipt.c.occurred_at,
    receipt.c.receipt_id,
    postgresql_where=receipt.c.approval == "waiting",
)
sa.Index("receipt_member", receipt.c.member_id, receipt.c.occurred_at)

qualifying_spend = sa.Table(
    "qualifying_spend",
    METADATA,
    sa.Column("member_id", sa.Uuid, primary_key=True),
    sa.Column("year", sa.SmallInteger, primary_key=True),
    sa.Column("amount_minor", sa.BigInteger, nullable=False),
    sa.Column("returned_minor", sa.BigInteger, nullable=False, server_default="0"),
    postgresql_with={"fillfactor": 70},
)
"""What counts towards a tier, by period of the programme's time zone: net, and what came back.

``year`` is the calendar year or, where the window rolls, the month as months since the year 0. The
amounts are minor units, visits or points, as ``tier_counting`` says. All is a sum over ``receipt``,
with that of the members who were merged into this one, which they keep as well.
"""

tier_change = sa.Table(
    "tier_change",
    METADATA,
    sa.Column("tier_change_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("member_id", sa.Uuid, nullable=False),
    sa.Column("at", _INSTANT, nullable=False),
    sa.Column("previous", sa.Text, nullable=True),
    sa.Column("tier", sa.Text, nullable=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("announced_at", _INSTANT, nullable=False, server_default=_NOW),
    sa.CheckConstraint("previous IS DISTINCT FROM tier", name="tier_change_moves"),
)
"""What was announced of a member's tiers, and why; append-only."""
sa.Index("tier_change_member", tier_change.c.member_id, tier_change.c.tier_change_id)

tier_notice = sa.Table(
    "tier_notice",
    METADATA,
    sa.Column("member_id", sa.Uuid, primary_key=True),
    sa.Column("falls_at", _INSTANT, primary_key=True),
    sa.Column("tier", sa.Text, primary_key=True),
    sa.Column("falls_to", sa.Text, nullable=True),
    sa.Column("missing", sa.BigInteger, nullable=False),
    sa.Column("noticed_at", _INSTANT, nullable=False),
)
"""Notices that a tier will be lost, each given once; append-only."""

device = sa.Table(
    "device",
    METADATA,
    sa.Column("device_id", sa.Uuid, primary_key=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("member_id", sa.Uuid, sa.ForeignKey("member.member_id"), nullable=False),
    sa.Column("name", sa.Text, nullable=True),
    sa.Column("enrolled_at", _INSTANT, nullable=False),
    sa.Column("revoked_at", _INSTANT, nullable=True),
    sa.Column("last_step", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("last_used_at", _INSTANT, nullable=True),
    sa.Column("given_to", sa.Uuid, nullable=True),
    sa.UniqueConstraint("number", name="device_number"),
    sa.CheckConstraint(
        "number BETWEEN 10000000 AND 99999999", name="device_number_has_eight_digits"
    ),
)
"""Phones whose app shows codes at the till; their secrets are derived and stored nowhere."""
sa.Index("device_member", device.c.member_id, device.c.enrolled_at)
programme_version = sa.Table(
    "programme_version",
    METADATA,
    sa.Column("version", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("document", JSONB, nullable=False),
    sa.Column("effective_from", _INSTANT, nullable=True),
    sa.Column("updated_at", _INSTANT, nullable=False),
    sa.Column("published_at", _INSTANT, nullable=True),
    sa.UniqueConstraint("effective_from", name="programme_version_effective_from"),
    sa.CheckConstraint("state IN ('draft', 'published')", name="programme_version_state"),
    sa.CheckConstraint(
        "(state = 'published') = (effective_from IS NOT NULL AND published_at IS NOT NULL)",
        name="programme_version_published",
    ),
)
"""Versions of the rules beside those of the file. A trigger keeps published ones as they are."""
adjustment = sa.Table(
    "adjustment",
    METADATA,
    sa.Column("adjustment_id", sa.Uuid, primary_key=True),
    sa.Column("member_id", sa.Uuid, nullable=False),
    sa.Column("points", sa.BigInteger, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("asked_by", sa.Text, nullable=False),
    sa.Column("asked_at", _INSTANT, nullable=False),
    sa.Column("expires_at", _INSTANT, nullable=True),
    sa.Column("note", sa.Text, nullable=True),
    sa.Column("decided_by", sa.Text, nullable=True),
    sa.Column("decided_at", _INSTANT, nullable=True),
)
"""Points corrected by hand: who asked, who decided, why. Rows are never deleted, and only a
decision, or the erasure of the member's note, changes one.

Whoever writes one has locked its member's account. What is posted is a lot or a spend of its id.
"""
sa.Index("adjustment_by_state", adjustment.c.state, adjustment.c.adjustment_id)
sa.Index("adjustment_member", adjustment.c.member_id)

expiry_notice = sa.Table(
    "expiry_notice",
    METADATA,
    sa.Column("member_id", sa.Uuid, primary_key=True),
    sa.Column("ends_at", _INSTANT, primary_key=True),
    sa.Column("points", sa.BigInteger, nullable=False),
    sa.Column("announced_at", _INSTANT, nullable=False),
)
"""Of which points a member was told that they would end then; written once, with the event."""
