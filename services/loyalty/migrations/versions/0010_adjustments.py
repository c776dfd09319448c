"""Points corrected by hand, above a limit by two people."""

from alembic import op

from shared.db.migrate import runtime_role

revision = "0010"
down_revision = "0009"

UPGRADE = (
    """
    CREATE TABLE adjustment (
        adjustment_id uuid PRIMARY KEY,
        member_id uuid NOT NULL,
        points bigint NOT NULL,
        reason text NOT NULL,
        state text NOT NULL,
        asked_by text NOT NULL,
        asked_at timestamptz NOT NULL,
        expires_at timestamptz,
        note text,
        decided_by text,
        decided_at timestamptz,
        CONSTRAINT adjustment_moves_something CHECK (points <> 0),
        CONSTRAINT adjustment_state CHECK (
            state IN ('pending_approval', 'posted', 'rejected')
            AND (state = 'posted' OR (decided_by IS NULL) = (state = 'pending_approval'))
            AND (decided_by IS NULL) = (decided_at IS NULL)
        ),
        CONSTRAINT adjustment_two_people CHECK (decided_by <> asked_by)
    )
    """,
    "CREATE INDEX adjustment_by_state ON adjustment (state, adjustment_id)",
    "CREATE INDEX adjustment_member ON adjustment (member_id)",
)


def upgrade() -> None:
    """Create the table; what was asked for can not be edited by our own processes."""
    for statement in UPGRADE:
        op.execute(statement)
    role = runtime_role()
    op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON adjustment FROM {role}")
    decided = "state, expires_at, note, decided_by, decided_at"
    op.execute(f"GRANT UPDATE ({decided}) ON adjustment TO {role}")


def downgrade() -> None:
    """Drop the table; refuses where something was posted: nothing else could explain it."""
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM adjustment WHERE state = 'posted') THEN
                RAISE EXCEPTION 'points were adjusted; restore a backup instead';
            END IF;
        END $$
        """
    )
    op.drop_table("adjustment")
