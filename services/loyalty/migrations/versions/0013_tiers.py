"""Know what came back of what counts for a tier, and what was announced of tiers."""

from alembic import op

from shared.db.migrate import runtime_role

revision = "0013"
down_revision = "0012"

UPGRADE = (
    "ALTER TABLE receipt ADD COLUMN returns json",
    "ALTER TABLE qualifying_spend ADD COLUMN returned_minor bigint NOT NULL DEFAULT 0",
    """
    ALTER TABLE account
        ADD COLUMN tier text,
        ADD COLUMN tier_at timestamptz,
        ADD COLUMN tier_review_at timestamptz
    """,
    # What a year did to tiers since the last purchase was not announced: all are looked at once.
    """
    UPDATE account
    SET tier = (SELECT tier FROM member WHERE member.member_id = account.member_id),
        tier_review_at = now()
    WHERE EXISTS (SELECT FROM qualifying_spend WHERE member_id = account.member_id)
    """,
    """
    CREATE INDEX account_tier_review ON account (tier_review_at)
    WHERE tier_review_at IS NOT NULL
    """,
    """
    CREATE TABLE tier_change (
        tier_change_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        member_id uuid NOT NULL,
        at timestamptz NOT NULL,
        previous text,
        tier text,
        reason text NOT NULL,
        announced_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT tier_change_moves CHECK (previous IS DISTINCT FROM tier)
    )
    """,
    "CREATE INDEX tier_change_member ON tier_change (member_id, tier_change_id)",
    """
    CREATE TABLE tier_notice (
        member_id uuid NOT NULL,
        tier text NOT NULL,
        falls_at timestamptz NOT NULL,
        falls_to text,
        missing bigint NOT NULL,
        noticed_at timestamptz NOT NULL,
        PRIMARY KEY (member_id, falls_at, tier)
    )
    """,
)


def upgrade() -> None:
    """Create it; our own processes can neither change nor delete what was announced."""
    for statement in UPGRADE:
        op.execute(statement)
    role = runtime_role()
    op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON tier_change, tier_notice FROM {role}")


def downgrade() -> None:
    """Forget it: tiers are then what the spend of two years carries, as before."""
    op.drop_table("tier_notice")
    op.drop_table("tier_change")
    op.execute(
        "ALTER TABLE account DROP COLUMN tier, DROP COLUMN tier_at, DROP COLUMN tier_review_at"
    )
    op.execute("ALTER TABLE qualifying_spend DROP COLUMN returned_minor")
    op.execute("ALTER TABLE receipt DROP COLUMN returns")
