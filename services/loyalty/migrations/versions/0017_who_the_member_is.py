"""What a receipt keeps of who bought: the tier held before it, and whether it was a birthday."""

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Add it; no rule has asked so far, so that no receipt has any of it."""
    op.execute(
        """
        ALTER TABLE receipt
            ADD COLUMN by_level json,
            ADD COLUMN level smallint,
            ADD COLUMN sold_at timestamptz,
            ADD COLUMN birthday smallint,
            ADD CONSTRAINT receipt_level CHECK ((by_level IS NULL) = (level IS NULL)),
            ADD CONSTRAINT receipt_birthday CHECK (birthday BETWEEN 0 AND 3)
        """
    )


def downgrade() -> None:
    """Take it away; refuses where something was earned by it, for that could not be kept up."""
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM receipt WHERE level IS NOT NULL OR birthday > 0) THEN
                RAISE EXCEPTION 'receipts were worth more by who bought; restore a backup instead';
            END IF;
        END $$
        """
    )
    op.execute(
        """
        ALTER TABLE receipt
            DROP CONSTRAINT receipt_level, DROP CONSTRAINT receipt_birthday,
            DROP COLUMN by_level, DROP COLUMN level, DROP COLUMN sold_at, DROP COLUMN birthday
        """
    )
