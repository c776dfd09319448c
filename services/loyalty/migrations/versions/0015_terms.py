"""What the programme bears of what members took; ends by inactivity; notices of ends."""

from alembic import op

from shared.db.migrate import runtime_role

revision = "0015"
down_revision = "0014"

UPGRADE = (
    """
    ALTER TABLE account
        ADD COLUMN lost bigint NOT NULL DEFAULT 0,
        DROP CONSTRAINT account_not_overdrawn,
        ADD CONSTRAINT account_not_overdrawn CHECK (
            available >= 0 AND pending >= 0 AND held >= 0 AND debt >= 0 AND lost >= 0
            AND (available = 0 OR debt = 0)
        )
    """,
    "ALTER TABLE account ADD COLUMN idle_at timestamptz",
    "CREATE INDEX account_idle ON account (idle_at, member_id) WHERE idle_at IS NOT NULL",
    "ALTER TABLE lot ADD COLUMN inactive_months smallint",
    # Notices are walked by end and member.
    "DROP INDEX lot_ends",
    "CREATE INDEX lot_ends ON lot (expires_at, member_id) WHERE active AND remaining > 0",
    """
    CREATE TABLE expiry_notice (
        member_id uuid NOT NULL,
        ends_at timestamptz NOT NULL,
        points bigint NOT NULL,
        announced_at timestamptz NOT NULL,
        CONSTRAINT expiry_notice_of_something CHECK (points > 0),
        PRIMARY KEY (member_id, ends_at)
    )
    """,
)


def upgrade() -> None:
    """Add it; nothing of the books so far changes."""
    for statement in UPGRADE:
        op.execute(statement)
    op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON expiry_notice FROM {runtime_role()}")


def downgrade() -> None:
    """Take it away; refuses where something was borne, or ends by inactivity."""
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM account WHERE lost > 0)
                OR EXISTS (SELECT FROM lot WHERE inactive_months IS NOT NULL) THEN
                RAISE EXCEPTION 'losses were borne, or points end idle; restore a backup instead';
            END IF;
        END $$
        """
    )
    op.execute(
        """
        ALTER TABLE account
            DROP CONSTRAINT account_not_overdrawn, DROP COLUMN lost, DROP COLUMN idle_at,
            ADD CONSTRAINT account_not_overdrawn CHECK (
                available >= 0 AND pending >= 0 AND held >= 0 AND debt >= 0
                AND (available = 0 OR debt = 0)
            )
        """
    )
    op.drop_table("expiry_notice")
    op.execute("DROP INDEX lot_ends")
    op.execute("CREATE INDEX lot_ends ON lot (expires_at) WHERE active AND remaining > 0")
    op.execute("ALTER TABLE lot DROP COLUMN inactive_months")
