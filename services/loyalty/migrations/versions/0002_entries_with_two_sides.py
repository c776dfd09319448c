"""One row for each movement of points, with both of its accounts, chained by hashes."""

from alembic import op

from shared.db.migrate import runtime_role

revision = "0002"
down_revision = "0001"

ENTRIES = (
    """
    CREATE TEMP TABLE moved ON COMMIT DROP AS
    SELECT * FROM entry WHERE member_id IS NOT NULL
    """,
    "DROP TABLE entry",
    """
    CREATE TABLE entry (
        member_id uuid NOT NULL,
        version bigint NOT NULL,
        cause_id uuid NOT NULL,
        from_account text NOT NULL,
        to_account text NOT NULL,
        points bigint NOT NULL,
        available_after bigint NOT NULL,
        receipt_id uuid,
        programme_version text,
        explain json NOT NULL,
        occurred_at timestamptz NOT NULL,
        posted_at timestamptz NOT NULL DEFAULT now(),
        hash bytea NOT NULL,
        PRIMARY KEY (member_id, version),
        CONSTRAINT entry_moves_something CHECK (points > 0),
        CONSTRAINT entry_has_two_sides CHECK (from_account <> to_account)
    )
    """,
    "CREATE INDEX entry_posted ON entry USING brin (posted_at)",
    """
    CREATE VIEW entry_leg AS
    SELECT member_id, version, cause_id, posted_at, from_account AS account, -points AS points
    FROM entry
    UNION ALL
    SELECT member_id, version, cause_id, posted_at, to_account, points FROM entry
    """,
)

ACCOUNTS = (
    """
    ALTER TABLE account
        DROP CONSTRAINT account_not_overdrawn, DROP CONSTRAINT account_pkey, DROP COLUMN kind,
        ADD PRIMARY KEY (member_id), ADD COLUMN hash bytea NOT NULL DEFAULT ''
    """,
    "ALTER TABLE account RENAME COLUMN balance TO available",
    "ALTER TABLE account ADD CONSTRAINT account_not_overdrawn CHECK (available >= 0)",
)

CHAIN = """
    DO $$
    DECLARE
        one record;
        chain bytea := '';
        member uuid;
        text_of text;
    BEGIN
        FOR one IN SELECT * FROM moved ORDER BY member_id, account_version LOOP
            IF one.member_id IS DISTINCT FROM member THEN
                chain := '';
                member := one.member_id;
            END IF;
            text_of := concat_ws('|', one.member_id, one.account_version, one.cause_id,
                CASE WHEN one.points > 0 THEN 'issued|available' ELSE 'available|issued' END,
                abs(one.points), one.balance_after, coalesce(one.receipt_id::text, ''),
                coalesce(one.programme_version, ''),
                (extract(epoch FROM one.occurred_at) * 1000000)::bigint,
                coalesce(one.explain::text, '{}'));
            chain := sha256(chain || convert_to(text_of, 'UTF8'));
            INSERT INTO entry VALUES (one.member_id, one.account_version, one.cause_id,
                CASE WHEN one.points > 0 THEN 'issued' ELSE 'available' END,
                CASE WHEN one.points > 0 THEN 'available' ELSE 'issued' END,
                abs(one.points), one.balance_after, one.receipt_id, one.programme_version,
                coalesce(one.explain, '{}'), one.occurred_at, one.posted_at, chain);
            UPDATE account SET hash = chain WHERE member_id = one.member_id;
        END LOOP;
    END
    $$
"""


def upgrade() -> None:
    """Join the two rows of each movement, and chain them."""
    for statement in (*ENTRIES, *ACCOUNTS, CHAIN):
        op.execute(statement)
    op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON entry FROM {runtime_role()}")


def downgrade() -> None:
    """Refuse: what was chained cannot be taken apart without losing the proof."""
    message = "the chained ledger has no way back; restore a backup"
    raise NotImplementedError(message)
