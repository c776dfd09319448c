"""Know of each receipt what it would be worth without caps, and when it happened."""

from alembic import op

revision = "0005"
down_revision = "0004"

UPGRADE = (
    """
    ALTER TABLE receipt
        ADD COLUMN desired bigint NOT NULL DEFAULT 0,
        ADD COLUMN occurred_at timestamptz,
        ADD COLUMN store_id text,
        ADD COLUMN programme_version text
    """,
    # A receipt that is worth nothing so far takes nothing from a cap: it needs none of this.
    """
    UPDATE receipt
    SET desired = receipt.posted, occurred_at = lot.activates_at,
        programme_version = (
            SELECT entry.programme_version FROM entry
            WHERE entry.member_id = receipt.member_id AND entry.receipt_id = receipt.receipt_id
            ORDER BY entry.version DESC LIMIT 1
        )
    FROM lot
    WHERE lot.member_id = receipt.member_id AND lot.lot_id = receipt.receipt_id
    """,
    "CREATE INDEX receipt_member ON receipt (member_id, occurred_at)",
)


def upgrade() -> None:
    """Fill it from the lots and the ledger, which say so of whatever earned points."""
    for statement in UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    """Forget it."""
    op.execute(
        """
        ALTER TABLE receipt
            DROP COLUMN desired, DROP COLUMN occurred_at, DROP COLUMN store_id,
            DROP COLUMN programme_version
        """
    )
