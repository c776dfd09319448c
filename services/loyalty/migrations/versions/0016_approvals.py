"""Receipts that wait for the staff, and what was decided."""

from alembic import op

from shared.db.migrate import runtime_role

revision = "0016"
down_revision = "0015"

UPGRADE = (
    """
    ALTER TABLE receipt
        ADD COLUMN approval text,
        ADD COLUMN approved_at timestamptz,
        ADD COLUMN due_at timestamptz,
        ADD CONSTRAINT receipt_approval CHECK (
            approval IS NOT NULL AND approval IN ('waiting', 'approved', 'rejected')
            AND (approval = 'approved') = (approved_at IS NOT NULL)
            AND (approval = 'waiting') = (due_at IS NOT NULL)
            OR approval IS NULL AND approved_at IS NULL AND due_at IS NULL
        )
    """,
    """
    CREATE INDEX receipt_waiting ON receipt (occurred_at, receipt_id) WHERE approval = 'waiting'
    """,
    """
    CREATE TABLE approval (
        receipt_id uuid PRIMARY KEY,
        member_id uuid NOT NULL,
        verdict text NOT NULL,
        points bigint NOT NULL,
        decided_by text NOT NULL,
        decided_at timestamptz NOT NULL,
        CONSTRAINT approval_verdict CHECK (verdict IN ('approved', 'rejected'))
    )
    """,
    "CREATE INDEX approval_member ON approval (member_id)",
)


def upgrade() -> None:
    """Add it; no receipt so far waits, and our own processes can not edit what was decided."""
    for statement in UPGRADE:
        op.execute(statement)
    op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON approval FROM {runtime_role()}")


def downgrade() -> None:
    """Take it away; refuses where something was decided, or waits: it would be worth its points."""
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM approval)
                OR EXISTS (SELECT FROM receipt WHERE approval = 'waiting') THEN
                RAISE EXCEPTION 'receipts waited for approval; restore a backup instead';
            END IF;
        END $$
        """
    )
    op.drop_table("approval")
    op.execute("DROP INDEX receipt_waiting")
    op.execute(
        """
        ALTER TABLE receipt
            DROP CONSTRAINT receipt_approval, DROP COLUMN approval, DROP COLUMN approved_at,
            DROP COLUMN due_at
        """
    )
