"""What the programme bears of what its members took."""

from alembic import op

revision = "0015"
down_revision = "0013"

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
)


def upgrade() -> None:
    """Add it; nothing of the books so far changes."""
    for statement in UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    """Take it away; refuses where something was borne: nothing else could explain it."""
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM account WHERE lost > 0) THEN
                RAISE EXCEPTION 'the programme bears losses; restore a backup instead';
            END IF;
        END $$
        """
    )
    op.execute(
        """
        ALTER TABLE account
            DROP CONSTRAINT account_not_overdrawn, DROP COLUMN lost,
            ADD CONSTRAINT account_not_overdrawn CHECK (
                available >= 0 AND pending >= 0 AND held >= 0 AND debt >= 0
                AND (available = 0 OR debt = 0)
            )
        """
    )
