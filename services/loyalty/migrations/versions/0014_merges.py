"""Members who are merged into others, and back."""

from alembic import op

from shared.db.migrate import runtime_role

revision = "0014"
down_revision = "0013"

UPGRADE = (
    """
    CREATE TABLE merge (
        merge_id uuid PRIMARY KEY,
        member_id uuid NOT NULL REFERENCES member,
        into_id uuid NOT NULL REFERENCES member,
        merged_at timestamptz NOT NULL,
        merged_by text NOT NULL,
        undone_at timestamptz,
        undone_by text,
        CONSTRAINT merge_two_members CHECK (member_id <> into_id),
        CONSTRAINT merge_undone CHECK ((undone_at IS NULL) = (undone_by IS NULL))
    )
    """,
    "CREATE UNIQUE INDEX merge_stands ON merge (member_id) WHERE undone_at IS NULL",
    "CREATE INDEX merge_into ON merge (into_id) WHERE undone_at IS NULL",
    "CREATE INDEX merge_member ON merge (member_id)",
    "ALTER TABLE member ADD COLUMN merged_into uuid REFERENCES member",
    """
    ALTER TABLE member ADD CONSTRAINT member_merged
        CHECK ((status = 'merged') = (merged_into IS NOT NULL))
    """,
    "ALTER TABLE account ADD COLUMN merged_into uuid",
    "ALTER TABLE identifier ADD COLUMN given_to uuid",
    "ALTER TABLE device ADD COLUMN given_to uuid",
    "ALTER TABLE lot ADD COLUMN passed bigint NOT NULL DEFAULT 0",
    "ALTER TABLE lot DROP CONSTRAINT lot_remaining",
    """
    ALTER TABLE lot ADD CONSTRAINT lot_remaining CHECK (
        points > 0 AND remaining >= 0 AND expired >= 0 AND passed >= 0
        AND remaining + expired + passed <= points
        AND (active OR remaining + passed = points)
    )
    """,
    # What has passed to another member begins there.
    "DROP INDEX lot_begins",
    "CREATE INDEX lot_begins ON lot (activates_at) WHERE NOT active AND remaining > 0",
)


def upgrade() -> None:
    """Create the table; which merges there were can not be edited by our own processes."""
    for statement in UPGRADE:
        op.execute(statement)
    role = runtime_role()
    op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON merge FROM {role}")
    op.execute(f"GRANT UPDATE (undone_at, undone_by) ON merge TO {role}")


def downgrade() -> None:
    """Drop the table; refuses where members were merged: nothing else could explain the ledger."""
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM merge) THEN
                RAISE EXCEPTION 'members were merged; restore a backup instead';
            END IF;
        END $$
        """
    )
    op.execute("DROP INDEX lot_begins")
    op.execute("CREATE INDEX lot_begins ON lot (activates_at) WHERE NOT active")
    op.execute("ALTER TABLE lot DROP CONSTRAINT lot_remaining, DROP COLUMN passed")
    op.execute(
        """
        ALTER TABLE lot ADD CONSTRAINT lot_remaining CHECK (
            points > 0 AND remaining >= 0 AND expired >= 0 AND remaining + expired <= points
            AND (active OR remaining = points)
        )
        """
    )
    op.execute("ALTER TABLE device DROP COLUMN given_to")
    op.execute("ALTER TABLE identifier DROP COLUMN given_to")
    op.execute("ALTER TABLE account DROP COLUMN merged_into")
    op.execute("ALTER TABLE member DROP CONSTRAINT member_merged, DROP COLUMN merged_into")
    op.drop_table("merge")
