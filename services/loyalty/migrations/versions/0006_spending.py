"""Points that are pending, held or owed; what is spent, and what of each lot has ended."""

from alembic import op

revision = "0006"
down_revision = "0005"

UPGRADE = (
    """
    ALTER TABLE account
        ADD COLUMN pending bigint NOT NULL DEFAULT 0,
        ADD COLUMN held bigint NOT NULL DEFAULT 0,
        ADD COLUMN debt bigint NOT NULL DEFAULT 0,
        ADD COLUMN drawn_at timestamptz,
        DROP CONSTRAINT account_not_overdrawn,
        ADD CONSTRAINT account_not_overdrawn CHECK (
            available >= 0 AND pending >= 0 AND held >= 0 AND debt >= 0
            AND (available = 0 OR debt = 0)
        )
    """,
    """
    ALTER TABLE lot
        ADD COLUMN active boolean NOT NULL DEFAULT true,
        ADD COLUMN expired bigint NOT NULL DEFAULT 0,
        ALTER COLUMN expires_at DROP NOT NULL,
        DROP CONSTRAINT lot_remaining,
        ADD CONSTRAINT lot_remaining CHECK (
            points > 0 AND remaining >= 0 AND expired >= 0 AND remaining + expired <= points
            AND (active OR remaining = points)
        )
    """,
    # What the clock alone changes: a lot that begins, a lot that ends.
    "CREATE INDEX lot_begins ON lot (activates_at) WHERE NOT active",
    "CREATE INDEX lot_ends ON lot (expires_at) WHERE active AND remaining > 0",
    "ALTER TABLE receipt ADD COLUMN begins_at timestamptz",
    "UPDATE receipt SET begins_at = occurred_at WHERE occurred_at IS NOT NULL",
    """
    CREATE TABLE spend (
        spend_id uuid PRIMARY KEY,
        member_id uuid NOT NULL,
        points bigint NOT NULL,
        taken bigint NOT NULL,
        captured bigint NOT NULL,
        state text NOT NULL,
        at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        identified_by text NOT NULL,
        opened_by text NOT NULL,
        store_id text,
        closed_at timestamptz,
        receipt_id uuid,
        receipt_revision integer NOT NULL,
        CONSTRAINT spend_state CHECK (state IN ('held', 'captured', 'released', 'expired')),
        CONSTRAINT spend_amounts CHECK (
            points > 0 AND captured BETWEEN 0 AND points AND taken BETWEEN 0 AND points
            AND (state = 'held' OR taken <= captured)
        )
    )
    """,
    "CREATE INDEX spend_member ON spend (member_id) WHERE taken > 0",
    "CREATE INDEX spend_open ON spend (expires_at) WHERE state = 'held'",
    "CREATE INDEX spend_receipt ON spend (receipt_id) WHERE receipt_id IS NOT NULL",
)


def upgrade() -> None:
    """Add them; nothing of the books so far changes."""
    for statement in UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    """Take them away; refuses by its checks where something is spent or owed."""
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM spend) OR EXISTS (SELECT FROM lot WHERE expired > 0)
                OR EXISTS (SELECT FROM account WHERE pending + debt > 0) THEN
                RAISE EXCEPTION 'points were spent, held, owed or ended; restore a backup instead';
            END IF;
        END $$
        """
    )
    op.drop_table("spend")
    op.execute("ALTER TABLE receipt DROP COLUMN begins_at")
    op.execute("DROP INDEX lot_begins, lot_ends")
    op.execute(
        """
        ALTER TABLE lot
            DROP CONSTRAINT lot_remaining, DROP COLUMN active, DROP COLUMN expired,
            ALTER COLUMN expires_at SET NOT NULL,
            ADD CONSTRAINT lot_remaining CHECK (points > 0 AND remaining BETWEEN 0 AND points)
        """
    )
    op.execute(
        """
        ALTER TABLE account
            DROP CONSTRAINT account_not_overdrawn, DROP COLUMN pending, DROP COLUMN held,
            DROP COLUMN debt, DROP COLUMN drawn_at,
            ADD CONSTRAINT account_not_overdrawn CHECK (available >= 0)
        """
    )
