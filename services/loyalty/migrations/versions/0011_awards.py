"""Points for more than one receipt or for none: challenges, birthdays, referrals."""

from alembic import op

from shared.db.migrate import runtime_role

revision = "0011"
down_revision = "0010"

UPGRADE = (
    "ALTER TABLE receipt ADD COLUMN counts json",
    """
    CREATE TABLE progress (
        member_id uuid,
        rule text,
        period integer,
        value bigint NOT NULL,
        reached_at timestamptz,
        begins_at timestamptz,
        PRIMARY KEY (member_id, rule, period)
    ) WITH (fillfactor = 70)
    """,
    """
    CREATE TABLE award (
        award_id uuid PRIMARY KEY,
        member_id uuid NOT NULL,
        kind text NOT NULL,
        rule text NOT NULL,
        period integer NOT NULL,
        points bigint NOT NULL,
        programme_version text NOT NULL,
        earned_at timestamptz NOT NULL,
        begins_at timestamptz NOT NULL,
        expires_at timestamptz,
        CONSTRAINT award_points CHECK (points >= 0),
        CONSTRAINT award_kind CHECK (kind IN ('challenge', 'birthday', 'referral'))
    )
    """,
    "CREATE INDEX award_member ON award (member_id, rule)",
    """
    CREATE TABLE referral_code (
        code text PRIMARY KEY,
        member_id uuid NOT NULL REFERENCES member,
        CONSTRAINT referral_code_member UNIQUE (member_id)
    )
    """,
    """
    CREATE TABLE referral (
        referred_id uuid PRIMARY KEY REFERENCES member,
        member_id uuid NOT NULL REFERENCES member,
        programme_version text NOT NULL,
        minimum_minor bigint NOT NULL,
        counts_from timestamptz NOT NULL,
        counts_until timestamptz NOT NULL,
        state text NOT NULL,
        receipt_id uuid,
        survives_at timestamptz,
        CONSTRAINT referral_state CHECK (state IN ('waiting', 'pending', 'earned', 'lapsed'))
    )
    """,
    "CREATE INDEX referral_member ON referral (member_id)",
    "CREATE INDEX referral_open ON referral (referred_id) WHERE state IN ('waiting', 'pending')",
    # Month and day as a number: 229 is the 29th of February.
    """
    CREATE INDEX member_birthday ON member (
        (extract(month FROM birth_date)::int * 100 + extract(day FROM birth_date)::int)
    ) WHERE status = 'active' AND birth_date IS NOT NULL
    """,
)


def upgrade() -> None:
    """Create the tables; what was given is taken back with 0 points, and never deleted."""
    for statement in UPGRADE:
        op.execute(statement)
    op.execute(f"REVOKE DELETE, TRUNCATE ON award FROM {runtime_role()}")


def downgrade() -> None:
    """Drop the tables; refuses where something was given: nothing else could explain it."""
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM award) THEN
                RAISE EXCEPTION 'points were given; restore a backup instead';
            END IF;
        END $$
        """
    )
    op.execute("DROP INDEX member_birthday")
    for table in ("referral", "referral_code", "award", "progress"):
        op.drop_table(table)
    op.drop_column("receipt", "counts")
